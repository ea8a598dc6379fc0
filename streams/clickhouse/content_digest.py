"""The digest of `streams.core.content_digest` of what is stored, as SQL, and of what is published.

Both follow from the contract and the columns of the table that analysts read, so that a field added
to the contract is compared as well.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from streams.avro.contracts import contract
from streams.clickhouse.table import quoted
from streams.clickhouse.tables import POSITION, KindTables, kinds
from streams.core import contract_types as avro
from streams.core.content_digest import NULL, SEPARATOR, row_digest, text_of

_NAMED_OTHERWISE = {"record_status": "status"}
"""Columns of the envelope whose field has another name."""

_SOURCE_IDS = "source_ids"


def digests_query() -> str:
    """Query for number and digest of the latest version of all records, by kind and bucket."""
    return " UNION ALL ".join(
        f"SELECT {quoted(name)} AS kind, {_BUCKET} AS bucket, count() AS records, "  # noqa: S608
        f"toString(sum({_row(kind)})) AS digest FROM {kind.latest.name} FINAL GROUP BY bucket"
        for name, kind in kinds().items()
    )


def records_query(kind: str, bucket: int) -> str:
    """Query for version and digest of each record of a kind in a bucket."""
    tables = kinds()[kind]
    return (
        f"SELECT record_id, toString(version) AS version, toString({_row(tables)}) AS digest "  # noqa: S608
        f"FROM {tables.latest.name} FINAL WHERE {_BUCKET} = {bucket}"
    )


def digest_of(canonical: avro.InfrastructureRecord) -> int:
    """Digest of a canonical record as it should be stored."""
    return _published(canonical["kind"])(canonical)


_BUCKET = "toUInt8(reinterpretAsUInt8(substring(MD5(record_id), 1, 1)))"


@cache
def _columns(kind: str) -> Mapping[str, Any]:
    """Avro type of each compared column of a kind, in the order of its table."""
    fields = {field["name"]: field["type"] for field in _schema()["fields"]}
    payload = {field["name"]: field["type"] for field in fields[kind][1]["fields"]}
    types: dict[str, Any] = {_SOURCE_IDS: {"type": "array", "items": "string"}}
    for column in _compared(kinds()[kind]):
        if column in payload:
            types[column] = payload[column]
        elif column != _SOURCE_IDS:
            types[column] = fields[_NAMED_OTHERWISE.get(column, column)]
    return {column: types[column] for column in _compared(kinds()[kind])}


def _compared(kind: KindTables) -> tuple[str, ...]:
    position = {column.name for column in POSITION}
    return tuple(column.name for column in kind.latest.columns if column.name not in position)


def _schema() -> Any:
    return contract("market.infrastructure").parsed()


@cache
def _published(kind: str) -> Callable[[avro.InfrastructureRecord], int]:
    payload_columns = {column.name for column in kinds()[kind].payload}
    writers = [(name, text_of(type_)) for name, type_ in _columns(kind).items()]
    envelope = [
        (_NAMED_OTHERWISE.get(name, name), write)
        for name, write in writers
        if name not in payload_columns
    ]
    payload = [(name, write) for name, write in writers if name in payload_columns]

    def digest(canonical: avro.InfrastructureRecord) -> int:
        values: dict[str, Any] = dict(canonical)
        values[_SOURCE_IDS] = sorted({member["source_id"] for member in canonical["members"]})
        content = values[kind]
        return row_digest(
            [
                *[write(values[name]) for name, write in envelope],
                *[write(content[name]) for name, write in payload],
            ]
        )

    return digest


def _row(kind: KindTables) -> str:
    # In the order of `_published`: what is around the payload first.
    payload = {column.name for column in kind.payload}
    types = _columns(kind.kind)
    ordered = [
        *(name for name in types if name not in payload),
        *(name for name in types if name in payload),
    ]
    texts = f", {quoted(SEPARATOR)}, ".join(_text(types[name], f"`{name}`") for name in ordered)
    return f"reinterpretAsUInt64(substring(MD5(concat({texts})), 1, 8))"


def _text(avro_type: Any, value: str, depth: int = 0) -> str:
    """SQL that writes a value as `streams.core.content_digest.text_of` does."""
    match avro_type:
        case ["null", {"type": "array"} as inner]:
            return _text(inner, value, depth)
        case ["null", inner]:
            # The text of null is null.
            return f"ifNull({_text(inner, value, depth)}, {quoted(NULL)})"
        case {"logicalType": "timestamp-millis"}:
            return f"toString(toUnixTimestamp64Milli({value}))"
        case {"logicalType": "date"}:
            return f"toString(toInt32({value}))"
        case {"type": "array", "items": items}:
            one = f"x{depth}"
            texts = f"arrayMap({one} -> {_text(items, one, depth + 1)}, {value})"
            joined = f"arrayStringConcat({texts}, {quoted(SEPARATOR)})"
            return f"concat(toString(length({value})), '[', {joined}, ']')"
        case {"type": "record", "fields": fields}:
            texts = f", {quoted(SEPARATOR)}, ".join(
                _text(field["type"], f"tupleElement({value}, {quoted(field['name'])})", depth)
                for field in fields
            )
            # With one field it would be no concat of several.
            return f"concat({texts}, '')"
        case {"type": str() as name} | str(name):
            return _PRIMITIVES[name].format(value)
    raise ValueError(f"No digest of the Avro type {avro_type!r}.")


_PRIMITIVES = {
    "string": "concat(toString(length({0})), ':', {0})",
    "boolean": "toString(toUInt8({0}))",
    "int": "toString({0})",
    "long": "toString({0})",
    "float": "toString(reinterpretAsUInt32({0}))",
    "double": "toString(reinterpretAsUInt64({0}))",
}
