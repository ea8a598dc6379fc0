"""Landings: where the Avro bytes of a topic enter ClickHouse and how they become rows.

ClickHouse decodes the records itself; in Python decoding alone would take two thirds of the time
of a batch. A landing is a table without storage (engine Null) whose columns are the fields of one
writer schema, constraints that refuse what no row may be made of, and one materialized view for
each storage table it feeds. One insert into the landing therefore fills every table, and its
deduplication token holds for each of them.

The name of a landing contains a hash of its definition: it never changes in place, so two versions
of the sink can write side by side while one replaces the other.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import parse
from fastavro import writer

from streams.contracts import AvroSchema, contract
from streams.core.errors import Rejected
from streams.sink.avro_types import clickhouse_type
from streams.sink.tables import (
    DEAD_LETTERS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    KindTables,
    Table,
    kinds,
)

SYNC_MARKER = bytes(16)
"""Marker between the blocks of the Avro files sent; any constant does."""

KAFKA_TIME = "kafka_time"
"""Field put before those of the writer schema: Kafka time of the record, milliseconds."""

INCOMPATIBLE_SCHEMA = "incompatible_schema"


@dataclass(frozen=True, slots=True)
class Feed:
    """How a landing fills one storage table.

    Attributes:
        table: Storage table.
        columns: Expression of each column over the landing, named `l`. Columns of the table that
            the writer schema does not know stay empty.
        where: Condition on the landing's rows; empty for all.
    """

    table: Table
    columns: Mapping[str, str]
    where: str = ""

    def select(self, landing: str) -> str:
        """Query of the materialized view."""
        columns = ", ".join(f"{sql} AS `{name}`" for name, sql in self.columns.items())
        where = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {columns} FROM {landing} AS l{where}"  # noqa: S608  names from this package


@dataclass(frozen=True, slots=True)
class Landing:
    """One landing.

    Attributes:
        name: Table name; tells apart every definition.
        statements: Statements that create it; running them again changes nothing.
        file_header: Head of an Avro file whose records are Kafka time and record.
    """

    name: str
    statements: tuple[str, ...]
    file_header: bytes


def landing(topic: str, writer_schema: AvroSchema) -> Landing | Rejected:
    """Landing for records that one schema wrote to one topic.

    Args:
        topic: Topic the sink reads.
        writer_schema: Schema as fastavro parsed it.

    Returns:
        A rejection when the schema is not compatible with the topic's contract.

    Raises:
        KeyError: a topic the sink does not read (a bug).
    """
    definition = _DEFINITIONS[topic]
    reader = contract(topic).parsed()
    schema = {key: value for key, value in writer_schema.items() if not key.startswith("__")}
    problem = _incompatibility(reader, schema)
    if problem:
        return Rejected(INCOMPATIBLE_SCHEMA, f"No schema for {topic}: {problem}")
    try:
        columns = ", ".join(
            f"`{field['name']}` {clickhouse_type(field['type'])}" for field in _fields(schema)
        )
    except ValueError as error:
        return Rejected(INCOMPATIBLE_SCHEMA, str(error))
    constraints, feeds = definition(schema)
    checks = "".join(f", CONSTRAINT {name} CHECK {sql}" for name, sql in constraints.items())
    body = f"({columns}{checks}) ENGINE = Null"
    parts = (body, *(f"{feed.table.name} {feed.select('')}" for feed in feeds))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    name = f"landing_{topic.replace('.', '_')}_{digest}"
    return Landing(
        name,
        (
            f"CREATE TABLE IF NOT EXISTS {name} {body}",
            *(
                f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}_{feed.table.name} "
                f"TO {feed.table.name} AS {feed.select(name)}"
                for feed in feeds
            ),
        ),
        _file_header(schema),
    )


def _fields(schema: AvroSchema) -> list[AvroSchema]:
    kafka_time = {"name": KAFKA_TIME, "type": {"type": "long", "logicalType": "timestamp-millis"}}
    return [kafka_time, *schema["fields"]]


def _file_header(schema: AvroSchema) -> bytes:
    out = BytesIO()
    # A record is its fields one after the other, so a field put in front is bytes put in front.
    writer(out, {**schema, "fields": _fields(schema)}, [], sync_marker=SYNC_MARKER)
    return out.getvalue()


def _incompatibility(reader: AvroSchema, writer_schema: AvroSchema) -> str:
    """Why a reader schema cannot read what a schema wrote; empty when it can."""
    try:
        checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
        result = checker.get_compatibility(_parsed(reader), _parsed(writer_schema))
    except AvroException as error:
        return str(error)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return ""
    return "; ".join(sorted(result.messages))


def _parsed(schema: AvroSchema) -> Any:
    return parse(json.dumps({k: v for k, v in schema.items() if not k.startswith("__")}))


_Definition = tuple[Mapping[str, str], tuple[Feed, ...]]
"""Constraints by name, and feeds."""


def _infrastructure(schema: AvroSchema) -> _Definition:
    known = {field["name"]: field["type"] for field in schema["fields"]}
    stored = [kind for kind in kinds().values() if kind.kind in known]
    payloads = " OR ".join(f"kind = '{k.kind}' AND {k.kind} IS NOT NULL" for k in stored)
    constraints = {
        "record_id_filled": "record_id != ''",
        "version_not_negative": "version >= 0",
        "kind_known_and_payload_filled": payloads,
    }
    envelope = {
        "record_id": "l.record_id",
        "record_status": "l.status",
        "replaced_by": "l.replaced_by",
        "version": "toUInt64(l.version)",
        "event_time": "l.event_time",
        "observed_at": "l.observed_at",
        "source_ids": "arraySort(arrayDistinct(l.members.source_id))",
        "flags": "l.flags",
    }
    lineage = {"members": "l.members", "provenance": "l.provenance"}
    return constraints, tuple(
        Feed(table, columns | _payload(kind, known[kind.kind]), f"l.kind = '{kind.kind}'")
        for kind in stored
        for table, columns in ((kind.versions, envelope | lineage), (kind.latest, envelope))
    )


def _payload(kind: KindTables, union: list[AvroSchema]) -> dict[str, str]:
    written = {field["name"] for field in union[1]["fields"]}
    return {name: sql for name, sql in _payload_columns(kind) if name in written}


def _payload_columns(kind: KindTables) -> Iterator[tuple[str, str]]:
    for column in kind.payload:
        value = f"tupleElement(l.{kind.kind}, '{column.name}')"
        nullable = column.type.startswith(("Nullable(", "Array("))
        yield column.name, value if nullable else f"assumeNotNull({value})"


def _plain(table: Table, schema: AvroSchema, constraints: Mapping[str, str]) -> _Definition:
    """A topic that fills one table with columns named like its fields."""
    written = {field["name"] for field in schema["fields"]}
    columns = {
        column.name: f"l.{column.name}" for column in table.columns if column.name in written
    }
    if "raw" in written:
        columns |= {f"raw_{name}": f"l.raw.{name}" for name in ("topic", "partition", "offset")}
    if any(column.name == "published_at" for column in table.columns):
        columns["published_at"] = f"l.{KAFKA_TIME}"
    return constraints, (Feed(table, columns),)


_DEFINITIONS: Mapping[str, Callable[[AvroSchema], _Definition]] = {
    "market.infrastructure": _infrastructure,
    "record.outcomes": lambda schema: _plain(
        RECORD_OUTCOMES,
        schema,
        {"versions_not_negative": "arrayAll(it -> tupleElement(it, 'version') >= 0, canonical)"},
    ),
    "dead_letters": lambda schema: _plain(DEAD_LETTERS, schema, {}),
    "quality.scores": lambda schema: _plain(
        QUALITY_SCORES, schema, {"version_not_negative": "version >= 0"}
    ),
}
TOPICS = tuple(_DEFINITIONS)
"""Topics the sink reads."""
