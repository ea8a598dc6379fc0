"""Every table and view of the sink, as data.

Analysts read the views; the storage tables behind them (`store_…`) may hold a row more than once.

    power_plants            one row a plant: its highest version, listed plants only
    power_plants_history    every version of every plant, once
    lng_inventory           one row a gas day and entity: its highest version
    lng_inventory_history   every version, once
    infrastructure          what all kinds share, one row a record, withdrawn and merged ones too
    record_outcomes         what became of each raw record, one row an output kind
    dead_letters            rejected raw records with their original bytes
    quality_scores          one row a source, dimension and window
    sink_rejects            records of these topics that are no rows

Payload columns and their comments come from the contract of `market.infrastructure`: a field
added there becomes a column here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from streams.contracts import AvroSchema, contract

DEDUPLICATION_WINDOW = 10_000
"""Inserts a table remembers the token of; ClickHouse's own default 0 ignores tokens."""

UTC_MILLIS = "DateTime64(3, 'UTC')"

# Few distinct values: a dictionary is smaller and groups faster. Only non-null strings: the
# driver writes LowCardinality(Nullable) twice as slowly.
_LOW_CARDINALITY = frozenset({"primary_fuel", "scope", "status"})

KIND_VIEWS: Mapping[str, str] = {"power_plant": "power_plants", "lng_inventory": "lng_inventory"}
"""View of each canonical kind that is stored; the kind is the payload field of the contract."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Column name, with its unit where it has one.
        type: ClickHouse type, written exactly as `system.columns` shows it.
        comment: Meaning, unit, meaning of null.
    """

    name: str
    type: str
    comment: str

    def definition(self) -> str:
        """The column as `CREATE TABLE` and `ADD COLUMN` want it."""
        return f"`{self.name}` {self.type} COMMENT {quoted(self.comment)}"


@dataclass(frozen=True, slots=True)
class Table:
    """One storage table, a ReplacingMergeTree.

    Attributes:
        name: Table name.
        columns: All columns.
        order_by: Sorting key; rows equal in it are one row.
        version: Column whose highest value wins among equal rows; empty: the row inserted last.
        comment: What a row is.
    """

    name: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    version: str
    comment: str

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def sorting_key(self) -> str:
        """The sorting key, written as `system.tables` shows it."""
        key = ", ".join(self.order_by)
        return key if len(self.order_by) == 1 else f"({key})"

    def create(self) -> str:
        """Statement that creates the table unless it is there."""
        columns = ",\n  ".join(column.definition() for column in self.columns)
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (\n  {columns}\n)\n"
            f"ENGINE = ReplacingMergeTree({self.version})\n"
            f"ORDER BY {self.sorting_key}\n"
            f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}\n"
            f"COMMENT {quoted(self.comment)}"
        )


@dataclass(frozen=True, slots=True)
class View:
    """One view for analysts; reads its tables with FINAL, so repeats never show.

    Attributes:
        name: View name.
        select: Its query.
        comment: What a row is.
    """

    name: str
    select: str
    comment: str

    def create(self) -> str:
        """Statement that creates or replaces the view."""
        return f"CREATE OR REPLACE VIEW {self.name} AS {self.select} COMMENT {quoted(self.comment)}"


@dataclass(frozen=True, slots=True)
class KindTables:
    """The two storage tables of one canonical kind; both have the same columns.

    Attributes:
        kind: Canonical kind.
        versions: Every version.
        latest: The highest version of each record.
        payload: Names of the payload columns, in contract order.
    """

    kind: str
    versions: Table
    latest: Table
    payload: tuple[str, ...]


ENVELOPE = (
    Column("record_id", "String", "Stable identifier."),
    Column("record_status", "LowCardinality(String)", "current, withdrawn or merged."),
    Column("replaced_by", "Nullable(String)", "record_id that took over; null unless merged."),
    Column("version", "UInt64", "Grows with every change of this record."),
    Column(
        "event_time",
        f"Nullable({UTC_MILLIS})",
        "Start of the period an observation is about; null for assets.",
    ),
    Column("observed_at", UTC_MILLIS, "Fetch time of the newest contributing raw record."),
    Column("source_ids", "Array(LowCardinality(String))", "Sources of the members, sorted."),
    Column("flags", "Array(LowCardinality(String))", "Rule ids of failed soft checks."),
    Column("members", "String", "Contributing source records with lineage and licence, JSON."),
    Column(
        "provenance", "String", "JSON: where each value comes from, member = index into members."
    ),
)
"""Columns every kind has, before those of its payload."""

