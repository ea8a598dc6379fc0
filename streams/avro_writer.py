"""Avro binary encoding, compiled once for each schema into plain closures.

fastavro writes a union by validating the value against every branch: for a raw power plant (36
nullable texts, inside one more union) that takes six times as long. The bytes are the same, a test
proves it for every contract. Source: Avro 1.12 specification, binary encoding.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

Append: TypeAlias = Callable[[bytes], None]
Write: TypeAlias = Callable[[Any, Append], None]
"""Appends the encoded value in pieces."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DOUBLE = struct.Struct("<d")
_MISFIT = (AttributeError, KeyError, TypeError, struct.error)
_SHORT = 4096


def compile_writer(schema: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bytes]:
    """Encoder of records of one parsed schema (`fastavro.parse_schema`).

    A missing key means the field's default, timestamps are aware datetimes, gas days dates. The
    encoder raises ValueError for a record that does not fit; unlike fastavro also for an unknown
    key beside the known ones, which would be lost, and for a whole number beyond its type's range.
    """
    write = _writer(schema, {})
    name = schema["name"]

    def encode(record: Mapping[str, Any]) -> bytes:
        parts: list[bytes] = []
        try:
            write(record, parts.append)
        except _MISFIT as error:
            raise ValueError(f"The record does not fit {name}: {error!r}") from error
        return b"".join(parts)

    return encode


def _zigzag(value: int) -> bytes:
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_LENGTHS = tuple(_zigzag(length) for length in range(_SHORT))
_BRANCHES = tuple(_zigzag(index) for index in range(8))
_NULL_BRANCH = _BRANCHES[0]
_SECOND_BRANCH = _BRANCHES[1]
# Branch 1 of a union and the length after it, in one piece.
_SECOND_AND_LENGTH = tuple(_SECOND_BRANCH + length for length in _LENGTHS)


def _length(length: int) -> bytes:
    return _LENGTHS[length] if length < _SHORT else _zigzag(length)


def _writer(schema: Any, named: dict[str, Write]) -> Write:
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return _union(schema, named)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in named:
        return named[kind]
    if kind == "record":
        return _record(schema, named)
    if kind == "array":
        return _array(_writer(schema["items"], named))
    if kind == "map":
        return _map(_writer(schema["values"], named))
    logical = None if isinstance(schema, str) else schema.get("logicalType")
    return _SCALARS[(kind, logical)]


def _record(schema: Mapping[str, Any], named: dict[str, Write]) -> Write:
    fields = tuple(
        (field["name"], field.get("default"), _writer(field["type"], named))
        for field in schema["fields"]
    )

    names = frozenset(name for name, _, _ in fields)
    count = len(fields)

    def write(value: Any, append: Append) -> None:
        get = value.get
        # Complete records, nearly all, need no look at each key.
        if len(value) != count and not names.issuperset(value):
            raise TypeError(f"unknown keys {sorted(value.keys() - names)}")
        for name, default, write_field in fields:
            field = get(name, default)
            if write_field is not _nullable_string:
                write_field(field, append)
            # The commonest field, without a call.
            elif field is None:
                append(_NULL_BRANCH)
            else:
                data = field.encode()
                length = len(data)
                if length < _SHORT:
                    append(_SECOND_AND_LENGTH[length])
                    append(data)
                else:
                    _nullable_string(field, append)

    named[schema["name"]] = write
    return write


def _union(branches: Sequence[Any], named: dict[str, Write]) -> Write:
    if branches == ["null", "string"]:
        return _nullable_string
    writers = [_writer(branch, named) for branch in branches]
    if len(branches) == 2 and branches[0] == "null":
        return _nullable(writers[1])
    index_of = {_python_type(branch): index for index, branch in enumerate(branches)}

    def write(value: Any, append: Append) -> None:
        index = index_of[dict if isinstance(value, Mapping) else type(value)]
        append(_BRANCHES[index])
        writers[index](value, append)

    return write


def _python_type(branch: Any) -> type:
    """Type of the values that select a branch; records by default."""
    types: Mapping[str, type] = {"null": type(None), "string": str, "double": float, "long": int}
    return types.get(branch if isinstance(branch, str) else branch["type"], dict)


def _nullable(write_value: Write) -> Write:
    def write(value: Any, append: Append) -> None:
        if value is None:
            append(_NULL_BRANCH)
        else:
            append(_SECOND_BRANCH)
            write_value(value, append)

    return write


def _nullable_string(value: Any, append: Append) -> None:
    if value is None:
        append(_NULL_BRANCH)
        return
    data = value.encode()
    length = len(data)
    append(_SECOND_AND_LENGTH[length] if length < _SHORT else _SECOND_BRANCH + _zigzag(length))
    append(data)


def _array(write_item: Write) -> Write:
    def write(value: Any, append: Append) -> None:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is no list")
        if value:
            append(_length(len(value)))
            for item in value:
                write_item(item, append)
        append(_LENGTHS[0])

    return write


def _map(write_value: Write) -> Write:
    def write(value: Any, append: Append) -> None:
        items = value.items()
        if items:
            append(_length(len(items)))
            for key, item in items:
                _string(key, append)
                write_value(item, append)
        append(_LENGTHS[0])

    return write


def _null(value: Any, append: Append) -> None:
    if value is not None:
        raise TypeError(f"{value!r} is not null")


def _string(value: Any, append: Append) -> None:
    data = value.encode()
    append(_length(len(data)))
    append(data)


def _bytes(value: Any, append: Append) -> None:
    append(_length(len(value)))
    append(bytes(value) if not isinstance(value, str) else value.encode("ascii"))


def _boolean(value: Any, append: Append) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is no boolean")
    append(b"\x01" if value else b"\x00")


def _whole(bits: int) -> Write:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def write(value: Any, append: Append) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise TypeError(f"{value!r} is no whole number of {bits} bits")
        append(_zigzag(value))

    return write


def _double(value: Any, append: Append) -> None:
    append(_DOUBLE.pack(value))


def _date(value: Any, append: Append) -> None:
    append(_zigzag(value.toordinal() - _EPOCH_DAY))


def _timestamp_millis(value: Any, append: Append) -> None:
    since = value - _EPOCH
    append(_zigzag((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000))


_SCALARS: Mapping[tuple[str, str | None], Write] = {
    ("null", None): _null,
    ("string", None): _string,
    ("bytes", None): _bytes,
    ("boolean", None): _boolean,
    ("int", None): _whole(32),
    ("long", None): _whole(64),
    ("double", None): _double,
    ("int", "date"): _date,
    ("long", "timestamp-millis"): _timestamp_millis,
}
