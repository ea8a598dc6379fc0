"""Landings: where the Avro bytes of a topic enter ClickHouse and how they become rows.

ClickHouse decodes the records itself; in Python decoding alone would take two thirds of the time
of a batch. A landing is a table without storage (engine Null) whose columns are fields of one
writer schema, constraints that refuse what no row may be made of, and one materialized view for
each storage table it feeds. One insert into the landing therefore fills every table.

Each view costs an insert some milliseconds, rows or not. So the canonical kinds, which share a
topic, have a landing each, and only the head of a record is decoded here to find its kind.

The name of a landing contains a hash of its definition: it never changes in place, so two versions
of the sink can write side by side while one replaces the other.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from types import MappingProxyType
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import parse
from fastavro import writer

from streams.avro.contracts import AvroSchema, contract
from streams.avro.reader import AvroError, compile_reader
from streams.clickhouse import prepared
from streams.clickhouse.table import Table, quoted
from streams.clickhouse.tables import (
    ASSETS,
    CANDIDATES,
    CHANGES,
    DEAD_LETTERS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    REPLAYS,
    ROW_JSON,
    SERIES_KINDS,
    KindTables,
    kinds,
)
from streams.clickhouse.types import clickhouse_type
from streams.core.errors import Rejected

SYNC_MARKER = bytes(16)
"""Marker between the blocks of the Avro files sent; any constant does."""

KAFKA_FIELDS: tuple[AvroSchema, ...] = (
    {"name": "kafka_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "kafka_offset", "type": "long"},
    {"name": "kafka_partition", "type": "int"},
    {"name": "kafka_topic_id", "type": "string"},
)
"""Fields put before those of the writer schema: when and where the record was read."""

_KEY_FIELD: AvroSchema = {"name": "kafka_key", "type": "string"}
"""Put after them where a row is what a key stands for."""

_POSITION = {
    "topic_id": "kafka_topic_id",
    "partition": "kafka_partition",
    "offset": "kafka_offset",
    "published_at": "kafka_time",
}

_BODY, _ROW = "prepared_body", "prepared_row"
"""Columns of a landing; no field of a contract is named so."""

INCOMPATIBLE_SCHEMA = "incompatible_schema"
BAD_AVRO = "bad_avro"
UNKNOWN_KIND = "unknown_kind"

_AS_WRITTEN = ("position_spread_km", "links", "members", "provenance")


@dataclass(frozen=True, slots=True)
class Feed:
    """How a landing fills one storage table.

    Attributes:
        table: Storage table.
        columns: Expression of each column over the landing, named `l`. Columns of the table that
            the writer schema does not know stay empty.
    """

    table: Table
    columns: Mapping[str, str]

    def select(self, landing: str) -> str:
        """Query of the materialized view."""
        columns = ", ".join(f"{sql} AS `{name}`" for name, sql in self.columns.items())
        return f"SELECT {columns} FROM {landing} AS l"  # noqa: S608  names from this package


@dataclass(frozen=True, slots=True)
class Landing:
    """One landing.

    Attributes:
        name: Table name; tells apart every definition.
        statements: Statements that create it; running them again changes nothing.
        file_header: Head of an Avro file whose records are `KAFKA_FIELDS`, perhaps the key, and
            record.
        keyed: Whether the key of a record is among its fields.
    """

    name: str
    statements: tuple[str, ...]
    file_header: bytes
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where the records go that one schema wrote to one topic.

    Attributes:
        landings: By canonical kind; a topic without kinds has one landing under "".
        read_head: Reads a record's fields up to `kind`; None for a topic without kinds.
    """

    landings: Mapping[str, Landing]
    # Follows from the schema, as the landings do.
    read_head: Callable[[bytes, int], Mapping[str, Any]] | None = field(default=None, compare=False)

    def landing_of(self, body: bytes) -> Landing | Rejected:
        """Landing of a record, from its bytes without framing."""
        if self.read_head is None:
            return self.landings[""]
        try:
            kind = self.read_head(body, 0)["kind"]
        except AvroError as error:
            return Rejected(BAD_AVRO, f"The bytes do not fit the schema: {error}")
        landing = self.landings.get(kind)
        return landing or Rejected(UNKNOWN_KIND, f"No table holds the kind {kind!r}.", "kind")


