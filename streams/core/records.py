"""The values that flow between the pure functions, and their Avro shapes.

Times are aware and UTC; a gas day is a date. `None` means "not reported" everywhere, never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self, cast

from streams.core import contract_types as avro
from streams.core.payloads import PAYLOAD_KINDS, Payload

RawEvent = Literal["observed", "no_longer_listed"]
Event = Literal["upsert", "withdrawal"]
Cause = Literal["no_longer_listed", "rejected", "moved"]
Outcome = Literal["changed", "unchanged", "superseded", "rejected", "withdrawn"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MOST_DIGITS = 18
"""Of a partition or offset as text: more need not fit a long."""


@dataclass(frozen=True, slots=True, order=True)
class RawCoordinates:
    """Coordinates of a raw record; the identity that conservation counts."""

    topic: str
    partition: int
    offset: int

    @property
    def key(self) -> str:
        """Message key of outcomes and dead letters."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    @classmethod
    def from_key(cls, key: str) -> Self | None:
        """Inverse of `key`; None when the text is none."""
        topic, _, rest = key.partition(":")
        partition, _, offset = rest.partition(":")
        if not (topic and partition.isdecimal() and offset.isdecimal()):
            return None
        if max(len(partition), len(offset)) > _MOST_DIGITS:
            return None
        return cls(topic, int(partition), int(offset))

    def to_avro(self) -> avro.RawCoordinates:
        """Avro form."""
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}

    @classmethod
    def from_avro(cls, record: avro.RawCoordinates) -> Self:
        """Inverse of `to_avro`."""
        return cls(record["topic"], record["partition"], record["offset"])


@dataclass(frozen=True, slots=True)
class OrderKey:
    """What a raw record says of its age; `newness` orders raw records by it.

    Attributes:
        source_updated_at: When the source last changed the record; None when it does not say.
        fetched_at: When the producer received it. It says when something was known, never what is
            newer: a clock that ran ahead once would hide whatever is fetched until its time comes.
        raw_hash: SHA-256 of the raw bytes, hex.
    """

    source_updated_at: datetime | None
    fetched_at: datetime
    raw_hash: str

    def to_avro(self) -> avro.OrderKey:
        """Avro form."""
        return {
            "source_updated_at": self.source_updated_at,
            "fetched_at": self.fetched_at,
            "raw_hash": self.raw_hash,
        }

    @classmethod
    def from_avro(cls, record: avro.OrderKey) -> Self:
        """Inverse of `to_avro`."""
        return cls(record["source_updated_at"], record["fetched_at"], record["raw_hash"])


def newness(order: OrderKey, lineage: RawCoordinates) -> tuple[datetime, int]:
    """Orders the raw records of one source record, the newest last.

    By the source's own update time (none sorts first), then by the place in the log: all of them
    are in one partition, and runs of a source exclude each other, so what was published later was
    fetched later, whatever the clocks said. A redriven record has the place of its original, so
    the newest of a set does not depend on arrival.
    """
    return (order.source_updated_at or EPOCH, lineage.offset)


@dataclass(frozen=True, slots=True)
class Correction:
    """A figure that was put right, because there was only one way to do it.

    Attributes:
        field: Field of the payload.
        reported: What the source says.
        corrected: What the payload contains.
        rule_id: Rule that found it.
    """

    field: str
    reported: float
    corrected: float
    rule_id: str

    def to_avro(self) -> avro.Correction:
        """Avro form."""
        return {
            "field": self.field,
            "reported": self.reported,
            "corrected": self.corrected,
            "rule_id": self.rule_id,
        }


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a connector makes of one raw item; validation adds flags and corrections.

    Attributes:
        entity_id: Source entity: the record itself for an asset, the series for an observation.
        payload: Typed content; its class says the canonical kind.
        flags: Ids of the rules that flag it, sorted.
        corrections: What was put right in the payload.
        place_of: Record of the entity that states the same place: what is wrong with the place is
            said of that one. None: no other does.
    """

    entity_id: str
    payload: Payload
    flags: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    place_of: str | None = None

    @property
    def kind(self) -> str:
        """Canonical kind, the name of the payload field."""
        return PAYLOAD_KINDS[type(self.payload)]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """The envelope of one raw record, decoded.

    Attributes:
        item: The upstream item as the raw contract of the source has it, which only its connector
            knows; None when the event is `no_longer_listed`.
    """

    source_id: str
    stream: str
    record_id: str
    event: RawEvent
    fetched_at: datetime
    source_updated_at: datetime | None
    release: str | None
    run_id: str
    origin: str
    licence: str
    attribution: str
    item: Mapping[str, Any] | None

    @classmethod
    def from_avro(cls, record: avro.RawRecord) -> Self:
        """From a record of any `raw.*` contract."""
        return cls(
            record["source_id"],
            record["stream"],
            record["record_id"],
            cast(RawEvent, record["event"]),
            record["fetched_at"],
            record["source_updated_at"],
            record["release"],
            record["run_id"],
            record["origin"],
            record["licence"],
            record["attribution"],
            record["item"],
        )

    def to_avro(self) -> avro.RawRecord:
        """Avro form of the source's raw contract."""
        return {
            "source_id": self.source_id,
            "stream": self.stream,
            "record_id": self.record_id,
            "event": self.event,
            "fetched_at": self.fetched_at,
            "source_updated_at": self.source_updated_at,
            "release": self.release,
            "run_id": self.run_id,
            "origin": self.origin,
            "licence": self.licence,
            "attribution": self.attribution,
            "item": self.item,
        }


def source_key(source_id: str, record_id: str) -> str:
    """Key of a source record where records of several sources meet."""
    return f"{source_id}:{record_id}"
