"""Recipe of `grid.bin`: country polygons of Natural Earth, turned into runs of cells.

    python -m streams.core.country_grid.build world-50m-natural-earth.geojson

Natural Earth 4.1, 1:50m, public domain (naturalearthdata.com), taken from the npm package
`world-atlas` 2.0.2, simplified by 0.02 degrees and cut at the antimeridian. The features' ids are
ISO 3166-1 numeric codes. Plain scan lines suffice here, so no geometry library is needed.

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
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pycountry

from streams.core.geography import GRID_FILE, Box

CELL_DEGREES = 0.05
TOLERANCE_DEGREES = 0.05
_LINES_PER_CELL = 2

# Within a box, cells of the first country are listed by sources under the second one.
_LISTED_UNDER: tuple[tuple[str, Box, str], ...] = (("MA", (20.7, -17.2, 27.67, -8.67), "EH"),)

Ring = list[tuple[float, float]]
Intervals = list[tuple[float, float]]
Runs = list[tuple[int, int]]

_ROWS = round(180 / CELL_DEGREES)
_COLUMNS = round(360 / CELL_DEGREES)
_LINES = _ROWS * _LINES_PER_CELL
_STEP = CELL_DEGREES / _LINES_PER_CELL

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

# Parts of a feature that have a code of their own (first) or a second claimant (last), by box.
_PARTS: tuple[tuple[str, Box, tuple[str, ...]], ...] = (
    ("FR", (1.0, -56.0, 7.0, -50.0), ("GF", "FR")),
    ("FR", (15.7, -62.0, 16.7, -60.9), ("GP", "FR")),
    ("FR", (14.2, -61.4, 15.0, -60.7), ("MQ", "FR")),
    ("FR", (-21.6, 55.0, -20.7, 56.1), ("RE", "FR")),
    ("FR", (-13.2, 44.8, -12.4, 45.5), ("YT", "FR")),
    ("NO", (74.0, 10.0, 81.5, 35.0), ("SJ", "NO")),
    ("NL", (12.0, -68.6, 12.5, -68.0), ("BQ", "NL")),
    ("RU", (44.3, 32.4, 46.3, 36.7), ("UA", "RU")),
)


def build(source: Path, target: Path) -> None:
    """Write the grid of a GeoJSON file of countries."""
    shapes = list(_shapes(json.loads(source.read_text(encoding="utf-8"))))
    sets: dict[tuple[str, ...], int] = {(): 0}
    touching = _layer(_lines(shapes, outlines=True), TOLERANCE_DEGREES, sets)
    inside = _layer(_lines(shapes, outlines=False), None, sets)
    header = {
        "cell_degrees": CELL_DEGREES,
        "tolerance_degrees": TOLERANCE_DEGREES,
        "sets": list(sets),
        "boxes": _boxes(shapes),
    }
    head = json.dumps(header, separators=(",", ":")).encode()
    body = b"".join(_packed(runs) for layer in (touching, inside) for runs in layer)
    target.write_bytes(zlib.compress(struct.pack(">I", len(head)) + head + body, 9))


def _shapes(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Ring]]]:
    """Codes and rings of every polygon."""
    for feature in document["features"]:
        codes = _codes(feature.get("id"), feature["properties"]["name"])
        geometry = feature["geometry"]
        single = geometry["type"] == "Polygon"
        for polygon in [geometry["coordinates"]] if single else geometry["coordinates"]:
            rings = [[(float(x), float(y)) for x, y, *_ in ring] for ring in polygon]
            yield _codes_of_part(codes, rings[0]), rings


def _codes(number: str | None, name: str) -> tuple[str, ...]:
    if number is None:
        return _UNNUMBERED[name]
    country = pycountry.countries.get(numeric=number)
    if country is None:
        raise ValueError(f"{name} has the unknown number {number}")
    return (country.alpha_2, *_ALSO.get(country.alpha_2, ()))


def _codes_of_part(codes: tuple[str, ...], ring: Ring) -> tuple[str, ...]:
    south, west, north, east = _box(ring)
    for code, box, part in _PARTS:
        if (
            code == codes[0]
            and box[0] <= south <= north <= box[2]
            and box[1] <= west <= east <= box[3]
        ):
            return part
    return codes


def _box(ring: Ring) -> Box:
    longitudes, latitudes = [x for x, _ in ring], [y for _, y in ring]
    return min(latitudes), min(longitudes), max(latitudes), max(longitudes)


def _lines(
    shapes: Iterable[tuple[tuple[str, ...], list[Ring]]], *, outlines: bool
) -> dict[int, dict[tuple[str, ...], Intervals]]:
    """For each scan line the stretches of longitude inside each shape.

    Args:
        shapes: Codes and rings of every polygon.
        outlines: Add the outline itself, so that a shape between two scan lines is not lost.
    """
    lines: dict[int, dict[tuple[str, ...], Intervals]] = defaultdict(lambda: defaultdict(list))
    for codes, rings in shapes:
        crossings: dict[int, list[float]] = defaultdict(list)
        for ring in rings:
            for (x0, y0), (x1, y1) in pairwise(ring):
                for line in range(_first_line(min(y0, y1)), _first_line(max(y0, y1))):
                    crossings[line].append(x0 + (_latitude(line) - y0) * (x1 - x0) / (y1 - y0))
                if outlines:
                    for line, stretch in _outline(x0, y0, x1, y1):
                        lines[line][codes].append(stretch)
        for line, found in crossings.items():
            found.sort()
            lines[line][codes].extend(zip(found[::2], found[1::2], strict=True))
    return lines


def _latitude(line: int) -> float:
    return -90 + (line + 0.5) * _STEP


def _first_line(latitude: float) -> int:
    """The first scan line at or above a latitude."""
    return math.ceil((latitude + 90) / _STEP - 0.5)


def _outline(
    x0: float, y0: float, x1: float, y1: float
) -> Iterator[tuple[int, tuple[float, float]]]:
    """The stretch of longitude an edge covers within the band of each scan line."""
    if y0 > y1:
        x0, y0, x1, y1 = x1, y1, x0, y0
    first, last = (min(_LINES - 1, int((y + 90) / _STEP)) for y in (y0, y1))
    for line in range(first, last + 1):
        low, high = (max(y0, -90 + line * _STEP), min(y1, -90 + (line + 1) * _STEP))
        slope = (x1 - x0) / (y1 - y0) if y1 > y0 else 0.0
        ends = (x0, x1) if y1 == y0 else (x0 + (low - y0) * slope, x0 + (high - y0) * slope)
        yield line, (min(ends), max(ends))


def _layer(
    lines: dict[int, dict[tuple[str, ...], Intervals]],
    tolerance: float | None,
    sets: dict[tuple[str, ...], int],
) -> list[Runs]:
    """Rows of runs: of all countries within a tolerance, or of the one at a cell's centre."""
    layer = []
    for row in range(_ROWS):
        south = row * _LINES_PER_CELL
        reach = 0 if tolerance is None else round(tolerance / _STEP)
        if tolerance is None:
            used = range(south + _LINES_PER_CELL // 2, south + _LINES_PER_CELL // 2 + 1)
        else:
            used = range(south - reach, south + _LINES_PER_CELL + reach)
        latitude = -90 + (row + 0.5) * CELL_DEGREES
        widen = (
            0.0 if tolerance is None else tolerance / max(0.05, math.cos(math.radians(latitude)))
        )
        columns: dict[int, set[str]] = defaultdict(set)
        for line in used:
            for codes, intervals in lines.get(line, {}).items():
                names = codes if tolerance is not None else codes[:1]
                for west, east in _merged(intervals, widen):
                    for column in _columns(west, east, centres=tolerance is None):
                        columns[column].update(names)
        _list_under(columns, latitude, only=tolerance is None)
        layer.append(_runs(columns, sets))
    return layer


def _list_under(columns: dict[int, set[str]], latitude: float, *, only: bool) -> None:
    """Add the second code of `_LISTED_UNDER` to a row, or put it in the place of the first."""
    for code, (south, west, north, east), other in _LISTED_UNDER:
        if south <= latitude <= north:
            for column in _columns(west, east, centres=True):
                if code in columns.get(column, ()):
                    columns[column] = {other} if only else columns[column] | {other}


def _merged(intervals: Intervals, widen: float) -> Intervals:
    merged: Intervals = []
    for west, east in sorted((west - widen, east + widen) for west, east in intervals):
        if merged and west <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], east))
        else:
            merged.append((west, east))
    return merged


