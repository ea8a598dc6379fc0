"""Made-up trackers, grid and projects in the shape of the real lists, for the sandbox."""

import csv
import io
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

ID_COLUMNS = ("gem_unit_id", "combo_id", "bus_id", "line_id", "link_id")

UNITS = 3_000
LNG_UNITS = 200
_NODES = 600
_SEED = 20250101

UNIT_COLUMNS = (
    "tracker",
    "gem_location_id",
    "gem_unit_id",
    "country",
    "plant_name",
    "plant_name_local",
    "plant_name_other",
    "unit_name",
    "fuel",
    "technology",
    "capacity_mw",
    "capacity_rating",
    "status",
    "start_year",
    "retired_year",
    "owner",
    "latitude",
    "longitude",
    "location_accuracy",
    "state_province",
    "city",
)
"""Columns of a power tracker."""

_LNG_COLUMNS = (
    "terminal_id",
    "combo_id",
    "name",
    "unit_name",
    "status",
    "country",
    "owner",
    "capacity",
    "capacity_text",
    "start_year",
    "latitude",
    "longitude",
    "facility_type",
    "url",
)

# Countries with a point well inside.
_PLACES = (
    ("Argentina", -34.0, -64.0),
    ("Brazil", -10.0, -52.0),
    ("China", 34.0, 104.0),
    ("France", 46.6, 2.5),
    ("Germany", 51.0, 10.0),
    ("India", 22.0, 79.0),
    ("Kenya", 0.5, 37.8),
    ("Kosovo", 42.6, 20.9),
    ("South Korea", 36.5, 127.8),
    ("United States", 39.8, -98.6),
)
_FUELS = (
    ("GCPT", "coal", "subcritical"),
    ("GOGPT", "fossil gas: natural gas, fossil liquids: diesel", "combined cycle"),
    ("GBPT", "bioenergy: refuse (municipal and industrial wastes)", "not found"),
    ("GHPT", "hydro", "pumped storage"),
    ("GNPT", "nuclear", "pressurized water reactor"),
    ("GGTPT", "geothermal", "unknown"),
    ("GSPT-Africa", "solar", "PV"),
    ("GWPT-Africa", "wind", "Onshore"),
)
_RATINGS = ("MWac", "MWp/dc", "unknown")
_STATUSES = (
    "operating",
    "operating",
    "operating",
    "construction",
    "announced",
    "pre-construction",
    "shelved - inferred 2 y",
    "cancelled",
    "mothballed",
    "retired",
)


def csv_text(rows: Iterable[Sequence[str]], quote: str = '"') -> str:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text, quotechar=quote, lineterminator="\n").writerows(rows)
    return text.getvalue()


def units() -> bytes:
    """Power units: two to a site, one id on two rows as in the real hydro tracker."""
    rng = _random("units")
    rows: list[Sequence[str]] = [UNIT_COLUMNS]
    for index in range(UNITS):
        site = index // 2
        tracker, fuel, technology = _FUELS[site % len(_FUELS)]
        country, latitude, longitude = _PLACES[site % len(_PLACES)]
        status = _STATUSES[index % len(_STATUSES)]
        shift = (site % 97) / 100
        cells = {
            "tracker": tracker,
            "gem_location_id": f"L9{site:011d}",
            "gem_unit_id": f"G9{index - (index == 7):011d}",
            "country": country,
            "plant_name": f"{country} {fuel.split(':')[0]} plant {site:04d}",
            "plant_name_local": f"Ζεύγος {site:04d}" if site % 5 == 0 else "",
            "unit_name": str(index % 2 + 1),
            "fuel": fuel,
            "technology": technology,
            "capacity_mw": str(rng.randint(1, 900)),
            "capacity_rating": _RATINGS[site % 3] if fuel == "solar" else "",
            "status": status,
            "start_year": str(rng.randint(1970, 2030)) if index % 4 else "not found",
            "retired_year": "2020" if status == "retired" else "",
            "owner": f"Owner {site % 50} [100%]",
            "latitude": f"{latitude + shift - 0.5:.4f}",
            "longitude": f"{longitude + shift - 0.5:.4f}",
            "location_accuracy": "exact" if site % 3 else "approximate",
        }
        rows.append([cells.get(column, "") for column in UNIT_COLUMNS])
    return csv_text(rows).encode()


