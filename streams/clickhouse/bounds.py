"""What a reader may ask for: every number, date and text of a query has a bound."""

import math
from collections.abc import Collection
from datetime import UTC, date, datetime, time

from streams.core.errors import InfrastructureError

FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2149, 6, 6)
"""What a ClickHouse Date holds."""

MOST_ROWS = 1_000_000
LONGEST_TEXT = 200
LARGEST_NUMBER = 1e12


class OutOfBoundsError(InfrastructureError):
    """A parameter of a query has a value that no query takes.

    Attributes:
        parameter: Its name.
        allowed: What it may be.
    """

    def __init__(self, parameter: str, allowed: str) -> None:
        super().__init__(f"{parameter} must be {allowed}.")
        self.parameter = parameter
        self.allowed = allowed


def day(parameter: str, value: date) -> str:
    """A day as a parameter of type Date32.

    Raises:
        OutOfBoundsError: outside what a ClickHouse Date holds.
    """
    if not FIRST_DAY <= value <= LAST_DAY:
        raise OutOfBoundsError(parameter, f"a date from {FIRST_DAY} to {LAST_DAY}")
    return value.isoformat()


def moment(parameter: str, value: datetime) -> str:
    """An aware time as a parameter of type DateTime64(3, 'UTC').

    Raises:
        OutOfBoundsError: without a zone, or outside what a ClickHouse Date holds.
    """
    allowed = f"a time with a zone from {FIRST_DAY} to {LAST_DAY}"
    if value.tzinfo is None:
        raise OutOfBoundsError(parameter, allowed)
    first = datetime.combine(FIRST_DAY, time.min, UTC)
    if not first <= value <= datetime.combine(LAST_DAY, time.max, UTC):
        raise OutOfBoundsError(parameter, allowed)
    return value.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


def number(
    parameter: str, value: float, least: float = -LARGEST_NUMBER, most: float = LARGEST_NUMBER
) -> float:
    """A finite number between two others, both included.

    Raises:
        OutOfBoundsError: it is not.
    """
    if not math.isfinite(value) or not least <= value <= most:
        raise OutOfBoundsError(parameter, f"a number from {least:g} to {most:g}")
    return float(value)


def whole(parameter: str, value: int, least: int, most: int) -> int:
    """A whole number between two others, both included.

    Raises:
        OutOfBoundsError: it is not.
    """
    if not least <= value <= most:
        raise OutOfBoundsError(parameter, f"a whole number from {least} to {most}")
    return value


def text(parameter: str, value: str, longest: int = LONGEST_TEXT) -> str:
    """A text without control characters, not empty and not too long.

    Raises:
        OutOfBoundsError: it is not.
    """
    if not 0 < len(value) <= longest or not value.isprintable():
        raise OutOfBoundsError(parameter, f"1 to {longest} characters without control characters")
    return value


def texts(parameter: str, values: Collection[str], most: int = 1000) -> list[str]:
    """Some texts, each bounded.

    Raises:
        OutOfBoundsError: none, too many, or one that is not bounded.
    """
    if not 0 < len(values) <= most:
        raise OutOfBoundsError(parameter, f"1 to {most} values")
    return [text(parameter, value) for value in values]


def one_of(parameter: str, value: str, allowed: Collection[str]) -> str:
    """A word of a list; only such words become part of a statement.

    Raises:
        OutOfBoundsError: another word.
    """
    if value not in allowed:
        raise OutOfBoundsError(parameter, f"one of {', '.join(sorted(allowed))}")
    return value
