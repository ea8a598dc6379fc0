"""Progress of a command that reads many records: how many a second, and how long it still takes."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_RECORDS_BETWEEN_LOOKS = 200

_Read = TypeVar("_Read")


def record_progress(console: Console) -> Progress:
    """Bars that go away when all is read."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def advancing(progress: Progress, task: TaskID, records: Iterable[_Read]) -> Iterator[_Read]:
    """The same records, with the bar moving as they are taken."""
    taken = 0
    for record in records:
        yield record
        taken += 1
        if taken % _RECORDS_BETWEEN_LOOKS == 0:
            progress.advance(task, _RECORDS_BETWEEN_LOOKS)
    progress.advance(task, taken % _RECORDS_BETWEEN_LOOKS)


class _Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last moments; nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")
