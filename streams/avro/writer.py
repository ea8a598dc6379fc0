"""Avro binary encoding, compiled once for each schema into straight-line Python.

fastavro writes a union by validating the value against every branch: for a raw power plant (36
nullable texts, inside one more union) that takes many times as long. The bytes are the same, a test
proves it for every contract. Source: Avro 1.12 specification, binary encoding.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from streams.avro.source import Lines, PythonSource, indented

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MISFIT = (AttributeError, KeyError, TypeError, struct.error)


def compile_writer(
    schema: Mapping[str, Any], header: bytes = b""
) -> Callable[[Mapping[str, Any]], bytes]:
    """Encoder of records of one parsed schema (`fastavro.parse_schema`), behind a constant header.

    A missing key means the field's default, timestamps are aware datetimes, gas days dates. The
    encoder raises ValueError for a record that does not fit; unlike fastavro also for an unknown
    key beside the known ones, which would be lost, and for a whole number beyond its type's range.
    """
    writer = _Writer()
    body = writer.record_function(schema)
    name = schema["name"]
    write = writer.source.compiled(f"avro writer of {name}", _RUNTIME)[body]

    def encode(record: Mapping[str, Any]) -> bytes:
        parts = [header]
        try:
            write(record, parts.append)
        except _MISFIT as error:
            raise ValueError(f"The record does not fit {name}: {error!r}") from error
        return b"".join(parts)

    return encode


class _Writer:
    """Functions that write one schema.

    Each record has a function of its own, which takes `(value, append)`; other values are written
    in place.
    """

    def __init__(self) -> None:
        self.source = PythonSource()
        self._record_functions: dict[str, str] = {}

    def record_function(self, schema: Mapping[str, Any]) -> str:
        """Name of the function that writes a record."""
        name = schema["name"]
        if name not in self._record_functions:
            # Known before its fields are: they may refer to it.
            self.source.named[name] = schema
            function = self._record_functions[name] = self.source.name("record")
            self.source.function(function, "value, append", self._record(schema["fields"]))
        return self._record_functions[name]

    def _record(self, fields: Sequence[Mapping[str, Any]]) -> Lines:
        defaults = self.source.constant({field["name"]: field.get("default") for field in fields})
        names = tuple(field["name"] for field in fields)
        known = self.source.constant(frozenset(names))
        lines = [
            f"if len(value) != {len(names)}:",
            f"    value = complete(value, {defaults}, {known})",
        ]
        if not names:
            return lines
        targets = ", ".join(f"v{index}" for index in range(len(names)))
        # One call reads all fields.
        read = self.source.constant(itemgetter(*names))
        lines.append(f"{targets} = {read}(value)")
        for index, field in enumerate(fields):
            lines += self._value(field["type"], f"v{index}", b"")
        return lines

    def _value(self, schema: Any, value: str, before: bytes) -> Lines:
        """Lines that write a value, after constant bytes before it."""
        schema = self.source.resolved(schema)
        if isinstance(schema, Sequence):
            return self._union(schema, value)
        kind = schema["type"]
        if kind == "record":
            return [*_constant(before), f"{self.record_function(schema)}({value}, append)"]
        if kind == "array":
            item = self.source.name("item")
            return [
                *_constant(before),
                f"if not isinstance({value}, list):",
                f"    raise TypeError(f'{{{value}!r}} is no list')",
                f"if {value}:",
                f"    append(length(len({value})))",
                f"    for {item} in {value}:",
                *indented(indented(self._value(schema["items"], item, b""))),
                "append(b'\\0')",
            ]
        if kind == "map":
            key, item = self.source.name("key"), self.source.name("item")
            return [
                *_constant(before),
                f"if {value}:",
                f"    append(length(len({value})))",
                f"    for {key}, {item} in {value}.items():",
                *indented(indented(self._value("string", key, b""))),
                *indented(indented(self._value(schema["values"], item, b""))),
                f"elif {value} is None:",
                "    raise TypeError('null is no map')",
                "append(b'\\0')",
            ]
        template = _TEMPLATES[kind, schema.get("logicalType")]
        if kind == "string" and before == _SECOND_BRANCH:
            # The commonest field: branch and length in one piece.
            template, before = _SECOND_BRANCH_STRING, b""
        return [*_constant(before), *(line.format(v=value) for line in template)]

    def _union(self, branches: Sequence[Any], value: str) -> Lines:
        if len(branches) == 2 and branches[0] == "null":
            return [
                f"if {value} is None:",
                "    append(b'\\0')",
                "else:",
                *indented(self._value(branches[1], value, _SECOND_BRANCH)),
            ]
        index_of = self.source.constant(
            {_python_type(branch): index for index, branch in enumerate(branches)}
        )
        lines = [f"branch = {index_of}[dict if isinstance({value}, Mapping) else type({value})]"]
        for index, branch in enumerate(branches):
            lines.append(f"{'elif' if index else 'if'} branch == {index}:")
            lines += indented(self._value(branch, value, _zigzag(index)))
        return lines


def _constant(before: bytes) -> Lines:
    return [f"append({before!r})"] if before else []


def _python_type(branch: Any) -> type:
    """Type of the values that select a branch; records by default."""
    types: Mapping[str, type] = {"null": type(None), "string": str, "double": float, "long": int}
    return types.get(branch if isinstance(branch, str) else branch["type"], dict)


def _zigzag(value: int) -> bytes:
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_SHORT = 4096
_SECOND_BRANCH = _zigzag(1)
_LENGTHS = tuple(_zigzag(length) for length in range(_SHORT))
_SECOND_AND_LENGTH = tuple(_SECOND_BRANCH + length for length in _LENGTHS)


def _length(length: int) -> bytes:
    return _LENGTHS[length] if length < _SHORT else _zigzag(length)


def _complete(
    value: Mapping[str, Any], defaults: Mapping[str, Any], known: frozenset[str]
) -> Mapping[str, Any]:
    """The record with the defaults of its missing fields."""
    if not known.issuperset(value):
        raise TypeError(f"unknown keys {sorted(value.keys() - known)}")
    return {**defaults, **value}


def _whole(value: object, bits: int) -> bytes:
    limit = 1 << bits - 1
    if not isinstance(value, int) or isinstance(value, bool) or not -limit <= value < limit:
        raise TypeError(f"{value!r} is no whole number of {bits} bits")
    return _zigzag(value)


def _blob(value: Any) -> bytes:
    return value.encode("ascii") if isinstance(value, str) else bytes(memoryview(value))


# Neighbouring records share their times.
@lru_cache(maxsize=4096)
def _millis(since: timedelta) -> bytes:
    return _zigzag((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000)


@lru_cache(maxsize=4096)
def _day(ordinal: int) -> bytes:
    return _zigzag(ordinal - _EPOCH_DAY)


_STRING = ("data = {v}.encode()", "n = len(data)")
_SECOND_BRANCH_STRING = (
    *_STRING,
    f"append(second_and_lengths[n] if n < {_SHORT} else {_SECOND_BRANCH!r} + length(n))",
    "append(data)",
)
_WHOLE = (
    f"if type({{v}}) is int and 0 <= {{v}} < {_SHORT}:",
    "    append(lengths[{v}])",
    "else:",
)
_TEMPLATES: Mapping[tuple[str, str | None], Sequence[str]] = {
    ("null", None): ("if {v} is not None:", "    raise TypeError(f'{{{v}!r}} is not null')"),
    ("string", None): (
        *_STRING,
        f"append(lengths[n] if n < {_SHORT} else length(n))",
        "append(data)",
    ),
    ("bytes", None): ("data = blob({v})", "append(length(len(data)))", "append(data)"),
    ("boolean", None): (
        "if {v} is True:",
        "    append(b'\\1')",
        "elif {v} is False:",
        "    append(b'\\0')",
        "else:",
        "    raise TypeError(f'{{{v}!r}} is no boolean')",
    ),
    ("int", None): (*_WHOLE, "    append(whole({v}, 32))"),
    ("long", None): (*_WHOLE, "    append(whole({v}, 64))"),
    ("double", None): ("append(double({v}))",),
    ("int", "date"): ("append(day({v}.toordinal()))",),
    ("long", "timestamp-millis"): ("append(millis({v} - epoch))",),
}
"""By type and logical type."""

_RUNTIME: Mapping[str, Any] = {
    "Mapping": Mapping,
    "complete": _complete,
    "length": _length,
    "lengths": _LENGTHS,
    "second_and_lengths": _SECOND_AND_LENGTH,
    "whole": _whole,
    "blob": _blob,
    "double": struct.Struct("<d").pack,
    "day": _day,
    "millis": _millis,
    "epoch": _EPOCH,
}
