"""Which code a command runs, as records of replays and generations name it."""

import subprocess

from streams.settings import PROJECT_ROOT
from streams.stages.outcomes import CODE_VERSION

_SECONDS = 10.0


def code_version() -> str:
    """Version of the product; of a clone with its commit, and whether files differ from it.

    For example `0.1.0+g1a2b3c4d5e6f.dirty`, a local version as PEP 440 writes it.
    """
    root = _git("rev-parse", "--show-toplevel")
    if root is None or root != str(PROJECT_ROOT):
        return CODE_VERSION  # installed, perhaps within the clone of something else
    commit = _git("describe", "--always", "--dirty=.dirty", "--exclude=*", "--abbrev=12")
    return CODE_VERSION if commit is None else f"{CODE_VERSION}+g{commit}"


def _git(*arguments: str) -> str | None:
    """What git says; None without git, or without a commit."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(PROJECT_ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
