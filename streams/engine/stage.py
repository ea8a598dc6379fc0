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


@runtime_checkable
class Derived(Protocol):
    """Work that keeps an index in memory beside its table; a compute may be one.

    The index may change while a batch is computed, before it is committed: each batch is computed
    once on it, since an error ends the process. Blocking; called from an executor, never while a
    batch of the partition runs.
    """

    def rebuild(self, partition: int, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Build the index from the restored table; called after a partition is taken over.

        The items may end early when the partition is given up meanwhile; `forget` follows.
        """

    def forget(self, partition: int) -> None:
        """Drop the index; called when a partition is given up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline: an input topic, its table, and the work on a batch."""

    name: str
    input_topic: str
    table: StageTable
    compute: Compute
