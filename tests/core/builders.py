"""Small builders of the records that core tests decide on."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.payloads import GenerationYear, PowerPlant
from streams.core.records import Mapped, OrderKey, RawCoordinates, RawRecord
from streams.core.succession import Normalized

START = datetime(2026, 1, 1, tzinfo=UTC)


def raw(
    record_id: str = "P1", *, fetched: int = 0, updated: int | None = None, listed: bool = True
) -> RawRecord:
    """A raw record fetched and updated so many minutes after the start."""
    return RawRecord(
        source_id="wri_powerplants",
        stream="plants",
        record_id=record_id,
        event="observed" if listed else "no_longer_listed",
        fetched_at=START + timedelta(minutes=fetched),
        source_updated_at=None if updated is None else START + timedelta(minutes=updated),
        release="r1",
        run_id="run",
        origin="test",
        licence="CC-BY-4.0",
        attribution="WRI",
        item={"name": "x"} if listed else None,
    )


def order_of(record: RawRecord, tag: str = "") -> OrderKey:
    """Order key of a raw record; the tag stands for its bytes."""
    return OrderKey(record.source_updated_at, record.fetched_at, sha256(tag.encode()).hexdigest())


def at(offset: int) -> RawCoordinates:
    """Raw coordinates."""
    return RawCoordinates("raw.wri_powerplants", 0, offset)


def plant(
    capacity_mw: float = 100.0, *, latitude: float = 50.0, longitude: float = 8.0
) -> PowerPlant:
    """A plant; near Frankfurt unless said otherwise."""
    return PowerPlant(
        name="Plant",
        country_code="DE",
        latitude=latitude,
        longitude=longitude,
        capacity_mw=capacity_mw,
        primary_fuel="gas",
        other_fuels=(),
        commissioning_year=2001.5,
        status="operating",
        owner=None,
        capacity_year=None,
        reported_by=None,
        report_url=None,
        position_source=None,
        plant_ids_wepp=(),
        generation_reported_by=None,
        generation=(GenerationYear(2013, 1.0, None, None),),
    )


def mapped(payload: PowerPlant | None = None, record_id: str = "P1") -> Mapped:
    """A mapped plant."""
    return Mapped(record_id, payload or plant())


def asset(record: Normalized) -> avro.NormalizedAsset:
    """A normalized record that is one of an asset."""
    assert "region" in record
    return record


REJECTED = Rejected(
    "capacity_not_positive", "Capacity must be above zero.", "capacity_mw", "-1", ">0"
)
