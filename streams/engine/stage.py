"""What a stage is: an input topic, a table, and the work on a batch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from streams.engine.overlay import Overlay
from streams.engine.table import StageTable
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch

Compute = Callable[[Batch, Overlay], Sequence[Outgoing]]
"""A stage's work on one batch: reads and writes the overlay, returns what to publish. No I/O."""


class Index(Protocol):
    """Work on the batches of one partition, with what it derived from the partition's table.

    A batch may change the index before the batch is committed: each is computed once on it, since
    an error ends the process.
    """

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Work on one batch, like `Compute`."""

    def close(self) -> None:
        """The partition was revoked: withdraw what is visible outside, such as metrics."""


@runtime_checkable
class Derives(Protocol):
    """Work that needs an index in memory beside its table."""

    def derive(self, partition: int, entries: Iterable[tuple[bytes, bytes]]) -> Index:
        """Make the index of a partition from its whole restored table.

        Blocking; called from an executor. It must let errors of the iteration pass: they say that
        there is more. Nothing is kept but in the index that is returned.

        Args:
            partition: Partition.
            entries: Every entry of the table; raises when the partition is revoked meanwhile or
                the table cannot be read to its end.
        """


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline: an input topic, its table, and the work on a batch."""

    name: str
    input_topic: str
    table: StageTable
    work: Compute | Derives
