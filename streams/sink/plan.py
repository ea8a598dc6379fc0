"""From batches of a topic to the inserts that load them: pure, the same for the same batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from streams.avro.codec import frame_schema_id
from streams.core.errors import Rejected
from streams.core.record_times import clamped_ms
from streams.kafka.batch import Batch, ConsumedRecord
from streams.sink.landing import SYNC_MARKER, Landing, Route, tombstone_landing

_FRAME_BYTES = 5
_REST_SECONDS, _LONGEST_REST_SECONDS = 1.0, 5.0
_REST_OF_AN_INSERT = 3.0

BAD_FRAMING = "bad_framing"

RouteOf = Callable[[str, int], Route | Rejected]
"""Route of a topic for a schema id."""


def rest_seconds(taken: float) -> float:
    """How long nothing of a topic is inserted after a small insert that has taken some seconds.

    So more can come together: most of what a small insert costs is the same for a large one. From
    the beginning of one to the next it is a second, or three times as long as the insert took, as
    on a busy machine, and five seconds at most.
    """
    whole = min(max(_REST_SECONDS, _REST_OF_AN_INSERT * taken), _LONGEST_REST_SECONDS)
    return max(0.0, whole - taken)


@dataclass(frozen=True, slots=True)
class Insert:
    """One synchronous insert of records that one schema wrote.

    Attributes:
        topic_id: Of the topic they were read from: a recreated one has another.
        landing: Where they go.
        records: At least one, of each partition ascending by offset.
    """

    topic_id: str
    landing: Landing
    records: Sequence[ConsumedRecord]

    def avro_file(self) -> bytes:
        """The records as one Avro file, each in a block of its own.

        So a record whose bytes do not fit its schema cannot shift the ones after it: the block's
        length is checked.
        """
        topic_id = self.topic_id.encode()
        topic = _long(len(topic_id)) + topic_id
        parts = [self.landing.file_header]
        for record in self.records:
            body = b"" if record.value is None else record.value[_FRAME_BYTES:]
            when = _long(clamped_ms(record.timestamp)) + _new_long(record.offset)
            place = _long(record.partition) + topic
            key = self._key(record)
            length = _long(len(when) + len(place) + len(key) + len(body))
            parts += (_ONE, length, when, place, key, body, SYNC_MARKER)
        return b"".join(parts)

    def _key(self, record: ConsumedRecord) -> bytes:
        if not self.landing.keyed:
            return b""
        assert record.key is not None  # or it were a reject
        return _long(len(record.key)) + record.key

    def halves(self) -> tuple["Insert", "Insert"]:
        """The same records as two inserts; needs at least two."""
        middle = len(self.records) // 2
        return (
            Insert(self.topic_id, self.landing, self.records[:middle]),
            Insert(self.topic_id, self.landing, self.records[middle:]),
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no row."""

    record: ConsumedRecord
    reason: Rejected


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What loading batches means: every record is in exactly one insert or is a reject."""

    inserts: tuple[Insert, ...]
    rejects: tuple[Reject, ...]


def plan_batches(batches: Sequence[Batch], topic_id: str, route_of: RouteOf) -> LoadPlan:
    """Inserts that load batches of one topic, one for each writer schema and canonical kind."""
    groups: dict[tuple[int, str], tuple[Landing, list[ConsumedRecord]]] = {}
    rejects: list[Reject] = []
    for record in chain.from_iterable(batch.records for batch in batches):
        routed = _route(record, route_of)
        if isinstance(routed, Rejected):
            rejects.append(Reject(record, routed))
        else:
            schema_id, landing = routed
            groups.setdefault((schema_id, landing.name), (landing, []))[1].append(record)
    inserts = tuple(Insert(topic_id, landing, records) for landing, records in groups.values())
    return LoadPlan(inserts, tuple(rejects))


def _route(record: ConsumedRecord, route_of: RouteOf) -> tuple[int, Landing] | Rejected:
    schema_id, landing = _landing(record, route_of)
    if isinstance(landing, Rejected):
        return landing
    if landing.keyed and record.key is None:
        return _NO_KEY
    return schema_id, landing


def _landing(record: ConsumedRecord, route_of: RouteOf) -> tuple[int, Landing | Rejected]:
    if record.value is None:
        return _NO_SCHEMA, tombstone_landing(record.topic) or _BAD_FRAMING
    schema_id = frame_schema_id(record.value)
    if schema_id is None:
        return _NO_SCHEMA, _BAD_FRAMING
    route = route_of(record.topic, schema_id)
    if isinstance(route, Rejected):
        return schema_id, route
    return schema_id, route.landing_of(record.value[_FRAME_BYTES:])


_NO_SCHEMA = -1

_NO_KEY = Rejected(BAD_FRAMING, "The record has no key, which is what its row is found by.")

_BAD_FRAMING = Rejected(BAD_FRAMING, "The value does not start with a schema id.")


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