def _columns(west: float, east: float, *, centres: bool) -> range:
    """Columns that a stretch touches, or whose centres it covers."""
    first, last = (west + 180) / CELL_DEGREES, (east + 180) / CELL_DEGREES
    if centres:
        return range(max(0, math.ceil(first - 0.5)), min(_COLUMNS, math.ceil(last - 0.5)))
    return range(max(0, int(first)), min(_COLUMNS, int(last) + 1))


def _runs(columns: dict[int, set[str]], sets: dict[tuple[str, ...], int]) -> Runs:
    runs: Runs = [(0, 0)]
    following = 0
    for column in sorted(columns):
        if column > following and runs[-1][1] != 0:
            runs.append((following, 0))
        index = sets.setdefault(tuple(sorted(columns[column])), len(sets))
        if runs[-1][1] != index:
            runs.append((column, index))
        following = column + 1
    if runs[-1][1] != 0:
        runs.append((following, 0))
    return runs


def _packed(runs: Runs) -> bytes:
    numbers = array("H", [len(runs), *(start for start, _ in runs), *(index for _, index in runs)])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _boxes(shapes: Iterable[tuple[tuple[str, ...], list[Ring]]]) -> dict[str, list[Box]]:
    """Boxes around groups of polygons that lie within a degree of each other."""
    boxes: dict[str, list[Box]] = defaultdict(list)
    for codes, rings in shapes:
        for code in codes:
            _join(boxes[code], _box(rings[0]))
    return {code: sorted(_rounded(box) for box in found) for code, found in sorted(boxes.items())}


def _join(boxes: list[Box], box: Box) -> None:
    near = [other for other in boxes if _near(other, box)]
    while near:
        for other in near:
            boxes.remove(other)
            box = (
                min(box[0], other[0]),
                min(box[1], other[1]),
                max(box[2], other[2]),
                max(box[3], other[3]),
            )
        near = [other for other in boxes if _near(other, box)]
    boxes.append(box)


def _near(one: Box, other: Box) -> bool:
    return (
        one[0] - 1 <= other[2]
        and other[0] - 1 <= one[2]
        and one[1] - 1 <= other[3]
        and other[1] - 1 <= one[3]
    )


def _rounded(box: Box) -> Box:
    south, west, north, east = (round(edge, 3) for edge in box)
    return south, west, north, east


if __name__ == "__main__":
    build(Path(sys.argv[1]), GRID_FILE)