def route(topic: str, writer_schema: AvroSchema) -> Route | Rejected:
    """Route for records that one schema wrote to one topic.

    Args:
        topic: Topic the sink reads.
        writer_schema: Schema as fastavro parsed it.

    Returns:
        A rejection when the schema is not compatible with the topic's contract.

    Raises:
        KeyError: a topic the sink does not read (a bug).
    """
    build = _BUILDERS[topic]
    schema = _bare(writer_schema)
    problem = _incompatibility(_bare(contract(topic).parsed()), schema)
    if problem:
        return Rejected(INCOMPATIBLE_SCHEMA, f"No schema for {topic}: {problem}")
    try:
        return build(topic, schema)
    except ValueError as error:
        return Rejected(INCOMPATIBLE_SCHEMA, str(error))


def _bare(avro: Any) -> Any:
    """A schema without its documentation and the parser's marks: ClickHouse reads it each time."""
    match avro:
        case dict():
            kept = {k: v for k, v in avro.items() if k != "doc" and not k.startswith("__")}
            return {key: _bare(value) for key, value in kept.items()}
        case list():
            return [_bare(item) for item in avro]
    return avro


def _incompatibility(reader: AvroSchema, writer_schema: AvroSchema) -> str:
    """Why a reader schema cannot read what a schema wrote; empty when it can."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    try:
        result = checker.get_compatibility(
            parse(json.dumps(reader)), parse(json.dumps(writer_schema))
        )
    except AvroException as error:
        return str(error)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return ""
    return "; ".join(sorted(result.messages))


def _landing(
    topic: str,
    schema: AvroSchema,
    unread: set[str],
    checks: list[str],
    feeds: tuple[Feed, ...],
    *,
    keyed: bool = False,
    prepares: Mapping[str, str] = MappingProxyType({}),
) -> Landing:
    """A landing for all fields of a schema but the unread ones, which ClickHouse skips.

    `prepares` are further columns of text that several views take, computed from those fields.
    """
    fields = [*KAFKA_FIELDS, *([_KEY_FIELD] if keyed else []), *schema["fields"]]
    parts = [
        f"`{field['name']}` {clickhouse_type(field['type'])}"
        for field in fields
        if field["name"] not in unread
    ]
    # Here and not in the views: it is computed once, and each view is planned in less time.
    parts += [f"`{name}` String MATERIALIZED {sql}" for name, sql in prepares.items()]
    parts += [f"CONSTRAINT check_{i} CHECK {check}" for i, check in enumerate(checks)]
    table = f"({', '.join(parts)}) ENGINE = Null"
    definition = [table, *(f"{feed.table.name} {feed.select('')}" for feed in feeds)]
    digest = hashlib.sha256("\n".join(definition).encode()).hexdigest()[:12]
    name = f"landing_{topic.replace('.', '_')}_{digest}"
    header = BytesIO()
    # A record is its fields one after the other, so a field put in front is bytes put in front.
    writer(header, {**schema, "fields": fields}, [], sync_marker=SYNC_MARKER)
    return Landing(
        name,
        (
            f"CREATE TABLE IF NOT EXISTS {name} {table}",
            *(
                f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}_{feed.table.name} "
                f"TO {feed.table.name} AS {feed.select(name)}"
                for feed in feeds
            ),
        ),
        header.getvalue(),
        keyed,
    )


def _infrastructure(topic: str, schema: AvroSchema) -> Route:
    names = [field["name"] for field in schema["fields"]]
    stored = {name: kinds()[name] for name in names if name in kinds()}
    landings = {
        name: _kind_landing(topic, schema, kind, unread=set(stored) - {name})
        for name, kind in stored.items()
    }
    return Route(landings, compile_reader(schema, "kind"))


def _kind_landing(topic: str, schema: AvroSchema, kind: KindTables, unread: set[str]) -> Landing:
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    written = {field["name"] for field in fields[kind.kind][1]["fields"]}
    checks = ["record_id != ''", "version >= 0", f"{kind.kind} IS NOT NULL"]

    def values(of: str) -> dict[str, str]:
        return {
            "record_id": f"{of}record_id",
            "record_status": f"{of}status",
            "replaced_by": f"{of}replaced_by",
            "version": f"toUInt64({of}version)",
            "event_time": f"{of}event_time",
            "observed_at": f"{of}observed_at",
            "known_at": f"{of}{'known_at' if 'known_at' in fields else 'observed_at'}",
            "source_ids": f"arraySort(arrayDistinct({of}members.source_id))",
            "flags": f"{of}flags",
            **{name: f"{of}{name}" for name in _AS_WRITTEN if name in fields},
            **{name: sql for name, sql in _payload(kind, of) if name in written},
            "topic": quoted(topic),
            **{name: f"{of}{field}" for name, field in _POSITION.items()},
        }

    own = values("")
    prepares = {_BODY: prepared.body(kind, own), _ROW: prepared.row(kind, own)}
    stored = values("l.") | {
        "kind": quoted(kind.kind),
        "body": f"l.{_BODY}",
        ROW_JSON.name: f"l.{_ROW}",
    }
    feeds = [Feed(table, _of(table, stored)) for table in (kind.versions, kind.latest, CHANGES)]
    if kind.kind not in SERIES_KINDS:
        feeds.append(Feed(ASSETS, prepared.asset(kind, stored)))
    return _landing(topic, schema, unread, checks, tuple(feeds), prepares=prepares)


def _of(table: Table, values: Mapping[str, str]) -> Mapping[str, str]:
    """The values of a table's columns."""
    names = (column.name for column in table.stored_columns)
    return {name: values[name] for name in names if name in values}


