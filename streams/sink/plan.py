"""From a batch of records to the inserts that load it: pure, and the same for the same batch.

Why a token carries what it carries:

    topic id     a recreated topic starts again at offset 0 with other records
    partition    offsets are counted per partition
    first-last   a batch cut elsewhere after a restart is another insert
    hash         of the bytes and the landing: a new version of the sink may make other rows of
                 the same bytes

A repeated insert is skipped by its token while the tables remember it, and collapses in the
ReplacingMergeTree otherwise.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from streams.avro.codec import frame_schema_id
from streams.core.errors import Rejected
from streams.kafka.batch import Batch, ConsumedRecord
from streams.sink.landing import SYNC_MARKER, Landing, Route

_FRAME_BYTES = 5

RouteOf = Callable[[str, int], Route | Rejected]
"""Route of a topic for a schema id."""


@dataclass(frozen=True, slots=True)
class InputPartition:
    """Where a batch was read: a recreated topic has another id."""

    topic: str
    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Insert:
    """One synchronous insert of records that one schema wrote.

    Attributes:
        source: Where the records were read.
        landing: Where they go.
        records: At least one, ascending by offset.
    """

    source: InputPartition
    landing: Landing
    records: Sequence[ConsumedRecord]

    def avro_file(self) -> bytes:
        """The records as one Avro file, each in a block of its own.

        So a record whose bytes do not fit its schema cannot shift the ones after it: the block's
        length is checked.
        """
        topic_id = self.source.topic_id.encode()
        place = _long(self.source.partition) + _long(len(topic_id)) + topic_id
        parts = [self.landing.file_header]
        for record in self.records:
            assert record.value is not None  # framed, or it were a reject
            when = _long(record.timestamp) + _new_long(record.offset)
            length = _long(len(when) + len(place) + len(record.value) - _FRAME_BYTES)
            parts += (_ONE, length, when, place, record.value[_FRAME_BYTES:], SYNC_MARKER)
        return b"".join(parts)

    def token(self, avro_file: bytes) -> str:
        """Deduplication token: equal tokens mean equal rows."""
        content = hashlib.blake2b(self.landing.name.encode(), digest_size=16)
        content.update(avro_file)
        offsets = f"{self.records[0].offset}-{self.records[-1].offset}"
        return f"{self.source.topic_id}:{self.source.partition}:{offsets}:{content.hexdigest()}"

    def halves(self) -> tuple["Insert", "Insert"]:
        """The same records as two inserts; needs at least two."""
        middle = len(self.records) // 2
        return (
            Insert(self.source, self.landing, self.records[:middle]),
            Insert(self.source, self.landing, self.records[middle:]),
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no row."""

    record: ConsumedRecord
    reason: Rejected


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What loading one batch means: every record is in exactly one insert or is a reject."""

    inserts: tuple[Insert, ...]
    rejects: tuple[Reject, ...]


def plan_batch(batch: Batch, topic_id: str, route_of: RouteOf) -> LoadPlan:
    """Inserts that load a batch, one for each writer schema and canonical kind."""
    groups: dict[tuple[int, str], tuple[Landing, list[ConsumedRecord]]] = {}
    rejects: list[Reject] = []
    for record in batch.records:
        routed = _route(record, route_of)
        if isinstance(routed, Rejected):
            rejects.append(Reject(record, routed))
        else:
            schema_id, landing = routed
            groups.setdefault((schema_id, landing.name), (landing, []))[1].append(record)
    source = InputPartition(batch.topic, topic_id, batch.partition)
    inserts = tuple(Insert(source, landing, records) for landing, records in groups.values())
    return LoadPlan(inserts, tuple(rejects))


def _route(record: ConsumedRecord, route_of: RouteOf) -> tuple[int, Landing] | Rejected:
    schema_id = frame_schema_id(record.value)
    if record.value is None or schema_id is None:
        return _BAD_FRAMING
    route = route_of(record.topic, schema_id)
    if isinstance(route, Rejected):
        return route
    landing = route.landing_of(record.value[_FRAME_BYTES:])
    return landing if isinstance(landing, Rejected) else (schema_id, landing)


_BAD_FRAMING = Rejected("bad_framing", "The value does not start with a schema id.")


def _new_long(value: int) -> bytes:
    """Avro encoding of a long that none before was: a third of the time of the library's writer."""
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_long = lru_cache(maxsize=65_536)(_new_long)
"""The same where values repeat: lengths and times of one batch are much alike."""


_ONE = _long(1)
