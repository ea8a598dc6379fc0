"""What of an input partition is in the state, and whether the input log still agrees with it.

Pure but for the codec. The last changelog entry of every batch is an `Applied`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self
from zlib import crc32

from faust.types import TP

from streams.core import contract_types as avro
from streams.core.errors import StateError
from streams.kafka.batch import ConsumedRecord

NOTHING_APPLIED = -1

REBUILD = "Rebuild it from the raw topics: stop the workers, then `make rebuild`."


class OffsetRange(NamedTuple):
    """Consecutive offsets: `end` is one above the last."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class InputLog:
    """An input partition as the broker has it now.

    Attributes:
        topic_uuid: Identity of the topic; a recreated topic has another one.
        low: First offset.
        high: End.
    """

    topic_uuid: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Applied:
    """Inputs up to an offset are in the state.

    Attributes:
        topic: Input topic.
        topic_uuid: Its identity.
        partition: Input partition.
        offset: Last applied offset; `NOTHING_APPLIED` before the first.
        record_crc: CRC-32 of key and value of that record, None when it is not known.
        generation: Generation of the workers that began to read this log; after a rebuild every
            record is decided again under a higher one.
        deleted_unread: Offsets that retention deleted before they were read, ascending.
    """

    topic: str
    topic_uuid: str
    partition: int
    offset: int
    record_crc: int | None
    generation: int
    deleted_unread: tuple[OffsetRange, ...] = ()

    def to_avro(self) -> avro.Applied:
        """Avro form (`infrastructure.state.Applied`)."""
        return {
            "topic": self.topic,
            "topic_uuid": self.topic_uuid,
            "partition": self.partition,
            "offset": self.offset,
            "record_crc": self.record_crc,
            "generation": self.generation,
            "deleted_unread": [
                {"first": unread.first, "end": unread.end} for unread in self.deleted_unread
            ],
        }

    @classmethod
    def from_avro(cls, entry: avro.Applied) -> Self:
        """Inverse of `to_avro`."""
        return cls(
            entry["topic"],
            entry["topic_uuid"],
            entry["partition"],
            entry["offset"],
            entry["record_crc"],
            entry["generation"],
            tuple(OffsetRange(one["first"], one["end"]) for one in entry["deleted_unread"]),
        )


def crc_of(key: bytes | None, value: bytes | None) -> int:
    """What tells one record from another at the same offset."""
    return crc32(value or b"", crc32(key or b""))


def record_crc(record: ConsumedRecord) -> int:
    """The same of a record as it was consumed."""
    return crc_of(record.key, record.value)


def checked(
    tp: TP, applied: Applied | None, log: InputLog, committed: int | None, generation: int
) -> Applied:
    """What of an input partition is applied, when state, offsets and log agree.

    Args:
        tp: Input partition.
        applied: The entry of the restored table, None when there is none.
        log: The input partition now.
        committed: Committed offset of the group, None when there is none.
        generation: Generation of this worker.

    Returns:
        The entry, with what retention has deleted unread since.

    Raises:
        StateError: they contradict each other.
    """
    where = f"{tp.topic}/{tp.partition}"
    if applied is None:
        if committed is not None:
            raise StateError(
                f"{where}: the group has committed offset {committed}, but the changelog has no "
                f"applied offset: state is lost. Nothing was read. {REBUILD}"
            )
        applied = Applied(tp.topic, log.topic_uuid, tp.partition, NOTHING_APPLIED, None, generation)
    if (applied.topic, applied.partition) != tp:
        raise StateError(
            f"{where}: its changelog is one of {applied.topic}/{applied.partition}. {REBUILD}"
        )
    if applied.topic_uuid != log.topic_uuid:
        raise StateError(
            f"{where}: the input topic was recreated since the state was written. {REBUILD}"
        )
    if committed is not None and committed > applied.offset + 1:
        raise StateError(
            f"{where}: committed offset {committed} is ahead of the applied one "
            f"({applied.offset}): the changelog lost its end. {REBUILD}"
        )
    if applied.offset >= log.high:
        raise shorter_log(tp, applied.offset, log.high)
    return with_deleted(applied, OffsetRange(0, log.low))


def shorter_log(tp: TP, offset: int, high: int) -> StateError:
    """The error for an input log that ends before what was read of it."""
    return StateError(
        f"{tp.topic}/{tp.partition}: the input log ends at offset {high}, but {offset} was read "
        "already: the log lost its end, and what is written now would be taken for what was read. "
        + REBUILD
    )


def require_same_record(tp: TP, applied: Applied, found_crc: int | None) -> None:
    """Check that the last applied record is still the one in the log.

    Args:
        tp: Input partition.
        applied: Its entry.
        found_crc: Of the record at that offset now; None when there is none any more.

    Raises:
        StateError: the log lost its end and has grown again.
    """
    if found_crc is None or applied.record_crc in (None, found_crc):
        return
    raise StateError(
        f"{tp.topic}/{tp.partition}: the record at offset {applied.offset} is not the one that was "
        f"read there: the input log lost its end and has grown again since. {REBUILD}"
    )


def with_deleted(applied: Applied, deleted: OffsetRange) -> Applied:
    """The entry, with those of the deleted offsets that were not read."""
    behind = applied.deleted_unread[-1].end if applied.deleted_unread else 0
    first = max(applied.offset + 1, behind, deleted.first)
    if deleted.end <= first:
        return applied
    unread = (*applied.deleted_unread, OffsetRange(first, deleted.end))
    return replace(applied, deleted_unread=unread)
