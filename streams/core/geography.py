"""Which country a position is in, from a precomputed grid; pure after the grid is loaded once.

The grid has cells of 0.05 degrees (5.6 km) and knows, for each, the countries within 0.05 degrees.
It is made from Natural Earth 1:50m outlines by tests/core/country_grid.py: the outlines are off by
a few kilometres, so a position is never evaluated more finely than that. Parts with a code of their
own (French Guiana) or two claimants (Crimea) count for both.
"""

import json
import struct
import sys
import zlib
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GRID_FILE = Path(__file__).with_name("country_grid.bin")

_NOWHERE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Layer:
    """Rows of cells from the south; row r has its runs at offsets[r] to offsets[r + 1].

    A run goes from its first column to that of the next.
    """

    offsets: list[int]
    starts: "array[int]"
    sets: "array[int]"

    def set_at(self, row: int, column: int) -> int:
        low, high = self.offsets[row], self.offsets[row + 1]
        return self.sets[bisect_right(self.starts, column, low, high) - 1]


@dataclass(frozen=True, slots=True)
class _Grid:
    cell_degrees: float
    sets: tuple[frozenset[str], ...]
    touching: _Layer
    inside: _Layer

    def cell(self, latitude: float, longitude: float) -> tuple[int, int]:
        rows = len(self.touching.offsets) - 1
        row = min(rows - 1, int((latitude + 90) / self.cell_degrees))
        return row, min(2 * rows - 1, int((longitude + 180) / self.cell_degrees))


def countries_at(latitude: float, longitude: float) -> frozenset[str]:
    """Countries (ISO 3166-1 alpha-2, XK for Kosovo) within about 5 to 10 km of a position.

    Empty at sea, and outside of WGS84's range.
    """
    if not _on_earth(latitude, longitude):
        return _NOWHERE
    grid = _grid()
    return grid.sets[grid.touching.set_at(*grid.cell(latitude, longitude))]


def country_at(latitude: float, longitude: float) -> str | None:
    """The one country a position is most likely in.

    None at sea, and near a coast where several countries are equally near.
    """
    if not _on_earth(latitude, longitude):
        return None
    grid = _grid()
    cell = grid.cell(latitude, longitude)
    found = grid.sets[grid.inside.set_at(*cell)] or grid.sets[grid.touching.set_at(*cell)]
    return next(iter(found)) if len(found) == 1 else None


def is_land(latitude: float, longitude: float) -> bool:
    """True on land and within about 5 to 10 km of it."""
    return bool(countries_at(latitude, longitude))


def _on_earth(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


@cache
def _grid() -> _Grid:
    content = zlib.decompress(GRID_FILE.read_bytes())
    (length,) = struct.unpack_from(">I", content)
    header = json.loads(content[4 : 4 + length])
    numbers = array("H")
    numbers.frombytes(content[4 + length :])
    if sys.byteorder == "big":
        numbers.byteswap()
    rows = round(180 / header["cell_degrees"])
    touching, end = _layer(numbers, 0, rows)
    inside, _ = _layer(numbers, end, rows)
    return _Grid(
        header["cell_degrees"],
        tuple(frozenset(countries) for countries in header["sets"]),
        touching,
        inside,
    )


def _layer(numbers: "array[int]", position: int, rows: int) -> tuple[_Layer, int]:
    offsets, starts, sets = [0], array("H"), array("H")
    for _ in range(rows):
        count = numbers[position]
        starts.extend(numbers[position + 1 : position + 1 + count])
        sets.extend(numbers[position + 1 + count : position + 1 + 2 * count])
        offsets.append(len(starts))
        position += 1 + 2 * count
    return _Layer(offsets, starts, sets), position
