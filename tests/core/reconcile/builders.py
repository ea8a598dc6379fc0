"""Small normalized records for reconciliation tests."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from streams.core import contract_types as avro
from streams.core.payloads import (
    LngTerminal,
    PlantUnit,
    PowerPlant,
    RenewableResource,
    Substation,
    TerminalUnit,
    TransmissionLine,
)
from tests.core.reconcile.real_records import ALSI, GEM, GPPD, normalized

NLR = "reexplorer"
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


def gppd(record_id: str, name: str, minute: int = 0, **values: Any) -> avro.NormalizedAsset:
    """A GPPD plant."""
    return normalized(GPPD, record_id, record_id, plant(name, **values), fetched_at=_at(minute))


def gem(
    unit_id: str, entity_id: str, name: str, capacity_mw: float, minute: int = 0, **values: Any
) -> avro.NormalizedAsset:
    """A unit of a GEM plant."""
    status = values.get("status", "operating")
    start_year = int(values.get("commissioning_year", 1980))
    unit = PlantUnit(unit_id, unit_id, capacity_mw, "coal", None, status, start_year, None)
    content = plant(name, capacity_mw=capacity_mw, units=(unit,), **values)
    return normalized(GEM, unit_id, entity_id, content, fetched_at=_at(minute))


def withdrawal(
    record: avro.NormalizedAsset, minute: int, cause: str = "no_longer_listed"
) -> avro.NormalizedAsset:
    """The record is gone."""
    order: avro.OrderKey = {
        **record["order"],
        "fetched_at": _at(minute),
        "raw_hash": f"gone-{minute}",
    }
    lineage: avro.RawCoordinates = {**record["lineage"], "offset": record["lineage"]["offset"] + 1}
    return {
        **without_payload(record),
        "event": "withdrawal",
        "cause": cause,
        "order": order,
        "lineage": lineage,
    }


def move(
    old: avro.NormalizedAsset, new: avro.NormalizedAsset, minute: int
) -> list[avro.NormalizedAsset]:
    """Both events of a record that another region has from now on."""
    left = withdrawal(old, minute, "moved")
    left["move_count"] = new["move_count"] = old["move_count"] + 1
    if old["entity_id"] == new["entity_id"]:
        left["moved_to"] = new["region"]
    return [left, new]


def without_payload(record: avro.NormalizedAsset) -> avro.NormalizedAsset:
    """The record without what it says of its asset."""
    rest = {name: value for name, value in record.items() if name != record["kind"]}
    return cast(avro.NormalizedAsset, rest)


def substation(
    record_id: str, latitude: float, longitude: float, voltages_kv: tuple[float, ...] = (380.0,)
) -> avro.NormalizedAsset:
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


def line(
    record_id: str, from_node: str | None, to: tuple[float, float] | None
) -> avro.NormalizedAsset:
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


def cell(
    record_id: str, latitude: float, resource_type: str = "solar", coverage: str = "covered"
) -> avro.NormalizedAsset:
    """A resource at a point on the meridian of the plants."""
    names = RenewableResource.field_names()
    several = ("monthly_", "ac_monthly", "site_counts", "available_years")
    content = {
        **{name: () if name.startswith(several) else None for name in names},
        "name": record_id,
        "latitude": latitude,
        "longitude": 10.0,
        "resource_type": resource_type,
        "coverage": coverage,
    }
    return normalized(NLR, record_id, record_id, RenewableResource(**content))  # type: ignore[arg-type]


def alsi_terminal(
    facility: str, company: str, status: str = "operating", **changes: Any
) -> avro.NormalizedAsset:
    """A terminal of the listing under one operator."""
    values = {
        "name": "Panigaglia",
        "status": status,
        "operator": company,
        "facility_eic": facility,
        "company_eic": company,
        "dtmi_gwh": 600.0,
    }
    terminal = _italian_terminal({**values, **changes})
    return normalized(ALSI, f"{facility}/{company}", facility, terminal)


def gem_terminal(record_id: str, name: str, **changes: Any) -> avro.NormalizedAsset:
    """A terminal of the tracker, with what the listing does not have."""
    values = {
        "name": name,
        "latitude": 44.08,
        "longitude": 9.83,
        "status": "operating",
        "capacity_mtpa": 2.5,
        "start_year": 1971,
        "units": (TerminalUnit(record_id, None, 2.5, "operating", 1971, None),),
    }
    terminal = _italian_terminal({**values, **changes})
    return normalized(GEM, record_id, record_id, terminal)


def _italian_terminal(values: dict[str, Any]) -> LngTerminal:
    unknown: dict[str, Any] = dict.fromkeys(LngTerminal.field_names())
    known = {"country_code": "IT", "terminal_type": "import", "virtual": False}
    several = {"aliases": (), "units": (), "unavailabilities": ()}
    return LngTerminal(**{**unknown, **known, **several, **values})


def _at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)
