"""Progress of a run: a bar when a person watches, a log line now and then otherwise."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from producers.http import DownloadProgress
from producers.run import Progress as ItemProgress

log = logging.getLogger(__name__)

_LOG_SECONDS = 10.0
_ITEMS_BETWEEN_LOOKS = 200


@dataclass(frozen=True, slots=True)
class Reports:
    """Where a run tells how far it is."""

    on_items: ItemProgress
    on_download: DownloadProgress


@contextmanager
def shown(source: str, console: Console) -> Iterator[Reports]:
    """Show the progress of one run on a console (standard error)."""
    if not console.is_terminal:
        yield _logged(source)
        return
    items_bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with items_bar:
        task = items_bar.add_task(source, total=None)

        def on_items(done: int, expected: int | None) -> None:
            if done % _ITEMS_BETWEEN_LOOKS == 0 or done == expected:
                items_bar.update(task, completed=done, total=expected, description=source)

        def on_download(received: int, expected: int | None) -> None:
            items_bar.update(
                task, completed=received, total=expected, description=f"{source} download"
            )

        yield Reports(on_items, on_download)


def _logged(source: str) -> Reports:
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < _LOG_SECONDS:
            return False
        last = now
        return True

    def on_items(done: int, expected: int | None) -> None:
        if done % _ITEMS_BETWEEN_LOOKS == 0 and due():
            log.info("%s: %d of %s items", source, done, expected or "an unknown number of")

    def on_download(received: int, expected: int | None) -> None:
        if due():
            log.info("%s: %d of %s bytes downloaded", source, received, expected or "?")

    return Reports(on_items, on_download)
