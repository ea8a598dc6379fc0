"""A digest of what a record says, computed alike from a topic and by a database.

Each row is one text: its values in the order of the columns, joined by `|`. A text is written with
its length in bytes, a double as the whole number of its bits, a time in milliseconds and a date in
days since 1970, null as `~`, an array as its length and its items in brackets, a record as its
fields. Of the text's MD5 the first 8 bytes count, little endian; the digests of rows add up modulo
2^64, so their order does not matter. `streams.clickhouse.content_digest` writes the same as SQL.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import md5
from typing import Any

NULL = "~"
SEPARATOR = "|"
BUCKETS = 256
"""Ids are counted in so many buckets, by the first byte of their MD5, to find those that differ."""

_MODULUS = 2**64
_UNIX_EPOCH_DAY = date(1970, 1, 1).toordinal()

Text = Callable[[Any], str]
"""Writes a value."""


def text_of(avro: Any) -> Text:
    """What writes the values of an Avro type.

    Args:
        avro: A type whose named types are written out.

    Raises:
        ValueError: a type that no contract has.
    """
    match avro:
        case ["null", {"type": "array"} as inner]:
            of_array = text_of(inner)
            return lambda value: of_array(value or ())
        case ["null", inner]:
            write = text_of(inner)
            return lambda value: NULL if value is None else write(value)
        case {"logicalType": "timestamp-millis"}:
            return _time
        case {"logicalType": "date"}:
            return _date
        case {"type": "array", "items": items}:
            write = text_of(items)
            return lambda value: f"{len(value)}[{SEPARATOR.join([write(item) for item in value])}]"
        case {"type": "record", "fields": fields}:
            writers = [(field["name"], text_of(field["type"])) for field in fields]
            return lambda value: SEPARATOR.join([write(value[name]) for name, write in writers])
        case {"type": str() as name} | str(name) if name in _PRIMITIVES:
            return _PRIMITIVES[name]
    raise ValueError(f"No digest of the Avro type {avro!r}.")


def row_digest(texts: Iterable[str]) -> int:
    """Digest of a row, from the texts of its values."""
    return _first_bytes(SEPARATOR.join(texts))


def bucket_of(record_id: str) -> int:
    """Bucket of an id."""
    return md5(record_id.encode(), usedforsecurity=False).digest()[0]


@dataclass(slots=True)
class Digests:
    """Number and digest of the records of one kind, by bucket of their ids."""

    by_bucket: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, bucket: int, digest: int, records: int = 1) -> None:
        """Count records with the sum of their digests."""
        before, total = self.by_bucket.get(bucket, (0, 0))
        self.by_bucket[bucket] = (before + records, (total + digest) % _MODULUS)

    @property
    def records(self) -> int:
        """All records."""
        return sum(records for records, _ in self.by_bucket.values())

    def differing(self, other: "Digests") -> Sequence[int]:
        """Buckets whose content is another one there, ascending."""
        buckets = self.by_bucket.keys() | other.by_bucket.keys()
        return sorted(
            bucket
            for bucket in buckets
            if self.by_bucket.get(bucket) != other.by_bucket.get(bucket)
        )


def difference(
    kind: str,
    published: Mapping[str, tuple[int, int]],
    stored: Mapping[str, tuple[int, int]],
    buckets: int,
) -> str:
    """One sentence on a kind whose stored records are not the published ones.

    Args:
        kind: Canonical kind.
        published: Version and digest by record id, of one bucket that differs.
        stored: The same as it is stored.
        buckets: How many buckets differ.
    """
    named = []
    for record_id in sorted(published.keys() | stored.keys()):
        one, other = published.get(record_id), stored.get(record_id)
        if one == other:
            continue
        if other is None:
            named.append(f"{record_id} is missing")
        elif one is None:
            named.append(f"{record_id} is published nowhere")
        elif one[0] != other[0]:
            named.append(f"{record_id} has version {other[0]} instead of {one[0]}")
        else:
            named.append(f"{record_id} has another content at version {one[0]}")
    shown = ", ".join(named[:3])
    more = " …" if len(named) > 3 or buckets > 1 else ""
    return f"ClickHouse differs from market.infrastructure in {kind}: {shown}{more}"


def _first_bytes(text: str) -> int:
    found: int = _BITS.unpack_from(md5(text.encode(), usedforsecurity=False).digest())[0]
    return found


_BITS = struct.Struct("<Q")
_DOUBLE = struct.Struct("<d")
_FLOAT_BITS = struct.Struct("<I")
_FLOAT = struct.Struct("<f")


def _string(value: str) -> str:
    length = len(value) if value.isascii() else len(value.encode())
    return f"{length}:{value}"


def _double(value: float) -> str:
    return str(_BITS.unpack(_DOUBLE.pack(value))[0])


def _float(value: float) -> str:
    return str(_FLOAT_BITS.unpack(_FLOAT.pack(value))[0])


def _time(value: datetime) -> str:
    return str(round(value.timestamp() * 1000))


def _date(value: date) -> str:
    return str(value.toordinal() - _UNIX_EPOCH_DAY)


_PRIMITIVES: Mapping[str, Text] = {
    "string": _string,
    "boolean": lambda value: "1" if value else "0",
    "int": str,
    "long": str,
    "float": _float,
    "double": _double,
}
