"""Folders a process writes into: made where missing, and refused in one sentence where not."""

import errno
import tempfile
from pathlib import Path
from typing import Final

from streams.core.errors import SettingsError

_REASONS: Final = {
    errno.EEXIST: "is a file",
    errno.ENOTDIR: "is below a file",
    errno.ENOSPC: "is on a full disk",
    errno.EROFS: "is on a disk that can only be read",
}


def writable_folder(path: Path, variable: str) -> Path:
    """A folder, made unless it is there; returns it.

    Args:
        path: The folder.
        variable: Setting that chooses another one.

    Raises:
        SettingsError: it cannot be made or written into; says why.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"x")
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, "cannot be written into by this user")
        raise SettingsError(
            f"{path} {reason}: change that, or choose another folder with {variable}=<path>."
        ) from error
    return path
