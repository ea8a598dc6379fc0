"""Avro binary decoding, compiled once for each schema into straight-line Python.

fastavro looks up every field's type again for every record: two to three times as long. The values
are the same, a test proves it for every contract. The reader is stricter, for bytes come from
anyone: what it allocates is bounded by the bytes, whatever they claim. Source: Avro 1.12
specification, binary encoding.

Positions never go back: a value that reaches beyond the end is found by the next look at a byte, or
by the last comparison with the end.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from fastavro.read import LOGICAL_READERS

from streams.avro.source import Lines, PythonSource, indented


class AvroError(ValueError):
    """Bytes that are no record of the schema."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MISFIT = (ValueError, LookupError, ArithmeticError, TypeError, RecursionError, struct.error)
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_VARINT = 10
_CONTINUED = sum(0x80 << 7 * byte for byte in range(5))
"""What the continuation bits of a number of six bytes add up to."""
_SHORT_BRANCHES = 64
"""Unions with more branches have indexes of two bytes."""


def compile_reader(
    schema: Mapping[str, Any], last_field: str | None = None
) -> Callable[[bytes, int], dict[str, Any]]:
    """Decoder of records of one parsed schema (`fastavro.parse_schema`).

    Up to `last_field`, where it is given: what is behind it is not looked at.

    The decoder takes bytes and the offset where the record starts, which ends with the bytes. It
    gives what fastavro gives; timestamps are aware UTC datetimes. It raises AvroError for bytes
    that do not fit, and unlike fastavro also for bytes left over, counts and lengths beyond the
    bytes, any items that take no bytes, and whole numbers beyond their type's range; records nested
    beyond Python's recursion limit are refused too.
    """
    if last_field is not None:
        names = [field["name"] for field in schema["fields"]]
        schema = {**schema, "fields": schema["fields"][: names.index(last_field) + 1]}
    reader = _Reader()
    body = reader.record_function(schema)
    name = schema["name"]
    read = reader.source.compiled(f"avro reader of {name}", _RUNTIME)[body]

    def decode(data: bytes, offset: int) -> dict[str, Any]:
        try:
            record, end = read(data, offset)
        except _MISFIT as error:
            raise AvroError(f"no {name}: {error}") from error
        if end > len(data) or (end < len(data) and last_field is None):
            raise AvroError(f"no {name}: it ends at byte {end} of {len(data)}")
        return record  # type: ignore[no-any-return]

    return decode


