"""What is left to ask: points by stream and group, each group with a digest of its questions.

A checkpoint holds the digest of every group that was answered whole. A digest covers the questions
and the fingerprint of the data behind them, so a group is asked again when a point, a setting or
the data change, and only then. Where a run stops inside a group, a cursor says how far it came.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from producers.sources.reexplorer.points import ResourcePoint, grouped
from producers.sources.reexplorer.streams import Asked, NlrStream

_CURSOR = "cursor"
_OPEN = "unanswered"


@dataclass(frozen=True, slots=True)
class Task:
    """A group of points of one stream that has not been answered whole.

    Attributes:
        digest: Of the questions and the data's fingerprint.
        done: Points at its beginning that were answered by an earlier run.
    """

    stream: NlrStream
    group: str
    points: tuple[ResourcePoint, ...]
    digest: str
    done: int

    @property
    def left(self) -> tuple[ResourcePoint, ...]:
        """Points still to ask."""
        return self.points[self.done :]

    def cursor(self, answered: int) -> str:
        """Checkpoint text after so many of the points left."""
        return f"{self.stream.name} {self.group} {self.digest} {self.done + answered}"


@dataclass(slots=True)
class Progress:
    """Groups answered, as the checkpoint holds them.

    Attributes:
        cursors: How far the group was answered in which the last run stopped, by stream.
        unanswered: Ids of points of these groups on which their service failed, by stream.
    """

    groups: dict[str, dict[str, str]]
    cursors: dict[str, str]
    unanswered: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_checkpoint(cls, checkpoint: Mapping[str, str], streams: Iterable[str]) -> "Progress":
        """Read it; what is no progress counts as none."""
        groups = {}
        for stream in streams:
            pairs = (entry.partition(":") for entry in checkpoint.get(stream, "").split())
            groups[stream] = {group: digest for group, _, digest in pairs}
        lines = checkpoint.get(_CURSOR, "").splitlines()
        cursors = {line.partition(" ")[0]: line for line in lines}
        return cls(groups, cursors, json.loads(checkpoint.get(_OPEN, "{}")))

    def leave_open(self, task: Task, point: ResourcePoint) -> None:
        """Note that a service failed on a point, which its group does not wait for."""
        ids = self.unanswered.setdefault(task.stream.name, [])
        if point.id not in ids:
            ids.append(point.id)

    def answer(self, task: Task, point: ResourcePoint) -> None:
        """Note that a point was answered."""
        ids = self.unanswered.get(task.stream.name, [])
        if point.id in ids:
            ids.remove(point.id)

    def finish(self, task: Task) -> None:
        """Note that a group was answered whole."""
        self.groups[task.stream.name][task.group] = task.digest
        self.cursors.pop(task.stream.name, None)

    def stop(self, task: Task, answered: int) -> None:
        """Note how far a group was answered."""
        self.cursors[task.stream.name] = task.cursor(answered)

    def write(self, checkpoint: dict[str, str]) -> None:
        """Put it into a checkpoint."""
        checkpoint.pop(_CURSOR, None)
        checkpoint.pop(_OPEN, None)
        if any(self.unanswered.values()):
            checkpoint[_OPEN] = json.dumps(self.unanswered)
        if self.cursors:
            checkpoint[_CURSOR] = "\n".join(self.cursors.values())
        for stream, groups in self.groups.items():
            checkpoint.pop(stream, None)
            if groups:
                checkpoint[stream] = " ".join(
                    f"{group}:{groups[group]}" for group in sorted(groups)
                )

    def keep(self, stream: NlrStream, groups: Iterable[str]) -> None:
        """Forget groups that have no points any more."""
        previous = self.groups[stream.name]
        self.groups[stream.name] = {group: previous[group] for group in groups if group in previous}

    def tasks(
        self, stream: NlrStream, points: Iterable[ResourcePoint], asked: Asked, fingerprint: object
    ) -> Iterator[Task]:
        """Groups of a stream that have not been answered whole, in order."""
        for group, members in grouped(points).items():
            digest = _digest(stream, members, asked, fingerprint)
            if self.groups[stream.name].get(group) != digest:
                yield Task(stream, group, members, digest, self._done(stream, group, digest))
                continue
            ids = self.unanswered.get(stream.name, [])
            left = tuple(point for point in members if point.id in ids)
            if left:
                yield Task(stream, group, left, digest, 0)

    def _done(self, stream: NlrStream, group: str, digest: str) -> int:
        start, _, done = self.cursors.get(stream.name, "").rpartition(" ")
        same = start == f"{stream.name} {group} {digest}" and done.isdigit()
        return int(done) if same else 0


def _digest(
    stream: NlrStream, points: tuple[ResourcePoint, ...], asked: Asked, fingerprint: object
) -> str:
    questions = [[point.id, dict(stream.parameters(point, asked))] for point in points]
    text = json.dumps([fingerprint, questions], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
