"""Recipe of `streams/core/country_grid.bin`: outlines of countries, turned into runs of cells.

    python -m tests.core.country_grid world-50m-natural-earth.geojson

Natural Earth 4.1, 1:50m, public domain (naturalearthdata.com), taken from the npm package
`world-atlas` 2.0.2, simplified by 0.02 degrees and cut at the antimeridian. The features' ids are
ISO 3166-1 numeric codes.

Layout of the unpacked file: the length of a JSON header (4 bytes, big endian), the header, then for
each layer and each row of cells from the south: the number of runs, the first column of each run,
the set of countries of each run, as unsigned 16-bit little-endian numbers.
"""

import json
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pycountry
import shapely
from shapely.geometry import shape

from streams.core.geography import GRID_FILE

CELL_DEGREES = 0.05
TOLERANCE_DEGREES = 0.05

Codes: TypeAlias = tuple[str, ...]
Shape: TypeAlias = tuple[Codes, shapely.Polygon]
"""Countries and their outline, in cells from the south-west corner of the map."""

Span: TypeAlias = tuple[range, Codes]
"""Columns of one row, and the countries there."""

Runs: TypeAlias = list[tuple[int, int]]
"""First column of each run, and the number of its set of countries."""

_ROWS = round(180 / CELL_DEGREES)
_COLUMNS = round(360 / CELL_DEGREES)
_TOLERANCE = round(TOLERANCE_DEGREES / CELL_DEGREES)

# Features without an ISO number.
_UNNUMBERED = {
    "Kosovo": ("XK", "RS"),
    "Somaliland": ("SO",),
    "N. Cyprus": ("CY",),
    "Siachen Glacier": ("IN", "PK"),
    "Indian Ocean Ter.": ("CX", "CC", "AU"),
}

# Codes under which sources list assets of a feature besides its own.
_ALSO = {
    "HK": ("CN",),
    "MO": ("CN",),
    "TW": ("CN",),
    "EH": ("MA",),
    "PS": ("IL",),
    "PR": ("US",),
    "GU": ("US",),
    "VI": ("US",),
    "GL": ("DK",),
    "FO": ("DK",),
    "AX": ("FI",),
    "NC": ("FR",),
    "PF": ("FR",),
}

# Parts of a feature that have a code of their own (first) or a second claimant (last), by box:
# west, south, east, north.
_PARTS = (
    ("FR", (-56.0, 1.0, -50.0, 7.0), ("GF", "FR")),
    ("FR", (-62.0, 15.7, -60.9, 16.7), ("GP", "FR")),
    ("FR", (-61.4, 14.2, -60.7, 15.0), ("MQ", "FR")),
    ("FR", (55.0, -21.6, 56.1, -20.7), ("RE", "FR")),
    ("FR", (44.8, -13.2, 45.5, -12.4), ("YT", "FR")),
    ("MA", (-17.2, 20.7, -8.67, 27.67), ("EH", "MA")),
    ("NL", (-68.6, 12.0, -68.0, 12.5), ("BQ", "NL")),
    ("NO", (10.0, 74.0, 35.0, 81.5), ("SJ", "NO")),
    ("RU", (32.4, 44.3, 36.6, 46.3), ("UA", "RU")),
)


def build(source: Path, target: Path) -> None:
    """Write the grid of a GeoJSON file of countries."""
    shapes = list(_shapes(json.loads(source.read_text(encoding="utf-8"))))
    sets: dict[Codes, int] = {(): 0}
    touching = [_runs(spans, sets) for spans in _rows(shapes, _touched)]
    inside = [
        _runs([(columns, codes[:1]) for columns, codes in spans], sets)
        for spans in _rows(shapes, _covered_centres)
    ]
    header = {
        "cell_degrees": CELL_DEGREES,
        "tolerance_degrees": TOLERANCE_DEGREES,
        "sets": list(sets),
    }
    head = json.dumps(header, separators=(",", ":")).encode()
    body = b"".join(_packed(runs) for layer in (touching, inside) for runs in layer)
    target.write_bytes(zlib.compress(struct.pack(">I", len(head)) + head + body, 9))