def _payload(kind: KindTables, of: str) -> Iterator[tuple[str, str]]:
    for column in kind.payload:
        value = f"tupleElement({of}{kind.kind}, '{column.name}')"
        nullable = column.type.startswith(("Nullable(", "Array("))
        yield column.name, value if nullable else f"assumeNotNull({value})"


def _single(table: Table, *checks: str) -> Callable[[str, AvroSchema], Route]:
    """A topic that fills one table with columns named like its fields."""

    def build(topic: str, schema: AvroSchema) -> Route:
        written = {field["name"] for field in schema["fields"]}
        columns = {one.name: f"l.{one.name}" for one in table.columns if one.name in written}
        if "raw" in written:
            columns |= {f"raw_{name}": f"l.raw.{name}" for name in ("topic", "partition", "offset")}
        if any(column.name == "published_at" for column in table.columns):
            columns["published_at"] = f"l.{_POSITION['published_at']}"
        feed = Feed(table, columns)
        unread = {field["name"] for field in KAFKA_FIELDS} - {"kafka_time"}
        return Route({"": _landing(topic, schema, unread, list(checks), (feed,))})

    return build


def _candidate_landing(topic: str, schema: AvroSchema, state: str) -> Landing:
    written = {field["name"] for field in schema["fields"]}
    time_ms = "toUInt64(toUnixTimestamp64Milli(l.kafka_time))"
    values = {
        **{name: f"l.{name}" for name in written},
        "key": "l.kafka_key",
        "open": state,
        "published_at": "l.kafka_time",
        # Several records of one key may have one time, and are one after the other then.
        "version": f"toUInt64({time_ms} * 1048576 + l.kafka_offset % 1048576)",
    }
    feed = Feed(CANDIDATES, _of(CANDIDATES, values))
    unread = {"kafka_partition", "kafka_topic_id"}
    return _landing(topic, schema, unread, [], (feed,), keyed=True)


def _candidates(topic: str, schema: AvroSchema) -> Route:
    return Route({"": _candidate_landing(topic, schema, "true")})


@cache
def tombstone_landing(topic: str) -> Landing | None:
    """Where a tombstone goes that ends what its key stands for; None: it is no row."""
    if topic != "reconcile.candidates":
        return None
    return _candidate_landing(topic, {"type": "record", "name": "Tombstone", "fields": []}, "false")


_BUILDERS: Mapping[str, Callable[[str, AvroSchema], Route]] = {
    "market.infrastructure": _infrastructure,
    "record.outcomes": _single(
        RECORD_OUTCOMES, "arrayAll(it -> tupleElement(it, 'version') >= 0, canonical)"
    ),
    "dead_letters": _single(DEAD_LETTERS),
    "quality.scores": _single(QUALITY_SCORES, "version >= 0"),
    "reconcile.candidates": _candidates,
    "pipeline.replays": _single(REPLAYS),
}
TOPICS = tuple(_BUILDERS)
"""Topics the sink reads."""
