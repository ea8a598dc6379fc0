"""A micro-batch: the records of one fetch of one partition, handled as one unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class ConsumedRecord(Protocol):
    """One record as the consumer read it (aiokafka's `ConsumerRecord` fits as it is)."""

    @property
    def topic(self) -> str:
        """Topic name."""

    @property
    def partition(self) -> int:
        """Partition number."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """Message key."""

    @property
    def value(self) -> bytes | None:
        """Message value; None is a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Message headers, in order."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, ascending by offset, at least one.

    Offsets may have gaps (transaction markers, compaction).
    """

    topic: str
    partition: int
    records: Sequence[ConsumedRecord]

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        """Offset of the last record; acknowledging it acknowledges the batch."""
        return self.records[-1].offset
