"""Types of GraphQL for columns of ClickHouse and for rows of Python."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, make_dataclass
from datetime import date, datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, NewType, Union, get_args, get_origin, get_type_hints

import strawberry
from pydantic import TypeAdapter, ValidationError
from strawberry.scalars import JSON

from streams.serve.parameters import Day, Moment
from streams.serve.problems import wrong_parameters

Time = NewType("Time", str)
"""A time as it was written by whoever asks; read with `moment_of` or `time_or_day`."""

_SCALARS: Final[Mapping[str, Any]] = {
    "String": str,
    "Float64": float,
    "Int32": int,
    # An Int of GraphQL has 32 bits.
    "Int64": str,
    "UInt64": str,
    "Bool": bool,
    "Date32": date,
    "DateTime64(3, 'UTC')": datetime,
}
_LARGE: Final = frozenset({"offset", "version"})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def _written(value: Any) -> str:
    """ClickHouse writes times as they are shown; those of rows are written alike."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)


SCALARS: Final[Mapping[object, Any]] = {
    datetime: strawberry.scalar(
        name="DateTime", description="A UTC time.", serialize=_written, parse_value=str
    ),
    date: strawberry.scalar(name="Date", description="A day.", serialize=_written, parse_value=str),
    Time: strawberry.scalar(
        name="Time",
        description="A time with a zone, such as 2026-01-31T06:00:00Z, or a day.",
        serialize=str,
        parse_value=str,
    ),
}
"""How scalars are written and read."""


def column_type(type_: str) -> Any:
    """Type of a column of ClickHouse."""
    for wrapper in ("LowCardinality", "Nullable", "Array"):
        if type_.startswith(f"{wrapper}("):
            inner = column_type(type_[len(wrapper) + 1 : -1])
            wrapped = {"Nullable": inner | None, "Array": list[inner]}  # type: ignore[valid-type]
            return wrapped.get(wrapper, inner)
    return _SCALARS.get(type_, JSON)


@cache
def mirrored(row: type) -> Any:
    """A type of GraphQL with the fields of a dataclass; its rows are answered as they are."""
    hints = get_type_hints(row)
    described = _described(row)
    members = [
        (
            field.name,
            str if field.name in _LARGE else _mirrored(hints[field.name]),
            strawberry.field(description=described.get(field.name)),
        )
        for field in fields(row)
    ]
    return strawberry.type(make_dataclass(row.__name__, members), description=_first_line(row))


def _mirrored(type_: Any) -> Any:
    if is_dataclass(type_):
        return mirrored(type_)  # type: ignore[arg-type]
    origin, inner = get_origin(type_), get_args(type_)
    if origin in (Union, UnionType):
        (kept,) = (one for one in inner if one is not type(None))
        return _mirrored(kept) | None
    if origin in (list, tuple, Sequence):
        return list[_mirrored(inner[0])]  # type: ignore[misc]
    return type_


def _described(row: type) -> Mapping[str, str]:
    found = {}
    for line in (row.__doc__ or "").partition("Attributes:")[2].splitlines():
        names, separator, text = line.strip().partition(": ")
        if separator:
            found.update(dict.fromkeys(names.split(", "), text))
    return found


def _first_line(row: type) -> str:
    return (row.__doc__ or "").strip().partition("\n")[0]


def moment_of(argument: str, text: str | None) -> datetime | None:
    """A time with a zone.

    Raises:
        ProblemError: it is none.
    """
    if text is None:
        return None
    found: datetime = _read(
        argument, text, Moment, "a time with a zone, such as 2026-01-31T06:00:00Z"
    )
    return found


def day_of(argument: str, text: str) -> date:
    """A day.

    Raises:
        ProblemError: it is none.
    """
    found: date = _read(
        argument, text, Day, "a day from 1970-01-01 to 2149-06-06, such as 2026-01-31"
    )
    return found


def time_or_day(argument: str, text: str) -> date | datetime:
    """A time with a zone, or a day.

    Raises:
        ProblemError: it is neither.
    """
    if _DAY.fullmatch(text):
        return day_of(argument, text)
    found: datetime = _read(
        argument, text, Moment, "a time with a zone, such as 2026-01-31T06:00:00Z, or a day"
    )
    return found


def _read(argument: str, text: str, type_: Any, allowed: str) -> Any:
    try:
        return TypeAdapter(type_).validate_python(text)
    except ValidationError as error:
        raise wrong_parameters([(argument, allowed)]) from error


After = Annotated[str | None, strawberry.argument(description="Cursor: only what comes after it.")]