_RAW = (
    Column("raw_topic", "LowCardinality(String)", "Raw topic."),
    Column("raw_partition", "Int32", "Partition of the raw record."),
    Column("raw_offset", "Int64", "Offset of the raw record."),
)
_RAW_KEY = tuple(column.name for column in _RAW)
_PUBLISHED_AT = Column("published_at", UTC_MILLIS, "Kafka time of this record; the latest wins.")

RECORD_OUTCOMES = Table(
    "store_record_outcomes",
    (
        *_RAW,
        Column("source_id", "LowCardinality(String)", "Source."),
        Column("record_id", "Nullable(String)", "The source's own identifier; null: unreadable."),
        Column("output_kind", "LowCardinality(String)", "Canonical kind this is about."),
        Column(
            "outcome",
            "LowCardinality(String)",
            "changed, unchanged, superseded, rejected or withdrawn.",
        ),
        Column("stage", "LowCardinality(String)", "Stage that decided."),
        Column("record_time", UTC_MILLIS, "Fetch time of the raw record."),
        Column("rule_id", "Nullable(String)", "Rule that rejected; null unless rejected."),
        Column(
            "canonical",
            "Array(Tuple(record_id String, version UInt64))",
            "Canonical versions published because of this record.",
        ),
        Column("flags", "Array(LowCardinality(String))", "Rule ids of failed soft checks."),
        _PUBLISHED_AT,
    ),
    order_by=(*_RAW_KEY, "output_kind"),
    version="published_at",
    comment="Storage of the view record_outcomes.",
)

DEAD_LETTERS = Table(
    "store_dead_letters",
    (
        *_RAW,
        Column("source_id", "LowCardinality(String)", "Source."),
        Column("record_id", "Nullable(String)", "The source's own identifier; null: unreadable."),
        Column("key", "Nullable(String)", "Original key, bytes."),
        Column("value", "Nullable(String)", "Original value, bytes; null for a tombstone."),
        Column("headers", "Array(Tuple(name String, value Nullable(String)))", "Original headers."),
        Column("record_time", UTC_MILLIS, "Kafka time of the original record."),
        Column("schema_id", "Nullable(Int32)", "Registry schema id; null when there is none."),
        Column("stage", "LowCardinality(String)", "Stage that rejected it."),
        Column("rule_id", "LowCardinality(String)", "Reason code."),
        Column("field", "Nullable(String)", "Field the rule is about."),
        Column("observed", "Nullable(String)", "What was seen, shortened."),
        Column("limit", "Nullable(String)", "What is allowed."),
        Column("message", "String", "What is wrong and what to do."),
        Column("code_version", "LowCardinality(String)", "Version of the product."),
        _PUBLISHED_AT,
    ),
    order_by=(*_RAW_KEY, "stage", "rule_id"),
    version="published_at",
    comment="Storage of the view dead_letters.",
)

QUALITY_SCORES = Table(
    "store_quality_scores",
    (
        Column("source_id", "LowCardinality(String)", "Source."),
        Column("dimension", "LowCardinality(String)", "One of the five dimensions, or total."),
        Column("window_start", UTC_MILLIS, "Start of the window by record time."),
        Column("window_end", UTC_MILLIS, "End of the window, exclusive."),
        Column("version", "UInt64", "Grows each time a late record changes the window."),
        Column("record_count", "Int64", "Distinct raw records in the window."),
        Column("failed_count", "Int64", "Of these, records that failed a check."),
        Column("score", "Float64", "0 to 100."),
    ),
    order_by=("source_id", "dimension", "window_start"),
    version="version",
    comment="Storage of the view quality_scores.",
)

SINK_REJECTS = Table(
    "store_sink_rejects",
    (
        Column("topic", "LowCardinality(String)", "Topic of the record."),
        Column("topic_id", "LowCardinality(String)", "UUID of the topic: a recreated one differs."),
        Column("partition", "Int32", "Partition."),
        Column("offset", "Int64", "Offset."),
        Column("record_time", UTC_MILLIS, "Kafka time of the record."),
        Column("key", "Nullable(String)", "Key, bytes."),
        Column("value", "Nullable(String)", "Value, bytes; null for a tombstone."),
        Column("rule_id", "LowCardinality(String)", "Reason code."),
        Column("message", "String", "What is wrong."),
    ),
    order_by=("topic", "topic_id", "partition", "offset"),
    version="",
    comment="Storage of the view sink_rejects.",
)


