"""The system user that runs PostgreSQL, which does not run as root."""

import contextlib
import fcntl
import logging
import os
import pwd
import subprocess
from typing import Final

from streams.local.errors import UnsuitableSystemError
from streams.local.process import RunAs

log = logging.getLogger(__name__)

_ACCOUNTS: Final = "/etc"
"""Locked while a user is added: of two `useradd` of one name at once, each succeeds, and the user
keeps the id of the later."""


def system_user(name: str) -> RunAs:
    """Who a server runs as: we ourselves, or where we are root that user, added if missing.

    Raises:
        UnsuitableSystemError: we are root and the user cannot be added.
    """
    if os.getuid() != 0:
        return RunAs(os.getuid(), os.getgid())
    with contextlib.suppress(KeyError):
        return _entry(name)
    accounts = os.open(_ACCOUNTS, os.O_RDONLY)
    try:
        fcntl.flock(accounts, fcntl.LOCK_EX)
        with contextlib.suppress(KeyError):
            return _entry(name)
        _add(name)
        return _entry(name)
    finally:
        os.close(accounts)


def _entry(name: str) -> RunAs:
    entry = pwd.getpwnam(name)
    return RunAs(entry.pw_uid, entry.pw_gid)


def _add(name: str) -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", name]
    log.info("adding the system user %s: PostgreSQL does not run as root", name)
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnsuitableSystemError(
            f"PostgreSQL does not run as root, and {' '.join(command)} failed ({error}): "
            "add that user by hand, or run this as an ordinary user."
        ) from error