class _Reader:
    """Functions that read one schema.

    Each record, array and map has a function of its own, which takes `(data, pos)` and returns the
    value and the position behind it; other values are read in place.
    """

    def __init__(self) -> None:
        self.source = PythonSource()
        self._record_functions: dict[str, str] = {}

    def record_function(self, schema: Mapping[str, Any]) -> str:
        """Name of the function that reads a record."""
        name = schema["name"]
        if name not in self._record_functions:
            # Known before its fields are: they may refer to it.
            self.source.named[name] = schema
            self._record_functions[name] = self.source.name("record")
            self._function(self._record_functions[name], self._record(schema))
        return self._record_functions[name]

    def _function(self, name: str, body: Lines) -> str:
        return self.source.function(name, "data, pos", body)

    def _value(self, schema: Any, target: str, skip: int) -> Lines:
        """Lines that read a value `skip` bytes behind `pos` and move `pos` behind it."""
        schema = self.source.resolved(schema)
        if isinstance(schema, Sequence):
            return self._union(schema, target, skip)
        kind = schema["type"]
        if kind in ("record", "error"):
            return [f"{target}, pos = {self.record_function(schema)}(data, pos + {skip})"]
        if kind in ("array", "map"):
            function = self._function(self.source.name(kind), self._blocks(schema))
            return [
                f"if data[pos + {skip}]:",
                f"    {target}, pos = {function}(data, pos + {skip})",
                "else:",
                f"    {target} = {'[]' if kind == 'array' else '{}'}",
                f"    pos += {skip + 1}",
            ]
        if kind in ("enum", "fixed"):
            self.source.named[schema["name"]] = schema
        logical = f"{kind}-{schema.get('logicalType')}"
        lines = _TEMPLATES.get(logical) or self._plain(kind, schema)
        if logical in LOGICAL_READERS and logical not in _TEMPLATES:
            read, written = (
                self.source.constant(LOGICAL_READERS[logical]),
                self.source.constant(schema),
            )
            lines = [*lines, f"{{v}} = {read}({{v}}, {written}, None)"]
        at = f"pos + {skip}" if skip else "pos"
        after = f"pos + {skip + 1}"
        return [
            line.format(v=target, at=at, after=after, last=f"pos + {skip + 2}") for line in lines
        ]

    def _plain(self, kind: str, schema: Mapping[str, Any]) -> Sequence[str]:
        if kind == "enum":
            symbols = self.source.constant(tuple(schema["symbols"]))
            return ["n, pos = length(data, {at})", f"{{v}} = {symbols}[n]"]
        if kind == "fixed":
            return ["start = {at}", f"pos = start + {schema['size']}", "{v} = data[start:pos]"]
        return _TEMPLATES[kind]

    def _record(self, schema: Mapping[str, Any]) -> Lines:
        lines: Lines = []
        entries = []
        for index, field in enumerate(schema["fields"]):
            lines += self._value(field["type"], f"v{index}", 0)
            entries.append(f"{field['name']!r}: v{index}")
        return [*lines, f"return {{{', '.join(entries)}}}, pos"]

    def _union(self, branches: Sequence[Any], target: str, skip: int) -> Lines:
        if len(branches) > _SHORT_BRANCHES:
            lines = [f"branch, pos = length(data, pos + {skip})", "branch <<= 1"]
            skip = 0
        else:
            lines = [f"branch = data[pos + {skip}]"]
            skip += 1
        for index, branch in enumerate(branches):
            lines.append(f"{'elif' if index else 'if'} branch == {2 * index}:")
            lines += indented(self._value(branch, target, skip))
        otherwise = "else:" if branches else "if True:"
        return [*lines, otherwise, "    raise ValueError(f'union index byte {branch}')"]

    def _blocks(self, schema: Mapping[str, Any]) -> Lines:
        if schema["type"] == "map":
            start = "values = {}"
            item = [
                *self._value("string", "key", 0),
                *self._value(schema["values"], "item", 0),
                "values[key] = item",
            ]
            limit = "len(data) - pos"
        else:
            start = "values = []"
            item = [*self._value(schema["items"], "item", 0), "values.append(item)"]
            # Nothing in the bytes would bound them.
            limit = "0" if self._takes_no_bytes(schema["items"], ()) else "len(data) - pos"
        block = [
            "count = data[pos]",
            "if count & 0x81:",
            "    count, pos = block(data, pos)",
            "else:",
            "    count >>= 1",
            "    pos += 1",
            "if not count:",
            "    return values, pos",
            f"if count > {limit}:",
            "    raise ValueError(f'{count} items in {len(data) - pos} bytes')",
            "for _ in range(count):",
            *indented(item),
        ]
        return [start, "while True:", *indented(block)]

    def _takes_no_bytes(self, schema: Any, above: tuple[str, ...]) -> bool:
        schema = self.source.resolved(schema)
        if isinstance(schema, Sequence):
            return False
        if schema["type"] in ("record", "error"):
            name = schema["name"]
            return name in above or all(
                self._takes_no_bytes(field["type"], (*above, name)) for field in schema["fields"]
            )
        size: int | None = 0 if schema["type"] == "null" else schema.get("size")
        return size == 0


