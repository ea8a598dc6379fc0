"""The outcome of normalizing: what one raw record means for its source record.

Pure. The state of a source record is its `Location`: where it was last sent, and the newest order
key seen. The outcome of an accepted record is found downstream, where its content is compared.
"""

from dataclasses import dataclass, replace
from typing import Self, cast

from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.payload_field import set_payload
from streams.core.payloads import ASSET_KINDS, LngInventory
from streams.core.records import (
    Cause,
    Event,
    Mapped,
    OrderKey,
    Outcome,
    RawCoordinates,
    RawRecord,
    newness,
)
from streams.core.regions import region_of
from streams.core.succession import Normalized

NO_REGION = -1
"""Region of observations: their partition follows from the entity."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where normalize last sent a source record (`state.locations`).

    Attributes:
        region: Partition of `normalized.assets`; -1 for observations and before the first accepted
            record.
        listed: False when the newest raw record withdrew it or was rejected.
        order, lineage: Newest raw record seen, whatever became of it.
    """

    region: int
    kind: str
    entity_id: str
    move_count: int
    listed: bool
    order: OrderKey
    lineage: RawCoordinates

    def to_avro(self) -> avro.Location:
        """Avro form."""
        return {
            "region": self.region,
            "kind": self.kind,
            "entity_id": self.entity_id,
            "move_count": self.move_count,
            "listed": self.listed,
            "order": self.order.to_avro(),
            "lineage": self.lineage.to_avro(),
        }

    @classmethod
    def from_avro(cls, record: avro.Location) -> Self:
        """Inverse of `to_avro`."""
        return cls(
            record["region"],
            record["kind"],
            record["entity_id"],
            record["move_count"],
            record["listed"],
            OrderKey.from_avro(record["order"]),
            RawCoordinates.from_avro(record["lineage"]),
        )


@dataclass(frozen=True, slots=True)
class NormalizeOutcome:
    """What follows from one raw record.

    Attributes:
        location: New state of the source record; None leaves it as it is.
        normalized: Records for `normalized.assets` or `normalized.observations`, in order.
        outcome: Decided here; None when the next stage decides.
        kind: Output kind of the outcome.
        rejected: Why it is a dead letter, when it is one.
    """

    location: Location | None
    normalized: tuple[Normalized, ...]
    outcome: Outcome | None
    kind: str
    rejected: Rejected | None = None


def normalize(
    raw: RawRecord,
    mapped: Mapped | Rejected | None,
    kind: str,
    order: OrderKey,
    coordinates: RawCoordinates,
    stored: Location | None,
) -> NormalizeOutcome:
    """Decide on one readable raw record.

    Args:
        raw: The record.
        order: Its order key.
        coordinates: Its own.
        mapped: Validated content or why it was rejected; None for `no_longer_listed`.
        kind: Canonical kind of the record's stream.
        stored: State of the source record, None when it is new.
    """
    if stored is not None and newness(order, coordinates) < newness(stored.order, stored.lineage):
        return NormalizeOutcome(None, (), "superseded", kind)
    if mapped is None:
        return _delist(raw, kind, order, coordinates, stored)
    if isinstance(mapped, Rejected):
        return _reject(raw, mapped, kind, order, coordinates, stored)
    return _accept(raw, mapped, order, coordinates, stored)


def _accept(
    raw: RawRecord,
    mapped: Mapped,
    order: OrderKey,
    coordinates: RawCoordinates,
    stored: Location | None,
) -> NormalizeOutcome:
    region = _region(mapped)
    moved = stored is not None and stored.region not in (region, NO_REGION)
    move_count = (stored.move_count if stored else 0) + moved
    location = Location(region, mapped.kind, mapped.entity_id, move_count, True, order, coordinates)
    upsert = _normalized(raw, location, "upsert", None)
    set_payload(upsert, mapped.kind, mapped.payload.to_avro())
    upsert["flags"] = list(mapped.flags)
    if mapped.corrections:
        assert "region" in upsert  # only positions of assets are corrected
        upsert["corrections"] = [correction.to_avro() for correction in mapped.corrections]
    if not moved:
        return NormalizeOutcome(location, (upsert,), None, mapped.kind)
    assert stored is not None
    leave = _normalized(raw, _withdraw(stored, order, coordinates), "withdrawal", "moved")
    assert "region" in leave  # an observation has one region
    if (stored.kind, stored.entity_id) == (location.kind, location.entity_id):
        leave["moved_to"] = region
    return NormalizeOutcome(location, (leave, upsert), None, mapped.kind)


def _reject(
    raw: RawRecord,
    rejected: Rejected,
    kind: str,
    order: OrderKey,
    coordinates: RawCoordinates,
    stored: Location | None,
) -> NormalizeOutcome:
    if stored is None:
        location = _unlisted(raw, kind, order, coordinates)
        return NormalizeOutcome(location, (), "rejected", kind, rejected)
    location = _withdraw(stored, order, coordinates)
    leave = (_normalized(raw, location, "withdrawal", "rejected"),) if stored.listed else ()
    return NormalizeOutcome(location, leave, "rejected", stored.kind, rejected)


def _delist(
    raw: RawRecord,
    kind: str,
    order: OrderKey,
    coordinates: RawCoordinates,
    stored: Location | None,
) -> NormalizeOutcome:
    if stored is None:
        return NormalizeOutcome(_unlisted(raw, kind, order, coordinates), (), "unchanged", kind)
    location = _withdraw(stored, order, coordinates)
    if not stored.listed:
        return NormalizeOutcome(location, (), "unchanged", stored.kind)
    leave = _normalized(raw, location, "withdrawal", "no_longer_listed")
    return NormalizeOutcome(location, (leave,), None, stored.kind)


def _withdraw(stored: Location, order: OrderKey, coordinates: RawCoordinates) -> Location:
    return replace(stored, listed=False, order=order, lineage=coordinates)


def _unlisted(raw: RawRecord, kind: str, order: OrderKey, coordinates: RawCoordinates) -> Location:
    return Location(NO_REGION, kind, raw.record_id, 0, False, order, coordinates)


def _region(mapped: Mapped) -> int:
    if isinstance(mapped.payload, LngInventory):
        return NO_REGION
    return region_of(*mapped.payload.position)


def _normalized(
    raw: RawRecord, location: Location, event: Event, cause: Cause | None
) -> Normalized:
    record: avro.NormalizedObservation = {
        "source_id": raw.source_id,
        "record_id": raw.record_id,
        "entity_id": location.entity_id,
        "kind": location.kind,
        "event": event,
        "cause": cause,
        "move_count": location.move_count,
        "order": location.order.to_avro(),
        "lineage": location.lineage.to_avro(),
        "licence": raw.licence,
        "attribution": raw.attribution,
        "flags": [],
    }
    if location.kind not in ASSET_KINDS:
        return record
    asset = cast(avro.NormalizedAsset, record)  # has the same fields, and its region
    asset["region"] = location.region
    return asset
