"""What a map shows of every asset, with what people filter by: one query over all kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.place import name_of, place_of
from streams.clickhouse.tables import SERIES_KINDS, KindTables, kinds


@dataclass(frozen=True, slots=True)
class MapAsset:
    """One listed asset.

    Attributes:
        name: Of a line without one its ends; empty: none.
        country_code, status: Empty: not known.
        fuel: Fuel of a plant, technology of a project; None: the kind has none.
        voltage_kv: Of a substation the highest; None: not reported, or the kind has none.
        capacity_rating: ac or dc; None: not reported, or the kind has none.
        latitude, longitude: WGS84 degrees, of a line its first end; None: not known.
        to_latitude, to_longitude: Of the other end of a line.
    """

    record_id: str
    kind: str
    name: str
    country_code: str
    status: str
    fuel: str | None
    voltage_kv: float | None
    capacity_mw: float | None
    capacity_rating: str | None
    latitude: float | None
    longitude: float | None
    to_latitude: float | None
    to_longitude: float | None
    source_ids: Sequence[str]


def map_assets() -> BoundQuery[MapAsset]:
    """Every listed asset, by kind and id."""
    parts = [
        _of_kind(tables) for kind, tables in sorted(kinds().items()) if kind not in SERIES_KINDS
    ]
    names = tuple(MapAsset.__dataclass_fields__)
    return BoundQuery(
        f"SELECT {', '.join(names)} FROM ({' UNION ALL '.join(parts)}) ORDER BY kind, record_id",  # noqa: S608
        {},
        MapAsset,
        names,
    )


def _of_kind(tables: KindTables) -> str:
    columns = frozenset(column.name for column in tables.latest.columns)
    place = place_of(columns)
    selected = {
        "record_id": "record_id",
        "kind": f"'{tables.kind}'",
        "name": name_of(columns),
        "country_code": "ifNull(country_code, '')",
        "status": "toString(status)" if "status" in columns else "''",
        "fuel": _fuel(columns),
        "voltage_kv": _voltage(columns),
        "capacity_mw": "capacity_mw" if "capacity_mw" in columns else _NONE,
        "capacity_rating": "capacity_rating"
        if "capacity_rating" in columns
        else "CAST(NULL, 'Nullable(String)')",
        "latitude": place.latitude,
        "longitude": place.longitude,
        "to_latitude": place.to_latitude or _NONE,
        "to_longitude": place.to_longitude or _NONE,
        "source_ids": "CAST(source_ids, 'Array(String)')",
    }
    # Names of aliases that are columns, too, would be looked up in place of the columns.
    shown = ", ".join(f"{sql} AS shown_{name}" for name, sql in selected.items())
    renamed = ", ".join(f"shown_{name} AS {name}" for name in selected)
    return f"""
SELECT {renamed} FROM
(SELECT {shown} FROM {tables.latest.name} FINAL WHERE record_status = 'current')"""  # noqa: S608


_NONE = "CAST(NULL, 'Nullable(Float64)')"


def _fuel(columns: frozenset[str]) -> str:
    if "primary_fuel" in columns:
        return "toNullable(toString(primary_fuel))"
    if "technology_detail" in columns:
        return "toNullable(technology)"
    return "CAST(NULL, 'Nullable(String)')"


def _voltage(columns: frozenset[str]) -> str:
    if "voltage_kv" in columns:
        return "voltage_kv"
    if "voltages_kv" in columns:
        return "if(empty(voltages_kv), NULL, arrayMax(voltages_kv))"
    return _NONE