def _shapes(document: dict[str, Any]) -> Iterator[Shape]:
    for feature in document["features"]:
        codes = _codes(feature.get("id"), feature["properties"]["name"])
        rest = shape(feature["geometry"])
        for code, box, part_codes in _PARTS:
            if code == codes[0]:
                part = shapely.box(*box)
                yield from _polygons(part_codes, rest & part)
                rest -= part
        yield from _polygons(codes, rest)


def _polygons(codes: Codes, area: shapely.Geometry) -> Iterator[Shape]:
    # Rounded: outlines have two decimals and often run exactly along the edge of a row.
    in_cells = shapely.transform(
        area,
        lambda x, y: (
            ((x + 180) / CELL_DEGREES).round(6),
            ((y + 90) / CELL_DEGREES).round(6),
        ),
        interleaved=False,
    )
    return ((codes, polygon) for polygon in shapely.get_parts(in_cells))


def _codes(number: str | None, name: str) -> Codes:
    if number is None:
        return _UNNUMBERED[name]
    country = pycountry.countries.get(numeric=number)
    if country is None:
        raise ValueError(f"{name} has the unknown number {number}")
    return (country.alpha_2, *_ALSO.get(country.alpha_2, ()))


def _rows(
    shapes: Iterable[Shape], covered: Callable[[shapely.Polygon], Iterator[tuple[int, range]]]
) -> list[list[Span]]:
    rows: list[list[Span]] = [[] for _ in range(_ROWS)]
    for codes, polygon in shapes:
        for row, columns in covered(polygon):
            rows[row].append((columns, codes))
    return rows


def _touched(polygon: shapely.Polygon) -> Iterator[tuple[int, range]]:
    """Rows and columns of the cells within the tolerance of a polygon.

    A connected part of a band of latitude has a point at every longitude between its ends.
    """
    rows = _rows_between(polygon, _TOLERANCE)
    bands = [shapely.box(0, row - _TOLERANCE, _COLUMNS, row + 1 + _TOLERANCE) for row in rows]
    for row, west, east in _parts(polygon, rows, bands):
        widen = _TOLERANCE / max(0.05, math.cos(math.radians((row + 0.5) * CELL_DEGREES - 90)))
        first, last = math.floor(west - widen), math.floor(east + widen)
        yield row, range(max(0, first), min(_COLUMNS, last + 1))


def _covered_centres(polygon: shapely.Polygon) -> Iterator[tuple[int, range]]:
    """Rows and columns of the cells whose centres are in a polygon."""
    rows = _rows_between(polygon, 0)
    lines = [shapely.LineString([(0, row + 0.5), (_COLUMNS, row + 0.5)]) for row in rows]
    for row, west, east in _parts(polygon, rows, lines):
        yield row, range(math.ceil(west - 0.5), math.ceil(east - 0.5))


def _parts(
    polygon: shapely.Polygon, rows: range, cuts: list[shapely.Geometry]
) -> Iterator[tuple[int, float, float]]:
    """Row, west and east end of each connected part of a polygon that a row's cut leaves."""
    parts, indexes = shapely.get_parts(shapely.intersection(polygon, cuts), return_index=True)
    for index, part in zip(indexes, parts, strict=True):
        if not part.is_empty:
            west, _, east, _ = part.bounds
            yield rows[index], west, east


def _rows_between(polygon: shapely.Polygon, margin: float) -> range:
    _, south, _, north = polygon.bounds
    return range(max(0, math.floor(south - margin)), min(_ROWS, math.floor(north + margin) + 1))


def _runs(spans: list[Span], sets: dict[Codes, int]) -> Runs:
    """A row as runs of cells with the same countries; a new set of countries gets a number."""
    runs: Runs = [(0, 0)]
    for column in sorted({edge for columns, _ in spans for edge in (columns.start, columns.stop)}):
        found = {code for columns, codes in spans if column in columns for code in codes}
        index = sets.setdefault(tuple(sorted(found)), len(sets))
        if runs[-1][1] != index:
            runs.append((column, index))
    return runs


def _packed(runs: Runs) -> bytes:
    numbers = array("H", [len(runs), *(start for start, _ in runs), *(index for _, index in runs)])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


if __name__ == "__main__":
    build(Path(sys.argv[1]), GRID_FILE)
