"""The batches that a worker is working on now, and which of them hang."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streams.kafka.batch import Batch

STUCK_SECONDS = 10.0
"""A batch takes less than a second; one that takes so long waits for something."""


@dataclass(slots=True)
class RunningBatch:
    """A batch that is being worked on.

    Attributes:
        batch: The batch.
        since: When it began, as the monotonic clock has it.
        trouble: What went wrong with it last; empty when nothing did.
    """

    batch: Batch
    since: float
    trouble: str = ""

    def describe(self, seconds: float) -> str:
        """One sentence: which offsets, for how long, and why as far as it is known."""
        offsets = f"offsets {self.batch.first_offset} to {self.batch.last_offset}"
        why = f": {self.trouble}" if self.trouble else ""
        return f"{offsets} have been in work for {seconds:.0f} s{why}"


class RunningBatches:
    """Knows every batch from its beginning to its end. Used on the event loop."""

    def __init__(self) -> None:
        self._running: dict[int, RunningBatch] = {}

    @contextmanager
    def running(self, batch: Batch) -> Iterator[RunningBatch]:
        """While a batch is worked on."""
        one = RunningBatch(batch, time.monotonic())
        self._running[id(one)] = one
        try:
            yield one
        finally:
            del self._running[id(one)]

    def oldest_seconds(self) -> float:
        """For how long the oldest batch has been in work; 0 when there is none."""
        since = min((one.since for one in tuple(self._running.values())), default=None)
        return 0.0 if since is None else time.monotonic() - since

    def stuck(self) -> dict[str, str]:
        """A sentence by `topic/partition` of each batch that has taken too long."""
        now = time.monotonic()
        return {
            f"{one.batch.topic}/{one.batch.partition}": one.describe(now - one.since)
            for one in self._running.values()
            if now - one.since > STUCK_SECONDS
        }