def lng_units() -> bytes:
    """Units of LNG terminals, two to a terminal."""
    rng = _random("lng")
    rows: list[Sequence[str]] = [_LNG_COLUMNS]
    for index in range(LNG_UNITS):
        terminal = index // 2
        country, latitude, longitude = _PLACES[terminal % len(_PLACES)]
        capacity = rng.randint(1, 12)
        cells = {
            "terminal_id": f"T9{terminal:03d}",
            "combo_id": f"T9{terminal:03d}{index % 2 + 1:02d}",
            "name": f"{country} {'FSRU' if terminal % 4 == 0 else 'LNG Terminal'} {terminal:03d}",
            "unit_name": f"T{index % 2 + 1}",
            "status": ("operating", "proposed", "idle", "cancelled")[index % 4],
            "country": country,
            "owner": "unknown [unknown %]" if index % 7 == 0 else "Toy LNG [100.00%]",
            "capacity": str(capacity),
            "capacity_text": f"{capacity}.0 MTPA of natural gas",
            "start_year": "--" if index % 3 == 0 else "2027",
            "latitude": f"{latitude + 0.1:.4f}",
            "longitude": f"{longitude + 0.1:.4f}",
            "facility_type": f"LNG {'import' if terminal % 2 else 'export'} terminal",
            "url": f"https://example.org/T9{terminal:03d}",
        }
        rows.append([cells[column] for column in _LNG_COLUMNS])
    return csv_text(rows).encode()


def _buses() -> bytes:
    header = "bus_id,station_id,voltage,dc,symbol,under_construction,tags,x,y"
    rows: list[Sequence[str]] = [_cells(header)]
    for index in range(_NODES):
        x, y = _node(index)
        joint = index % 5 == 0
        tags = "" if joint else '"TSO"=>"", "oid"=>"1", "country"=>"FR", "capacity"=>"-1"'
        state = "" if joint else "f"
        symbol = "joint" if joint else "Substation"
        voltage = "" if index % 50 == 0 else ("220", "380")[index % 2]
        rows.append([str(index), str(index), voltage, "f", symbol, state, tags, x, y])
    return csv_text(rows, "'").encode()


def _lines() -> bytes:
    header = (
        "line_id,bus0,bus1,voltage,circuits,length,underground,under_construction,tags,geometry"
    )
    rows: list[Sequence[str]] = [_cells(header)]
    rows.extend(_line(index) for index in range(_NODES - 1))
    return csv_text(rows, "'").encode()


def _line(index: int) -> Sequence[str]:
    return [
        str(10_000 + index),
        str(index),
        str(index + 1),
        ("220", "380")[index % 2],
        str(index % 3 + 1),
        f"{20_000 + index * 1.5}",
        "False",
        "True" if index % 10 == 0 else "False",
        '"TSO"=>"None", "country"=>"FR"' if index % 2 else "",
        f"LINESTRING({' '.join(_node(index))},{' '.join(_node(index + 1))})",
    ]


def _links() -> bytes:
    header = "link_id,bus0,bus1,length,underground,under_construction,tags,geometry"
    rows: list[Sequence[str]] = [_cells(header)]
    for index in range(8):
        ends = f"LINESTRING({' '.join(_node(index))},{' '.join(_node(index + 100))})"
        rows.append(
            [f"{20_000 + index}", str(index), str(index + 100), "90000.5", "t", "f", "", ends]
        )
    return csv_text(rows, "'").encode()


GRID: Mapping[str, Callable[[], bytes]] = {"buses": _buses, "lines": _lines, "links": _links}


def projects_of(dataset: str) -> Callable[[], bytes]:
    """The maker of one project list."""
    return lambda: _projects(dataset)


def _projects(dataset: str) -> bytes:
    header = ",project_status,length,build_year,underground,v_nom,p_nom,tags,x0,y0,x1,y1"
    rows: list[Sequence[str]] = [_cells(header)]
    for index in range(5):
        name = str(10_000 + index) if "upgraded" in dataset else f"{dataset.upper()}_{index}"
        tags = {
            "manual": f"{{name:Toy {index}, url:https://example.org]",
            "nep": '{"url":"https://example.org", "status":"confirmed", "version":2024',
        }.get(dataset.split("_")[0], '"url"=>"https://example.org", "tyndp_status"=>"confirmed"')
        x0, y0 = _node(index)
        x1, y1 = _node(index + 40)
        link = dataset.endswith("links")
        rated = ["", "1000.0"] if link else ["380", ""]
        rows.append([name, "confirmed", "50.5", "2031", "True", *rated, tags, x0, y0, x1, y1])
    return csv_text(rows).encode()


def _cells(header: str) -> Sequence[str]:
    return header.split(",")


def _node(index: int) -> tuple[str, str]:
    return f"{1.0 + index % 30 * 0.1:.4f}", f"{45.0 + index // 30 * 0.1:.4f}"


def _random(name: str) -> random.Random:
    return random.Random(f"{_SEED}{name}")  # noqa: S311  reproducible, not secret