_WHOLE = (
    "n = data[{at}]",
    "if n < 0x80:",
    "    pos = {after}",
    "    {v} = n >> 1 ^ -(n & 1)",
    "elif (high := data[{after}]) < 0x80:",
    "    pos = {last}",
    "    {v} = (n - 0x80 >> 1 | high << 6) ^ -(n & 1)",
    "else:",
)
_SPAN = (
    "n = data[{at}]",
    "if not n & 0x81:",
    "    start = {after}",
    "    pos = start + (n >> 1)",
    "elif not n & 1 and (high := data[{after}]) < 0x80:",
    "    start = {last}",
    "    pos = start + (n - 0x80 >> 1 | high << 6)",
    "else:",
    "    start, pos = span(data, {at})",
)
# Where a value starts depends on what is before it: {at}, {after} that byte, {last} after two.
# Whole numbers and lengths of one or two bytes, nearly all, are read without a call.
_TEMPLATES: Mapping[str, Sequence[str]] = {
    "null": ("pos = {at}", "{v} = None"),
    "boolean": (
        "n = data[{at}]",
        "pos = {after}",
        "if n > 1:",
        "    raise ValueError(f'boolean byte {{n}}')",
        "{v} = n == 1",
    ),
    "int": (*_WHOLE, "    {v}, pos = int_(data, {at})"),
    "long": (*_WHOLE, "    {v}, pos = long(data, {at})"),
    "float": ("start = {at}", "pos = start + 4", "{v}, = float_(data, start)"),
    "double": ("start = {at}", "pos = start + 8", "{v}, = double(data, start)"),
    "bytes": (*_SPAN, "{v} = data[start:pos]"),
    "string": (*_SPAN, "{v} = data[start:pos].decode()"),
    "long-timestamp-millis": (
        "start = {at}",
        "pos = start + 6",
        "{v} = recent(data[start:pos])",
        "if {v} is None:",
        "    {v}, pos = timestamp_millis(data, start)",
    ),
    "int-date": ("{v}, pos = day(data, {at})",),
}
"""By type, or type and logical type; other logical types go through fastavro's functions."""


def _varint(data: bytes, pos: int) -> tuple[int, int]:
    low = data[pos]
    if low < 0x80:
        return low, pos + 1
    high = data[pos + 1]
    if high < 0x80:
        return low - 0x80 | high << 7, pos + 2
    value = shift = 0
    for byte in data[pos : pos + _LONGEST_VARINT]:
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and not value >> 64:
            return value, pos
        shift += 7
    raise ValueError(f"no number of 64 bits before byte {pos}")


def _long(data: bytes, pos: int) -> tuple[int, int]:
    value, pos = _varint(data, pos)
    return value >> 1 ^ -(value & 1), pos


def _int(data: bytes, pos: int) -> tuple[int, int]:
    value, pos = _varint(data, pos)
    if value >> 32:
        raise ValueError(f"no number of 32 bits before byte {pos}")
    return value >> 1 ^ -(value & 1), pos


def _length(data: bytes, pos: int) -> tuple[int, int]:
    value, pos = _varint(data, pos)
    if value & 1:
        raise ValueError(f"negative length or index before byte {pos}")
    return value >> 1, pos


def _block(data: bytes, pos: int) -> tuple[int, int]:
    """Count of items of a block; a negative one is followed by the block's size in bytes."""
    count, pos = _long(data, pos)
    if count < 0:
        count = -count
        size, pos = _length(data, pos)
        if size > len(data) - pos:
            raise ValueError(f"block of {size} bytes in {len(data) - pos}")
    return count, pos


def _span(data: bytes, pos: int) -> tuple[int, int]:
    """Start and end of bytes that follow their length."""
    length, pos = _length(data, pos)
    return pos, pos + length


def _day(data: bytes, pos: int) -> tuple[date, int]:
    days, pos = _int(data, pos)
    return date.fromordinal(days + _EPOCH_DAY), pos


# Neighbouring records share their times: the memory finds most of them.
@lru_cache(maxsize=4096)
def _recent(six: bytes) -> datetime | None:
    """Timestamp of six bytes, as they all are from August 1970 to 2039; None for other lengths."""
    if len(six) < 6:
        return None
    b0, b1, b2, b3, b4, b5 = six
    if not b5 < 0x80 <= b0 & b1 & b2 & b3 & b4:
        return None
    value = b0 + (b1 << 7) + (b2 << 14) + (b3 << 21) + (b4 << 28) + (b5 << 35) - _CONTINUED
    return _EPOCH + _MILLISECOND * (value >> 1 ^ -(value & 1))


def _timestamp_millis(data: bytes, pos: int) -> tuple[datetime, int]:
    millis, pos = _long(data, pos)
    return _EPOCH + timedelta(milliseconds=millis), pos


_RUNTIME: Mapping[str, Any] = {
    "long": _long,
    "int_": _int,
    "length": _length,
    "block": _block,
    "span": _span,
    "day": _day,
    "recent": _recent,
    "timestamp_millis": _timestamp_millis,
    "float_": struct.Struct("<f").unpack_from,
    "double": struct.Struct("<d").unpack_from,
}
