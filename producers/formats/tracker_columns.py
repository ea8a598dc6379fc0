"""Columns of a tracker's row by meaning: each tracker and release spells the names its own way."""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from producers.formats.asset_status import reported
from producers.formats.odd_cells import OddCells, decimal_number, grouped_number, year_in
from producers.formats.reading import UnreadableNumberError
from producers.formats.text_repair import repaired
from streams.core import flag_rules
from streams.core.rule import Rule

_APART = re.compile(r"[^a-z0-9]+")
_NOBODY = re.compile(r"unknown \[unknown ?%\]", re.IGNORECASE)
_UNIT_IN_ALIAS = re.compile(r"\s*\((?:unit|units|phase|phases)\b[^)]*\)?", re.IGNORECASE)
_COMMA_OUTSIDE_BRACKETS = re.compile(r"[,;](?![^(]*\))")


@lru_cache(maxsize=4096)
def plain_name(column: str) -> str:
    """Lower snake case: `GEM unit/phase ID` is gem_unit_phase_id, `type_fields.fuel` is fuel."""
    return _APART.sub("_", column.removeprefix("type_fields.").lower()).strip("_")


class _Header:
    """Columns of rows by meaning; rows of one file have them in common."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._by_name: dict[str, list[str]] = {}
        for column in columns:
            self._by_name.setdefault(plain_name(column), []).append(column)
        self._found: dict[tuple[str, ...], tuple[str, ...]] = {}

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Columns that are spelt in one of these ways, in the order of the names."""
        found = self._found.get(names)
        if found is None:
            found = tuple(column for name in names for column in self._by_name.get(name, ()))
            self._found[names] = found
        return found


_header = lru_cache(maxsize=1024)(_Header)


class Columns:
    """One row. The first of several names with something that can be read counts.

    So does the first of several columns that differ in case or punctuation only.

    Attributes:
        texts: The row.
        odd: Cells that could not be read, as far as they were asked for.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.odd = OddCells()
        self.texts = texts
        self._header = _header(tuple(texts))

    def text(self, *names: str) -> str | None:
        """Text, its damage repaired; None when not reported."""
        for column in self._header.columns(names):
            found = reported(self.texts[column])
            if found is not None:
                return reported(repaired(found))
        return None

    @property
    def flags(self) -> tuple[str, ...]:
        """Rules that flag the row for cells that could not be read, as far as they were asked."""
        return self.odd.flags

    def capacity(self, *names: str) -> float | None:
        """Capacity above zero; None when not reported, or, flagged, for anything else."""
        found = self._number(names, grouped_number, flag_rules.CAPACITY_UNREADABLE)
        return self.odd.above_zero(found)

    def degrees(self, *names: str) -> float | None:
        """Coordinate; None when not reported, or, flagged, when it is no number."""
        return self._number(names, decimal_number, flag_rules.POSITION_UNREADABLE)

    def _number(
        self, names: tuple[str, ...], read: Callable[[str, str], float | None], rule: Rule
    ) -> float | None:
        """The first column that has a number; those with words are passed over."""
        odd = False
        for column in self._header.columns(names):
            text = reported(self.texts[column])
            if text is None:
                continue
            try:
                found = read(text, plain_name(column))
            except UnreadableNumberError:
                odd = True
            else:
                if found is not None:
                    return found
        if odd:
            self.odd.note(rule)
        return None

    def year(self, *names: str) -> int | None:
        """Year; None when not reported, or, flagged, when there is none in the text.

        Of a date or a range the first year counts, and of words the one year among them.
        """
        odd = False
        for column in self._header.columns(names):
            text = reported(self.texts[column])
            if text is None:
                continue
            year = year_in(text)
            if year is not None:
                return year
            odd = True
        if odd:
            self.odd.note(flag_rules.YEAR_UNREADABLE)
        return None

    def aliases(self, name: str, *columns: str) -> tuple[str, ...]:
        """Further names than `name`, sorted; names of single units lose the unit."""
        found = set()
        for column in columns:
            if (text := self.text(column)) is None:
                continue
            for part in _COMMA_OUTSIDE_BRACKETS.split(text):
                alias = reported(_UNIT_IN_ALIAS.sub("", part))
                if alias:
                    found.add(alias)
        return tuple(sorted(found - {name}))

    def parties(self, *names: str) -> str | None:
        """Owners or operators as one text; the API gives a JSON list of names and shares."""
        text = self.text(*names)
        if text is None or _NOBODY.fullmatch(text):
            return None
        if not text.startswith("["):
            return text
        try:
            parties = json.loads(text)
        except ValueError:
            return text
        return "; ".join(filter(None, map(_party, parties))) or None


def _party(party: object) -> str:
    if not isinstance(party, dict):
        return reported(str(party)) or ""
    name, share = reported(str(party.get("name") or "")), party.get("ownership_share")
    if name is None:
        return ""
    return name if share in (None, "") else f"{name} [{share}%]"
