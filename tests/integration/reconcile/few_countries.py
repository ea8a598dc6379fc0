"""The development files cut down to a few countries, with the pairs that are published of these."""

import csv
import gzip
import io
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

Row = dict[str, str]


def cut_down(folder: Path, target: Path) -> Path:
    """Write the files under their names to a new folder; all terminals stay. Returns the folder."""
    target.mkdir()
    for name in _WHOLE:
        shutil.copy(folder / name, target / name)
    kept: set[tuple[str, str]] = set()
    for source, (name, id_column, country_column) in _SOURCES.items():
        rows = _copy(folder / name, target / name, partial(_is_of_these, country_column))
        kept |= {(source, row[id_column]) for row in rows}
    _copy(folder / PAIRS, target / PAIRS, lambda row: _sides(row) <= kept)
    return target


def _is_of_these(column: str, row: Row) -> bool:
    return row[column] in COUNTRIES


def _sides(pair: Row) -> set[tuple[str, str]]:
    return {(pair[f"{side}_source"], pair[f"{side}_id"]) for side in ("left", "right")}


def _copy(path: Path, target: Path, is_kept: Callable[[Row], bool]) -> list[Row]:
    packed = path.suffix == ".gz"
    content = path.read_bytes()
    text = (gzip.decompress(content) if packed else content).decode()
    reader = csv.DictReader(io.StringIO(text, newline=""))
    assert reader.fieldnames is not None
    rows = [row for row in reader if is_kept(row)]
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, reader.fieldnames)
    writer.writeheader()
    writer.writerows(rows)
    encoded = written.getvalue().encode()
    target.write_bytes(gzip.compress(encoded) if packed else encoded)
    return rows
