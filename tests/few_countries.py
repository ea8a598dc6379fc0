"""The real files cut down to a few countries, so that a run over them takes seconds."""

import csv
import gzip
import io
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

COUNTRIES = frozenset(
    {
        "Algeria",
        "Belgium",
        "Egypt",
        "Greece",
        "Iran",
        "Italy",
        "Netherlands",
        "Poland",
        "Saudi Arabia",
        "Thailand",
        "Venezuela",
    }
)
"""Spelt alike by all sources; together they have pairs of every kind and plants in every region."""

PAIRS = "truth_pairs_dev.csv"
_WHOLE = ("gem_lng_europe_units.csv", "truth_lng_dev.csv")
_SOURCES = {
    "GPPD": ("gppd_plants.csv.gz", "gppd_idnr", "country_long"),
    "GEM": ("gem_units.csv.gz", "gem_location_id", "country"),
    "JRC": ("jrc_ppdb_units.csv.gz", "eic_p", "country"),
}
"""File of each source, with its columns of the published id and of the country."""

_GRID_COUNTRY = re.compile(r'"country"=>"(BE|DZ|EG|GR|IT|NL|PL|SA)"')
_GRID_QUOTE = "'"

Row = dict[str, str]


def cut_down_pairs(folder: Path, target: Path) -> Path:
    """Write the development files under their names to a new folder, with the pairs that are
    published of these countries; all terminals stay. Returns the folder.
    """
    target.mkdir()
    for name in _WHOLE:
        shutil.copy(folder / name, target / name)
    kept: set[tuple[str, str]] = set()
    for source, (name, id_column, country_column) in _SOURCES.items():
        rows = _copy(folder / name, target / name, partial(_is_of_these, country_column))
        kept |= {(source, row[id_column]) for row in rows}
    _copy(folder / PAIRS, target / PAIRS, lambda row: _sides(row) <= kept)
    return target


def cut_down_sources(folder: Path, target: Path) -> Path:
    """Write the files that the sandbox serves under their names to a new folder.

    All of ALSI, all terminals and all projects stay. Returns the folder.
    """
    for name in ("alsi", "wri", "gem", "transmission/entsoegridkit"):
        (target / name).mkdir(parents=True)
    for path in (folder / "alsi").iterdir():
        shutil.copy(path, target / "alsi")
    shutil.copytree(folder / "transmission/projects", target / "transmission/projects")
    lng = "gem/gem_lng_units_complete.csv.gz"
    shutil.copy(folder / lng, target / lng)
    for name, country_column in (
        ("wri/global_power_plant_database.csv", "country_long"),
        ("gem/gem_units_complete.csv.gz", "country"),
    ):
        _copy(folder / name, target / name, partial(_is_of_these, country_column))
    grid, few = folder / "transmission/entsoegridkit", target / "transmission/entsoegridkit"
    buses = _copy(
        grid / "buses.csv",
        few / "buses.csv",
        lambda row: _GRID_COUNTRY.search(row["tags"]) is not None,
        _GRID_QUOTE,
    )
    kept = {row["bus_id"] for row in buses}
    for name in ("lines.csv", "links.csv"):
        _copy(grid / name, few / name, lambda row: {row["bus0"], row["bus1"]} <= kept, _GRID_QUOTE)
    return target


def _is_of_these(column: str, row: Row) -> bool:
    return row[column] in COUNTRIES


def _sides(pair: Row) -> set[tuple[str, str]]:
    return {(pair[f"{side}_source"], pair[f"{side}_id"]) for side in ("left", "right")}


def _copy(path: Path, target: Path, is_kept: Callable[[Row], bool], quote: str = '"') -> list[Row]:
    packed = path.suffix == ".gz"
    content = path.read_bytes()
    text = (gzip.decompress(content) if packed else content).decode()
    reader = csv.DictReader(io.StringIO(text, newline=""), quotechar=quote)
    assert reader.fieldnames is not None
    rows = [row for row in reader if is_kept(row)]
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, reader.fieldnames, quotechar=quote)
    writer.writeheader()
    writer.writerows(rows)
    encoded = written.getvalue().encode()
    target.write_bytes(gzip.compress(encoded) if packed else encoded)
    return rows