def quoted(text: str) -> str:
    """Text as a ClickHouse string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def clickhouse_type(avro: Any) -> str:
    """ClickHouse type of an Avro type.

    A date becomes Date32: a Date cannot hold what Avro can. Integers and floats keep their width.

    Raises:
        ValueError: an Avro type that no payload may use (a bug in the contract).
    """
    match avro:
        case ["null", inner]:
            return f"Nullable({clickhouse_type(inner)})"
        case {"logicalType": "timestamp-millis"}:
            return UTC_MILLIS
        case {"logicalType": "date"}:
            return "Date32"
        case {"type": "array", "items": items}:
            return f"Array({clickhouse_type(items)})"
        case {"type": "record", "fields": fields}:
            inner = ", ".join(f"{f['name']} {clickhouse_type(f['type'])}" for f in fields)
            return f"Tuple({inner})"
        case str() if avro in _PRIMITIVES:
            return _PRIMITIVES[avro]
    raise ValueError(f"No column type for {avro!r}.")


_PRIMITIVES = {
    "string": "String",
    "double": "Float64",
    "int": "Int32",
    "long": "Int64",
    "boolean": "Bool",
}


def payload_schema(schema: AvroSchema, kind: str) -> AvroSchema:
    """Record schema of the payload field of one kind."""
    (field,) = (field for field in schema["fields"] if field["name"] == kind)
    record: AvroSchema = field["type"][1]
    return record


def kind_tables(schema: AvroSchema, kind: str) -> KindTables:
    """Storage of one kind, from the canonical contract."""
    payload = tuple(_payload_column(field) for field in payload_schema(schema, kind)["fields"])
    columns = (*ENVELOPE, *payload)
    view = KIND_VIEWS[kind]
    versions = Table(
        f"store_{view}_versions",
        columns,
        order_by=("record_id", "version"),
        version="",
        comment=f"Storage of the view {view}_history.",
    )
    latest = Table(
        f"store_{view}_latest",
        columns,
        order_by=("record_id",),
        version="version",
        comment=f"Storage of the view {view}.",
    )
    return KindTables(kind, versions, latest, tuple(column.name for column in payload))


def _payload_column(field: Mapping[str, Any]) -> Column:
    type_ = clickhouse_type(field["type"])
    if field["name"] in _LOW_CARDINALITY and type_ == "String":
        type_ = "LowCardinality(String)"
    return Column(field["name"], type_, field["doc"])


@cache
def all_kinds() -> Mapping[str, KindTables]:
    """Storage of every kind, by kind.

    Raises:
        SettingsError: the canonical contract cannot be read.
    """
    schema = contract("market.infrastructure").latest
    return {kind: kind_tables(schema, kind) for kind in KIND_VIEWS}


def all_tables() -> tuple[Table, ...]:
    """Every storage table."""
    kinds = all_kinds().values()
    return (
        *(table for kind in kinds for table in (kind.versions, kind.latest)),
        RECORD_OUTCOMES,
        DEAD_LETTERS,
        QUALITY_SCORES,
        SINK_REJECTS,
    )


def all_views() -> tuple[View, ...]:
    """Every view, after all tables exist."""
    views: list[View] = []
    for kind in all_kinds().values():
        name = KIND_VIEWS[kind.kind]
        views.append(
            View(
                name,
                f"{_select(kind.latest)} WHERE record_status = 'current'",
                f"Every {kind.kind} some source lists, one row each, at its highest version.",
            )
        )
        views.append(
            View(
                f"{name}_history",
                _select(kind.versions),
                f"Every version of every {kind.kind}, withdrawn and merged ones too.",
            )
        )
    views.append(_infrastructure_view())
    views.extend(
        View(table.name.removeprefix("store_"), _select(table), comment)
        for table, comment in (
            (RECORD_OUTCOMES, "What became of each raw record, one row an output kind."),
            (DEAD_LETTERS, "Rejected raw records with their original bytes."),
            (QUALITY_SCORES, "Quality of each source by dimension and window, 0 to 100."),
            (SINK_REJECTS, "Records of the sink's topics that could not become rows."),
        )
    )
    return tuple(views)


def _select(table: Table) -> str:
    return f"SELECT {_names(table.columns)} FROM {table.name} FINAL"  # noqa: S608  names from this file


def _infrastructure_view() -> View:
    selects = (
        f"SELECT '{kind.kind}' AS kind, {_names(ENVELOPE)} FROM {kind.latest.name} FINAL"  # noqa: S608
        for kind in all_kinds().values()
    )
    return View(
        "infrastructure",
        " UNION ALL ".join(selects),
        "Every record of every kind at its highest version, withdrawn and merged ones too.",
    )


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)
