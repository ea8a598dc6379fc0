"""Ids of the rows of several lists that are one release: each row once, each id once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from producers.formats.tracker_files import SHEET

_REPEATED: Final = "repeated"
"""A list, or another sheet of it, has the row to the letter."""

_IN_AN_EARLIER_LIST: Final = "in_an_earlier_list"
"""An earlier list has the id, and says the same."""


@dataclass(slots=True)
class RowIds:
    """Gives the ids of rows in the order of their lists.

    A list may give an id to several rows that differ: from the second on they get a number.
    """

    _earlier: set[str] = field(default_factory=set)
    _of_list: Counter[str] = field(default_factory=Counter)
    _rows: set[tuple[str, int]] = field(default_factory=set)

    def begin_list(self) -> None:
        """What follows is another list."""
        for unit_id, count in self._of_list.items():
            self._earlier.update(_numbered(unit_id, number) for number in range(1, count + 1))
        self._of_list.clear()
        self._rows.clear()

    def of(self, unit_id: str, row: Mapping[str, str], left_out: Counter[str]) -> str | None:
        """Record id of a row; None for one that says nothing new, which is counted by reason."""
        cells = frozenset(cell for cell in row.items() if cell[1] and cell[0] != SHEET)
        same = unit_id, hash(cells)
        if same in self._rows:
            left_out[_REPEATED] += 1
            return None
        self._rows.add(same)
        self._of_list[unit_id] += 1
        record_id = _numbered(unit_id, self._of_list[unit_id])
        if record_id in self._earlier:
            left_out[_IN_AN_EARLIER_LIST] += 1
            return None
        return record_id


def stand_in_id(cells: Iterable[str]) -> str:
    """Stands in for a missing id of a row, so that the row can be kept and rejected."""
    return "row-" + sha256("\0".join(cells).encode()).hexdigest()[:16]


def _numbered(unit_id: str, number: int) -> str:
    return unit_id if number == 1 else f"{unit_id}~{number}"
