"""Points on a grid, found by distance."""

from collections.abc import Hashable, Iterator
from math import ceil, cos, floor, radians
from typing import Generic, TypeVar

from streams.core.geodesy import KM_PER_DEGREE, Position, distance_km

_CELL = 0.25
_COLUMNS = round(360 / _CELL)
_KM_PER_CELL = _CELL * KM_PER_DEGREE
_NARROWEST = 0.1
"""Of a cell's width, near the poles: bounds the search."""


Key = TypeVar("Key", bound=Hashable)


class PointIndex(Generic[Key]):
    """Keys with a position each."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], dict[Key, Position]] = {}

    def add(self, key: Key, position: Position) -> None:
        """Add a key."""
        self._cells.setdefault(_cell(position), {})[key] = position

    def remove(self, key: Key, position: Position) -> None:
        """Remove a key that was added at this position."""
        cell = _cell(position)
        points = self._cells[cell]
        del points[key]
        if not points:
            del self._cells[cell]

    def near(self, position: Position, reach_km: float) -> Iterator[tuple[float, Key]]:
        """Distance (km) and key of everything within reach, in no order."""
        row, column = _cell(position)
        up = ceil(reach_km / _KM_PER_CELL)
        width = max(cos(radians(min(abs(position[0]) + 1, 90))), _NARROWEST)
        right = ceil(reach_km / _KM_PER_CELL / width)
        for cell_row in range(row - up, row + up + 1):
            for step in range(-right, right + 1):
                points = self._cells.get((cell_row, (column + step) % _COLUMNS))
                if points is None:
                    continue
                for key, there in points.items():
                    km = distance_km(position, there)
                    if km <= reach_km:
                        yield km, key


def _cell(position: Position) -> tuple[int, int]:
    return floor(position[0] / _CELL), floor((position[1] + 180) / _CELL) % _COLUMNS
