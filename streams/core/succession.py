"""Succession: what an event of a source record does to its canonical record.

Pure. For points of time series; assets go through `streams.core.reconcile`. The newer event wins,
equal content publishes nothing, and each published change has a higher version.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self, TypeAlias

import orjson

from streams.core import contract_types as avro
from streams.core.payload_field import payload_fields
from streams.core.records import OrderKey, Outcome, RawCoordinates, newness
from streams.core.versions import next_version

Normalized: TypeAlias = avro.NormalizedAsset | avro.NormalizedObservation
"""A typed, unit-clean record of one source."""

CanonicalId = Callable[[str, str, str], str]
"""(kind, source id, record id) → canonical id."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """State of one source record (`state.observations`).

    Attributes:
        record: Normalized record that brought the content, as framed bytes; kept when it is
            withdrawn.
        version: Last published version.
        status: `current` or `withdrawn`.
        order, lineage: Newest event seen.
    """

    record: bytes
    canonical_id: str
    version: int
    status: str
    content_hash: str
    order: OrderKey
    lineage: RawCoordinates

    def to_avro(self) -> avro.ObservationState:
        """Avro form, without flags across scopes."""
        return {
            "record": self.record,
            "canonical_id": self.canonical_id,
            "version": self.version,
            "status": self.status,
            "content_hash": self.content_hash,
            "order": self.order.to_avro(),
            "lineage": self.lineage.to_avro(),
        }

    @classmethod
    def from_avro(cls, record: avro.ObservationState) -> Self:
        """Inverse of `to_avro`."""
        return cls(
            record["record"],
            record["canonical_id"],
            record["version"],
            record["status"],
            record["content_hash"],
            OrderKey.from_avro(record["order"]),
            RawCoordinates.from_avro(record["lineage"]),
        )


@dataclass(frozen=True, slots=True)
class Succession:
    """What follows from one event.

    Attributes:
        stored: New state; None removes the source record from this partition.
        published: Stored state to publish as a canonical record, or None.
        outcome: Outcome of the event's raw record, None when another event of it has one.
    """

    stored: StoredRecord | None
    published: StoredRecord | None
    outcome: Outcome | None


def succeed(
    event: Normalized,
    framed: bytes,
    stored: StoredRecord | None,
    generation: int,
    canonical_id: CanonicalId,
) -> Succession:
    """Apply one normalized record to the state of its source record.

    Args:
        event: The record.
        framed: The same as framed bytes, which is how the state keeps it.
        stored: State of the source record, None when it is new here.
        generation: High part of the version.
        canonical_id: Names the canonical record.
    """
    order = OrderKey.from_avro(event["order"])
    lineage = RawCoordinates.from_avro(event["lineage"])
    if stored is not None and newness(order, lineage) < newness(stored.order, stored.lineage):
        return Succession(stored, None, "superseded" if has_outcome(event) else None)
    if event["event"] == "withdrawal":
        return _withdraw(event, stored, generation, order, lineage)
    content = content_hash(event)
    if stored is not None and stored.status == "current" and stored.content_hash == content:
        same_move = stored.version >= next_version(None, generation, event["move_count"])
        if same_move:
            kept = replace(stored, order=order, lineage=lineage)
            return Succession(kept, None, "unchanged")
    identity = (
        stored.canonical_id
        if stored is not None
        else canonical_id(event["kind"], event["source_id"], event["record_id"])
    )
    version = next_version(stored.version if stored else None, generation, event["move_count"])
    new = StoredRecord(framed, identity, version, "current", content, order, lineage)
    return Succession(new, new, "changed")


def _withdraw(
    event: Normalized,
    stored: StoredRecord | None,
    generation: int,
    order: OrderKey,
    lineage: RawCoordinates,
) -> Succession:
    if event["cause"] == "moved":
        # The new region publishes the same canonical id under a higher version.
        return Succession(None, None, None)
    outcome: Outcome | None = "withdrawn" if has_outcome(event) else None
    if stored is None or stored.status == "withdrawn":
        return Succession(stored, None, outcome and "unchanged")
    version = next_version(stored.version, generation, event["move_count"])
    gone = StoredRecord(
        stored.record,
        stored.canonical_id,
        version,
        "withdrawn",
        stored.content_hash,
        order,
        lineage,
    )
    return Succession(gone, gone, outcome)


def has_outcome(event: Normalized) -> bool:
    """A withdrawal after a rejection or a move is not the raw record's own outcome."""
    return event["cause"] in (None, "no_longer_listed")


def content_hash(event: Normalized) -> str:
    """SHA-256 of what readers see of a normalized record, without lineage, order and times."""
    content = {
        "kind": event["kind"],
        "payload": payload_fields(event),
        "flags": event["flags"],
        "licence": event["licence"],
        "attribution": event["attribution"],
    }
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
