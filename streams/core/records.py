"""The values that flow between the pure functions, and their Avro shapes.

Times are aware and UTC; a gas day is a date. `None` means "not reported" everywhere, never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Literal, Self

AvroRecord = dict[str, Any]
"""A record as fastavro reads and writes it."""

Event = Literal["upsert", "withdrawal"]
Cause = Literal["no_longer_listed", "rejected", "moved"]
Outcome = Literal["changed", "unchanged", "superseded", "rejected", "withdrawn"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Payload:
    """A frozen dataclass whose fields are exactly those of an Avro record."""

    __slots__ = ()

    def to_avro(self) -> AvroRecord:
        """Shallow Avro form: nested payloads are converted by the subclass that has them."""
        return {name: getattr(self, name) for name in self.field_names()}

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Names of the fields, in Avro order."""
        return _field_names(cls)  # type: ignore[arg-type]


@cache
def _field_names(payload: type[_Payload]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(payload))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, order=True)
class RawCoordinates:
    """Where a raw record stands; the identity that conservation counts."""

    topic: str
    partition: int
    offset: int

    @property
    def key(self) -> str:
        """Message key of outcomes and dead letters."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    def to_avro(self) -> AvroRecord:
        """Avro form (`infrastructure.RawCoordinates`)."""
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}

    @classmethod
    def from_avro(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `to_avro`."""
        return cls(record["topic"], record["partition"], record["offset"])


@dataclass(frozen=True, slots=True)
class OrderKey:
    """Which of two raw records of one source record is newer.

    Order: the source's own update time (none sorts first), fetch time, hash of the raw bytes. The
    hash makes the order total, so the newest of a set does not depend on arrival.
    """

    source_updated_at: datetime | None
    fetched_at: datetime
    raw_hash: str

    def _rank(self) -> tuple[datetime, datetime, str]:
        return (self.source_updated_at or EPOCH, self.fetched_at, self.raw_hash)

    def __lt__(self, other: "OrderKey") -> bool:
        return self._rank() < other._rank()

    def to_avro(self) -> AvroRecord:
        """Avro form (`infrastructure.OrderKey`)."""
        return {
            "source_updated_at": self.source_updated_at,
            "fetched_at": self.fetched_at,
            "raw_hash": self.raw_hash,
        }

    @classmethod
    def from_avro(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `to_avro`."""
        return cls(record["source_updated_at"], record["fetched_at"], record["raw_hash"])


@dataclass(frozen=True, slots=True)
class GenerationYear(_Payload):
    """Generation of one calendar year, GWh; negative where a plant consumes more than it makes."""

    year: int
    generation_gwh: float | None
    estimated_generation_gwh: float | None
    estimation_method: str | None


@dataclass(frozen=True, slots=True)
class PowerPlant(_Payload):
    """A power plant: one technology at one site. Units stand in the names; see the contract."""

    name: str
    country_code: str | None
    latitude: float | None
    longitude: float | None
    capacity_mw: float | None
    primary_fuel: str
    other_fuels: tuple[str, ...]
    commissioning_year: float | None
    status: str
    owner: str | None
    capacity_year: int | None
    reported_by: str | None
    report_url: str | None
    position_source: str | None
    plant_ids_wepp: tuple[str, ...]
    generation_reported_by: str | None
    generation: tuple[GenerationYear, ...]

    def to_avro(self) -> AvroRecord:
        """Avro form (`infrastructure.PowerPlant`)."""
        record = _Payload.to_avro(self)
        record["other_fuels"] = list(self.other_fuels)
        record["plant_ids_wepp"] = list(self.plant_ids_wepp)
        record["generation"] = [year.to_avro() for year in self.generation]
        return record


@dataclass(frozen=True, slots=True)
class LngInventory(_Payload):
    """LNG in tanks and gas sent out of one entity on one gas day. Source: GIE ALSI definitions."""

    scope: Literal["eu", "country", "terminal"]
    entity_id: str
    entity_name: str
    country_code: str | None
    facility_eic: str | None
    company_eic: str | None
    gas_day: date
    gas_day_start: datetime
    gas_day_end: datetime
    status: Literal["confirmed", "estimated", "no_data"]
    inventory_gwh: float | None
    inventory_thousand_m3_lng: float | None
    send_out_gwh_per_day: float | None
    dtmi_gwh: float | None
    dtmi_thousand_m3_lng: float | None
    dtrs_gwh_per_day: float | None
    contracted_capacity_gwh_per_day: float | None
    available_capacity_gwh_per_day: float | None
    covered_capacity_pct: float | None
    fullness_pct: float | None


AssetPayload = PowerPlant
ObservationPayload = LngInventory
Payload = PowerPlant | LngInventory

PAYLOAD_KINDS: Mapping[type[Payload], str] = {
    PowerPlant: "power_plant",
    LngInventory: "lng_inventory",
}
ASSET_KINDS = frozenset({"power_plant"})


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a connector makes of one raw item, before validation.

    Attributes:
        entity_id: Source entity: the record itself for an asset, the series for an observation.
        payload: Typed content; its class says the canonical kind.
    """

    entity_id: str
    payload: Payload

    @property
    def kind(self) -> str:
        """Canonical kind, the name of the payload field."""
        return PAYLOAD_KINDS[type(self.payload)]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """The envelope of one raw record, decoded.

    Attributes:
        item: The upstream item as the raw contract of the source has it; None when the event is
            `no_longer_listed`.
    """

    source_id: str
    stream: str
    record_id: str
    event: Literal["observed", "no_longer_listed"]
    fetched_at: datetime
    source_updated_at: datetime | None
    release: str | None
    run_id: str
    origin: str
    licence: str
    attribution: str
    item: Mapping[str, Any] | None

    @classmethod
    def from_avro(cls, record: Mapping[str, Any]) -> Self:
        """From a record of any `raw.*` contract."""
        return cls(*(record[name] for name in _RAW_FIELDS))

    def to_avro(self) -> AvroRecord:
        """Avro form of the source's raw contract."""
        return {name: getattr(self, name) for name in _RAW_FIELDS}


_RAW_FIELDS = tuple(field.name for field in fields(RawRecord))


def source_key(source_id: str, record_id: str) -> str:
    """Key of a source record where records of several sources meet."""
    return f"{source_id}:{record_id}"
