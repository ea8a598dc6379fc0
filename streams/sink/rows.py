"""Decoded Avro records to rows. A row holds plain values only: times are integers since the epoch.

Plain values because the driver converts an integer twenty times faster than a datetime.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

from streams.batch import ConsumedRecord
from streams.contracts import AvroSchema, contract
from streams.core.errors import Rejected
from streams.core.records import AvroRecord
from streams.sink.tables import (
    DEAD_LETTERS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    SINK_REJECTS,
    Table,
    all_kinds,
    payload_schema,
)

Cell = str | int | float | bytes | None | tuple["Cell", ...] | list["Cell"]
"""One value of a row; DateTime64(3) is milliseconds, Date32 is days, a Tuple is a tuple."""

UNKNOWN_KIND = "unknown_kind"
MISSING_PAYLOAD = "missing_payload"
BAD_VERSION = "bad_version"

_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Row:
    """One row that goes into every one of the tables, which have the same columns."""

    tables: tuple[Table, ...]
    cells: tuple[Cell, ...]


RowOf = Callable[[AvroRecord, int], Row | Rejected]
"""Turns a decoded record and its Kafka time, in milliseconds, into a row."""


def infrastructure_row(record: AvroRecord, published_at: int) -> Row | Rejected:
    """Row of a `market.infrastructure` record, for the versions and the latest of its kind.

    A withdrawn or merged record may come without payload: its payload columns then hold the
    empty value of their type. A current one may not.
    """
    kind = record["kind"]
    mapping = _kinds().get(kind)
    if mapping is None:
        return Rejected(UNKNOWN_KIND, f"No table holds the kind {kind!r}: upgrade the sink.")
    version = record["version"]
    if version < 0:
        return Rejected(BAD_VERSION, f"Version {version} is negative.", "version", str(version))
    payload = record[kind]
    if payload is not None:
        cells = mapping.cells(payload)
    elif record["status"] == "current":
        return Rejected(MISSING_PAYLOAD, f"A current {kind} needs its payload.", kind)
    else:
        cells = mapping.empty
    members = record["members"]
    event_time = record["event_time"]
    return Row(
        mapping.tables,
        (
            record["record_id"],
            record["status"],
            record["replaced_by"],
            version,
            None if event_time is None else millis(event_time),
            millis(record["observed_at"]),
            sorted({member["source_id"] for member in members}),
            record["flags"],
            _json(members),
            _provenance(record["provenance"]),
            *cells,
        ),
    )


def outcome_row(record: AvroRecord, published_at: int) -> Row | Rejected:
    """Row of a `record.outcomes` record."""
    canonical: list[Cell] = [(it["record_id"], it["version"]) for it in record["canonical"]]
    if any(it["version"] < 0 for it in record["canonical"]):
        return Rejected(BAD_VERSION, "A canonical version is negative.", "canonical")
    return Row(
        (RECORD_OUTCOMES,),
        (
            *_coordinates(record["raw"]),
            record["source_id"],
            record["record_id"],
            record["output_kind"],
            record["outcome"],
            record["stage"],
            millis(record["record_time"]),
            record["rule_id"],
            canonical,
            record["flags"],
            published_at,
        ),
    )


def dead_letter_row(record: AvroRecord, published_at: int) -> Row:
    """Row of a `dead_letters` record; keys, values and header values stay bytes."""
    return Row(
        (DEAD_LETTERS,),
        (
            *_coordinates(record["raw"]),
            record["source_id"],
            record["record_id"],
            record["key"],
            record["value"],
            [(header["name"], header["value"]) for header in record["headers"]],
            millis(record["record_time"]),
            record["schema_id"],
            record["stage"],
            record["rule_id"],
            record["field"],
            record["observed"],
            record["limit"],
            record["message"],
            record["code_version"],
            published_at,
        ),
    )


def quality_row(record: AvroRecord, published_at: int) -> Row | Rejected:
    """Row of a `quality.scores` record."""
    version = record["version"]
    if version < 0:
        return Rejected(BAD_VERSION, f"Version {version} is negative.", "version", str(version))
    return Row(
        (QUALITY_SCORES,),
        (
            record["source_id"],
            record["dimension"],
            millis(record["window_start"]),
            millis(record["window_end"]),
            version,
            record["record_count"],
            record["failed_count"],
            record["score"],
        ),
    )


ROW_OF: Mapping[str, RowOf] = {
    "market.infrastructure": infrastructure_row,
    "record.outcomes": outcome_row,
    "dead_letters": dead_letter_row,
    "quality.scores": quality_row,
}
"""Row function of each topic the sink reads."""


def reject_row(record: ConsumedRecord, topic_id: str, rejected: Rejected) -> Row:
    """Row of a record that is no row of its own table; holds its bytes."""
    return Row(
        (SINK_REJECTS,),
        (
            record.topic,
            topic_id,
            record.partition,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            rejected.rule_id,
            rejected.message,
        ),
    )


def millis(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime."""
    return round(moment.timestamp() * 1000)


