"""How far an input log was read, compared with the log that is there now.

Pure. A log may be another one than the one that was read (recreated, restored from a copy, cut off
at its end) and retention may have deleted what nobody had read.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputPartition:
    """One input partition of a stage.

    Attributes:
        topic: Topic.
        partition: Partition.
        topic_id: Identity of the topic now.
        low: First offset of the log now.
        high: End of the log now.
        read_topic_id: Identity of the topic that was read; None when nothing was.
        read_offset: Last offset that was read, -1 for none.
        is_same_record: Whether the record at that offset is the one that was read; None when
            nobody knows.
        generation: Generation that began to read it.
        deleted_unread: First offset and end of what was deleted before it was read, ascending.
    """

    topic: str
    partition: int
    topic_id: str
    low: int
    high: int
    read_topic_id: str | None = None
    read_offset: int = -1
    is_same_record: bool | None = None
    generation: int = 1
    deleted_unread: tuple[tuple[int, int], ...] = ()

    @property
    def is_another_log(self) -> bool:
        """Whether what was read of it says nothing of the log that is there now."""
        return (
            self.read_topic_id not in (None, self.topic_id)
            or self.read_offset >= self.high
            or self.is_same_record is False
        )

    def has(self, offset: int, generation: int) -> bool:
        """Whether what a generation decided at an offset is about a record the log has now.

        Not what was decided of an earlier topic of this name, nor of what was deleted since.
        """
        is_read = self.read_topic_id is not None and not self.is_another_log
        return is_read and offset >= self.low and generation >= self.generation

    def problems(self) -> Iterator[str]:
        """Each sentence that says where log and reading contradict each other."""
        where = f"{self.topic}/{self.partition}"
        if self.read_topic_id not in (None, self.topic_id):
            yield (
                f"{where} was recreated since it was read (topic id {self.topic_id}, read was "
                f"{self.read_topic_id}): none of its {self.high - self.low} offsets was read"
            )
            return
        if self.read_offset >= self.high:
            yield (
                f"{where} ends at offset {self.high}, but {self.read_offset} was read: the log "
                "lost its end"
            )
        elif self.is_same_record is False:
            yield (
                f"{where} has another record at offset {self.read_offset} than the one that was "
                "read there: the log lost its end and has grown again"
            )
        for first, end in self._deleted():
            yield (
                f"{end - first} record{'s' if end - first > 1 else ''} of {where} deleted by "
                f"retention before anybody read them: offsets {first} to {end - 1}"
            )

    def _deleted(self) -> Iterator[tuple[int, int]]:
        yield from self.deleted_unread
        behind = self.deleted_unread[-1][1] if self.deleted_unread else 0
        first = max(self.read_offset + 1, behind)
        if first < self.low and self.read_topic_id is not None:
            yield first, self.low
