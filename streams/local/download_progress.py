"""Progress of a download of many files: one bar when a person watches, log lines otherwise."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

log = logging.getLogger(__name__)

_LOG_SECONDS: Final = 10.0
_MB: Final = 1_000_000


class Cancelled(Exception):  # noqa: N818
    """The download was given up; raised inside the thread of one file."""


class DownloadProgress:
    """Counts the bytes of all files together.

    `of_file` is what jgo calls for each file. Used from several threads.
    """

    def __init__(self, console: Console, target: Path, files: int, total_bytes: int) -> None:
        self._target = target
        self._files = files
        self._total = total_bytes
        self._received = 0
        self._cancelled = threading.Event()
        self._guard = threading.Lock()
        self._began = self._logged = time.monotonic()
        self._bar = _bar(console) if console.is_terminal else None
        self._task = self._bar.add_task("Local stack", total=total_bytes) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        log.info(
            "fetching the local stack: %d files, %d MB, into %s",
            self._files,
            self._total // _MB,
            self._target,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()
        if error is None:
            log.info("fetched the local stack in %.0f s", time.monotonic() - self._began)

    def cancel(self) -> None:
        """Make running downloads end at their next piece."""
        self._cancelled.set()

    @contextmanager
    def of_file(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        """Report one file; a file that is given up takes its bytes back."""
        received = 0

        def advance(count: int) -> None:
            nonlocal received
            if self._cancelled.is_set():
                raise Cancelled(name)
            received += count
            self._advance(count)

        try:
            yield advance
        except BaseException:
            self._advance(-received)
            raise

    def _advance(self, count: int) -> None:
        with self._guard:
            self._received += count
            if self._bar and self._task is not None:
                self._bar.update(self._task, completed=self._received)
            elif time.monotonic() - self._logged >= _LOG_SECONDS:
                self._logged = time.monotonic()
                log.info("fetched %d of %d MB", self._received // _MB, self._total // _MB)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
