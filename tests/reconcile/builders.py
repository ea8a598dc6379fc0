"""Small normalized records for reconciliation tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from streams.core.payloads import PlantUnit, PowerPlant, Substation, TransmissionLine
from streams.core.records import AvroRecord
from tests.reconcile.real_records import GEM, GPPD, normalized

START = datetime(2026, 5, 1, tzinfo=UTC)


def plant(name: str, **values: Any) -> PowerPlant:
    """An operating coal plant near 50 N 10 E."""
    return PowerPlant(
        **{
            "name": name,
            "country_code": "DE",
            "latitude": 50.0,
            "longitude": 10.0,
            "capacity_mw": 450.0,
            "primary_fuel": "coal",
            "other_fuels": (),
            "commissioning_year": 1980.0,
            "status": "operating",
            "owner": None,
            "capacity_year": None,
            "reported_by": None,
            "report_url": None,
            "position_source": None,
            "plant_ids_wepp": (),
            "generation_reported_by": None,
            "generation": (),
            **values,
        }
    )


def gppd(record_id: str, name: str, minute: int = 0, **values: Any) -> AvroRecord:
    """A GPPD plant."""
    return normalized(GPPD, record_id, record_id, plant(name, **values), fetched_at=_at(minute))


def gem(
    unit_id: str, entity_id: str, name: str, capacity_mw: float, minute: int = 0, **values: Any
) -> AvroRecord:
    """A unit of a GEM plant."""
    status = values.get("status", "operating")
    unit = PlantUnit(unit_id, unit_id, capacity_mw, "coal", None, status, 1980, None)
    content = plant(name, capacity_mw=capacity_mw, units=(unit,), **values)
    return normalized(GEM, unit_id, entity_id, content, fetched_at=_at(minute))


def withdrawal(record: AvroRecord, minute: int, cause: str = "no_longer_listed") -> AvroRecord:
    """The record is gone."""
    gone = {name: value for name, value in record.items() if name != record["kind"]}
    order = {**record["order"], "fetched_at": _at(minute), "raw_hash": f"gone-{minute}"}
    lineage = {**record["lineage"], "offset": record["lineage"]["offset"] + 1}
    return {**gone, "event": "withdrawal", "cause": cause, "order": order, "lineage": lineage}


def substation(
    record_id: str, latitude: float, longitude: float, voltages_kv: tuple[float, ...] = (380.0,)
) -> AvroRecord:
    """A substation of the grid source."""
    content = Substation(
        record_id,
        "DE",
        latitude,
        longitude,
        "operating",
        "substation",
        voltages_kv,
        False,
        None,
        None,
    )
    return normalized(GEM, record_id, record_id, content)


def line(record_id: str, from_node: str | None, to: tuple[float, float] | None) -> AvroRecord:
    """A 380 kV line from a named node to a position."""
    names = TransmissionLine.field_names()
    content = {
        **dict.fromkeys(names),
        "name": record_id,
        "country_code": "DE",
        "country_codes": ("DE",),
        "from_node_id": from_node,
        "from_latitude": 50.0,
        "from_longitude": 10.0,
        "to_latitude": to[0] if to else None,
        "to_longitude": to[1] if to else None,
        "status": "operating",
        "direct_current": False,
        "voltage_kv": 380.0,
    }
    return normalized(GEM, record_id, record_id, TransmissionLine(**content))  # type: ignore[arg-type]


def _at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)
