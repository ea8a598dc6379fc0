"""One living owner for each data directory."""

import fcntl
import os
from pathlib import Path
from typing import IO

from streams.local.errors import DataDirectoryInUseError


class DataDirectoryLock:
    """A lock on a data directory; the system releases it when its holder dies, however it dies."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Become the owner.

        Raises:
            DataDirectoryInUseError: a living process is; the message names it.
        """
        file = (self._data_dir / "owner.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = f"process {file.read().strip() or 'unknown'}"
            file.close()
            raise DataDirectoryInUseError(self._data_dir, holder) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Stop being the owner; nothing to do when we are not."""
        if self._file:
            self._file.close()
            self._file = None
