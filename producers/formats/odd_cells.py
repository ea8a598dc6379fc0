"""Cells with words where a number belongs: the field is null, the record stays and says why."""

import re

from producers.formats.reading import UnreadableNumberError
from producers.formats.reading import number as read_number
from streams.core import flag_rules
from streams.core.rule import Rule

_MOST = 2**31 - 1
"""Largest whole number that the contracts have room for."""

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_YEAR_FIRST = re.compile(r"(\d{4})(?:\.0)?(?=$|[^\d])")
_YEAR_WITHIN = re.compile(r"(?<![\d.])((?:1[89]|2[01])\d{2})(?![\d.])")


class OddCells:
    """Reads the cells of one row and remembers by rule which could not be read."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    @property
    def flags(self) -> tuple[str, ...]:
        """Ids of the rules that the row is flagged by, sorted."""
        return tuple(sorted(self._found))

    def note(self, rule: Rule) -> None:
        """Flag the row."""
        self._found.add(rule.id)

    def number(self, text: str | None, rule: Rule) -> float | None:
        """Number in a text; None when not reported, and, flagged by the rule, for anything else."""
        try:
            return read_number(text, "")
        except UnreadableNumberError:
            self.note(rule)
            return None

    def count(self, text: str | None, rule: Rule) -> int | None:
        """How many; None when not reported, and, flagged, for what is no whole number."""
        number = self.number(text, rule)
        if number is None:
            return None
        if number.is_integer() and 0 <= number <= _MOST:
            return int(number)
        self.note(rule)
        return None

    def above_zero(self, capacity: float | None) -> float | None:
        """A capacity; None when not reported, and, flagged, when it is zero or below."""
        if capacity is None or capacity > 0:
            return capacity
        self.note(flag_rules.CAPACITY_NOT_POSITIVE)
        return None


def grouped_number(text: str, field: str) -> float | None:
    """Number with commas between thousands, or with one for the decimal point (`12,5`).

    Raises:
        UnreadableNumberError: it is none.
    """
    if _THOUSANDS.fullmatch(text):
        return read_number(text.replace(",", ""), field)
    if _DECIMAL_COMMA.fullmatch(text):
        return read_number(text.replace(",", "."), field)
    return read_number(text, field)


def decimal_number(text: str, field: str) -> float | None:
    """Number below a thousand, such as degrees: a comma can only be its decimal point.

    Raises:
        UnreadableNumberError: it is none.
    """
    return read_number(text.replace(",", ".") if text.count(",") == 1 else text, field)


def year_in(text: str) -> int | None:
    """Year of a text: the first of a date or a range, or the only one among words."""
    match = _YEAR_FIRST.match(text)
    if match is not None:
        return int(match[1])
    found = set(_YEAR_WITHIN.findall(text))
    return int(found.pop()) if len(found) == 1 else None
