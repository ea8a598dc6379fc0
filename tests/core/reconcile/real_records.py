"""The development data of reconciliation as normalized records, as connectors would send them."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pycountry

from streams.core import contract_types as avro
from streams.core.payloads import (
    PAYLOAD_KINDS,
    AssetPayload,
    IssuedId,
    LngTerminal,
    PlantUnit,
    PowerPlant,
    TerminalUnit,
)
from streams.core.regions import region_of
from tests.integration.reconcile.jrc_source.jrc_ppdb import FUELS as JRC_FUELS

GPPD, GEM, JRC, JRC_HYDRO, ALSI = (
    "wri_powerplants",
    "gem_transmission",
    "jrc_ppdb",
    "jrc_hydro",
    "alsi_lng_inventory",
)

_FETCHED_AT = datetime(2026, 11, 1, tzinfo=UTC)

_COUNTRIES = {"Kosovo": "XK", "Türkiye": "TR", "Turkey": "TR", "DR Congo": "CD", "Czechia": "CZ"}
_GEM_FUELS = (
    ("bioenergy: refuse", "waste"),
    ("bioenergy", "biomass"),
    ("coal", "coal"),
    ("fossil gas", "gas"),
    ("fossil liquids", "oil"),
    ("industrial by-product", "gas"),
    ("hydro", "hydro"),
    ("nuclear", "nuclear"),
    ("geothermal", "geothermal"),
    ("wind", "wind"),
    ("solar", "solar"),
)
_STATUSES = {
    "permitted": "pre-construction",
    "pre-permit": "pre-construction",
    "proposed": "announced",
    "": "operating",
    "COMMISSIONED": "operating",
    "RESERVE": "operating",
    "DECOMMISSIONED": "retired",
    "decommissioned": "retired",
    "MOTHBALLED": "mothballed",
    "CONSTRUCTION": "construction",
}


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, packed or not."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def real_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    """Every record of every source of the folder."""
    yield from gppd_records(folder)
    yield from gem_records(folder)
    yield from jrc_records(folder)
    yield from jrc_hydro_records(folder)
    yield from gem_lng_records(folder)
    yield from alsi_records(folder)


def gppd_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    for row in read(folder / "gppd_plants.csv.gz"):
        alpha_2 = pycountry.countries.get(alpha_3=row["country"])
        plant = _plant(
            row["name"],
            alpha_2.alpha_2 if alpha_2 else "XK",
            row,
            capacity_mw=_number(row["capacity_mw"]),
            primary_fuel=_snake(row["primary_fuel"]),
            other_fuels=tuple(
                sorted(_snake(row[f"other_fuel{n}"]) for n in (1, 2, 3) if row[f"other_fuel{n}"])
            ),
            commissioning_year=_number(row["commissioning_year"]),
            owner=row["owner"] or None,
            reported_by=row["source"] or None,
            position_source=row["geolocation_source"] or None,
        )
        yield normalized(GPPD, row["gppd_idnr"], row["gppd_idnr"], plant)


def gem_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    for row in read(folder / "gem_units.csv.gz"):
        fuels = _gem_fuels(row["fuel"])
        status = _status(row["status"])
        unit = PlantUnit(
            row["gem_unit_id"],
            row["unit_name"] or None,
            _number(row["capacity_mw"]),
            row["fuel"] or None,
            row["technology"] or None,
            status,
            _year(row["start_year"]),
            _year(row["retired_year"]),
        )
        plant = _plant(
            row["plant_name"],
            _country(row["country"]),
            row,
            capacity_mw=unit.capacity_mw,
            primary_fuel=fuels[0],
            other_fuels=tuple(sorted(set(fuels[1:]))),
            commissioning_year=unit.start_year,
            status=status,
            owner=row["owner"] or None,
            technology=row["technology"] or None,
            position_accuracy=row["location_accuracy"] or None,
            retired_year=unit.retired_year,
            aliases=tuple(
                sorted({*_split(row["plant_name_local"]), *_split(row["plant_name_other"])})
            ),
            other_ids=(IssuedId("gem", row["gem_location_id"]),),
            units=(unit,),
        )
        entity = f"{row['gem_location_id']}/{row['tracker']}"
        yield normalized(GEM, row["gem_unit_id"], entity, plant)


def jrc_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    for row in read(folder / "jrc_ppdb_units.csv.gz"):
        fuel = next((fuel for text, fuel in JRC_FUELS if row["type_g"].startswith(text)), "other")
        status = _status(row["status_g"])
        unit = PlantUnit(
            row["eic_g"],
            row["name_g"] or None,
            _number(row["capacity_g"]),
            row["type_g"],
            None,
            status,
            _year(row["year_commissioned"]),
            _year(row["year_decommissioned"]),
        )
        plant = _plant(
            row["name_p"] or row["name_g"] or row["eic_p"],
            _country(row["country"]),
            {"latitude": row["lat"], "longitude": row["lon"]},
            capacity_mw=_number(row["capacity_g"]),
            primary_fuel=fuel,
            other_fuels=(),
            commissioning_year=unit.start_year,
            status=status,
            units=(unit,),
        )
        yield normalized(JRC, row["eic_g"] or row["eic_p"], row["eic_p"], plant)


def jrc_hydro_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    for row in read(folder / "jrc_hydro_plants.csv.gz"):
        plant = _plant(
            row["name"],
            {"UK": "GB", "EL": "GR"}.get(row["country_code"], row["country_code"]),
            {"latitude": row["lat"], "longitude": row["lon"]},
            capacity_mw=_number(row["installed_capacity_MW"]),
            primary_fuel="hydro",
            other_fuels=(),
            commissioning_year=None,
        )
        yield normalized(JRC_HYDRO, row["id"], row["id"], plant)


def gem_lng_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    for row in read(folder / "gem_lng_europe_units.csv"):
        status = _status(row["status"])
        unit = TerminalUnit(
            row["combo_id"],
            row["unit_name"] or None,
            _number(row["capacity"]),
            status,
            _year(row["start_year"]),
            None,
        )
        kind = "export" if "export" in row["facility_type"] else "import"
        terminal = _terminal(
            row["name"],
            _country(row["country"]),
            row,
            status=status,
            terminal_type=kind,
            floating="FSRU" in row["name"],
            capacity_mtpa=unit.capacity_mtpa,
            start_year=unit.start_year,
            owner=row["owner"] or None,
            report_url=row["url"] or None,
            units=(unit,),
        )
        yield normalized(GEM, row["combo_id"], row["terminal_id"], terminal)


def alsi_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    for row in read(folder / "alsi_terminals.csv"):
        terminal = _terminal(
            row["short_name"],
            row["country"],
            {"latitude": "", "longitude": ""},
            status="unknown",
            terminal_type="unknown",
            facility_eic=row["facility_eic"],
            company_eic=row["company_eic"],
        )
        record_id = f"{row['facility_eic']}/{row['company_eic']}"
        yield normalized(ALSI, record_id, row["facility_eic"], terminal)


def _offset(fetched_at: datetime, content: str) -> int:
    """A place in a raw log that nothing else has, later for what is fetched later."""
    return (int(fetched_at.timestamp()) << 24) + int(content[:6], 16)


def normalized(
    source_id: str,
    record_id: str,
    entity_id: str,
    payload: AssetPayload,
    *,
    fetched_at: datetime = _FETCHED_AT,
    **changes: Any,
) -> avro.NormalizedAsset:
    """A normalized upsert."""
    kind = PAYLOAD_KINDS[type(payload)]
    content = sha256(repr((record_id, payload, fetched_at)).encode()).hexdigest()
    record = {
        "source_id": source_id,
        "record_id": record_id,
        "entity_id": entity_id,
        "kind": kind,
        "event": "upsert",
        "cause": None,
        "region": region_of(*payload.position),
        "move_count": 0,
        "order": {
            "source_updated_at": None,
            "fetched_at": fetched_at,
            "raw_hash": content,
        },
        "lineage": {
            "topic": f"raw.{source_id}",
            "partition": 0,
            "offset": _offset(fetched_at, content),
        },
        "licence": "CC-BY-4.0",
        "attribution": source_id,
        "flags": [],
        kind: payload.to_avro(),
        **changes,
    }
    return cast(avro.NormalizedAsset, record)


def _plant(name: str, country_code: str | None, row: dict[str, str], **values: Any) -> PowerPlant:
    return PowerPlant(
        **{
            "name": name,
            "country_code": country_code,
            "latitude": _number(row["latitude"]),
            "longitude": _number(row["longitude"]),
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


def _terminal(
    name: str, country_code: str | None, row: dict[str, str], **values: Any
) -> LngTerminal:
    return LngTerminal(
        **{
            "name": name,
            "aliases": (),
            "country_code": country_code,
            "latitude": _number(row["latitude"]),
            "longitude": _number(row["longitude"]),
            "position_accuracy": None,
            "floating": None,
            "capacity_mtpa": None,
            "dtmi_gwh": None,
            "dtmi_thousand_m3_lng": None,
            "dtrs_gwh_per_day": None,
            "start_year": None,
            "owner": None,
            "operator": None,
            "facility_eic": None,
            "company_eic": None,
            "report_url": None,
            "units": (),
            **values,
        }
    )


@cache
def _country(name: str) -> str | None:
    if name in _COUNTRIES:
        return _COUNTRIES[name]
    try:
        return str(pycountry.countries.lookup(name).alpha_2)
    except LookupError:
        try:
            return str(pycountry.countries.search_fuzzy(name)[0].alpha_2)
        except LookupError:
            return None


def _gem_fuels(text: str) -> list[str]:
    found = [
        next((fuel for start, fuel in _GEM_FUELS if part.strip().startswith(start)), "other")
        for part in re.split(r",(?![^(]*\))", text)
        if part.strip()
    ]
    unique = list(dict.fromkeys(found)) or ["other"]
    return [unique[0], *(fuel for fuel in unique[1:] if fuel != unique[0])]


def _status(text: str) -> str:
    text = text.split(" - ")[0]
    return _STATUSES.get(text, text)


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,;]", text) if part.strip()]


def _number(text: str) -> float | None:
    return float(text) if text else None


def _year(text: str) -> int | None:
    return int(float(text)) if re.fullmatch(r"\d{4}(\.0)?", text) else None


def _snake(text: str) -> str:
    return text.lower().replace(" ", "_")