def _days(day: date) -> int:
    return day.toordinal() - _EPOCH_DAY


def _coordinates(raw: AvroRecord) -> tuple[str, int, int]:
    return raw["topic"], raw["partition"], raw["offset"]


@dataclass(frozen=True, slots=True)
class _KindMapping:
    """How payloads of one kind become cells.

    Attributes:
        tables: Where the rows go.
        values: Reads all payload fields of a record at once.
        conversions: Position and conversion of the fields that are no plain values.
        empty: Cells of a record without payload.
    """

    tables: tuple[Table, ...]
    values: Callable[[AvroRecord], tuple[Any, ...]]
    conversions: tuple[tuple[int, Callable[[Any], Cell]], ...]
    empty: tuple[Cell, ...]

    def cells(self, payload: AvroRecord) -> tuple[Cell, ...]:
        cells = list(self.values(payload))
        for position, convert in self.conversions:
            cells[position] = convert(cells[position])
        return tuple(cells)


@cache
def _kinds() -> Mapping[str, _KindMapping]:
    schema = contract("market.infrastructure").latest
    return {
        kind: _kind_mapping(schema, kind, (tables.versions, tables.latest))
        for kind, tables in all_kinds().items()
    }


def _kind_mapping(schema: AvroSchema, kind: str, tables: tuple[Table, ...]) -> _KindMapping:
    fields = payload_schema(schema, kind)["fields"]
    conversions = ((i, _conversion(field["type"])) for i, field in enumerate(fields))
    return _KindMapping(
        tables,
        itemgetter(*(field["name"] for field in fields)),
        tuple((i, convert) for i, convert in conversions if convert is not None),
        tuple(_empty(field["type"]) for field in fields),
    )


def _conversion(avro: Any) -> Callable[[Any], Cell] | None:
    """Conversion of an Avro value to a cell, None where the value is one already."""
    match avro:
        case ["null", inner]:
            convert = _conversion(inner)
            return convert and _unless_null(convert)
        case {"logicalType": "timestamp-millis"}:
            return millis
        case {"logicalType": "date"}:
            return _days
        case {"type": "array", "items": items}:
            convert = _conversion(items)
            return convert and _each(convert)
        case {"type": "record", "fields": fields}:
            return _tuple_of(fields)
    return None


def _unless_null(convert: Callable[[Any], Cell]) -> Callable[[Any], Cell]:
    return lambda value: None if value is None else convert(value)


def _each(convert: Callable[[Any], Cell]) -> Callable[[Any], Cell]:
    return lambda values: [convert(value) for value in values]


def _tuple_of(fields: list[dict[str, Any]]) -> Callable[[Any], Cell]:
    """Conversion of a nested record of plain values."""
    names = [field["name"] for field in fields]
    if any(_conversion(field["type"]) for field in fields):
        raise ValueError(f"A nested record with converted fields has no column type: {names}.")
    getter = itemgetter(*names)
    return lambda value: getter(value)


def _empty(avro: Any) -> Cell:
    match avro:
        case ["null", _]:
            return None
        case "string":
            return ""
        case {"type": "array"}:
            return []
    return 0


_encode = json.JSONEncoder(
    separators=(",", ":"),
    ensure_ascii=False,
    default=lambda moment: moment.isoformat(timespec="milliseconds"),
).encode


def _json(members: list[AvroRecord]) -> str:
    return _encode(members)


def _provenance(entries: list[AvroRecord]) -> str:
    """Provenance as a JSON object by field; `losing` only where another member disagreed."""
    if any(entry["losing"] for entry in entries):
        return _encode(
            {
                entry["field"]: {name: entry[name] for name in ("member", "rule", "losing")}
                for entry in entries
            }
        )
    return _undisputed(tuple([(it["field"], it["member"], it["rule"]) for it in entries]))


@lru_cache(maxsize=4096)
def _undisputed(entries: tuple[tuple[str, int, str], ...]) -> str:
    """JSON of provenance without losing values: most records share one of a few hundred."""
    return _encode({field: {"member": member, "rule": rule} for field, member, rule in entries})
