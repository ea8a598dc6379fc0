"""How many files and connections a process may have open at once."""

import resource
from typing import Final

from streams.core.errors import SettingsError

_WANTED: Final = 8192
"""Below what macOS allows where it says "unlimited" (10,240)."""


def raise_open_files(needed: int) -> None:
    """Raise the limit of this process, and of its children, as far as the system lets it.

    Shells of macOS start with 256.

    Args:
        needed: With less, the process would fail later.

    Raises:
        SettingsError: the system does not let it have so many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        raise SettingsError(
            f"This process needs {needed} open files and may have {allowed}: raise the hard limit "
            "(`ulimit -Hn` shows it) and start again."
        )
