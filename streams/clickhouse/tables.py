"""The storage tables of the sink, as data. Analysts read the views of `views.py` instead.

Payload columns, their types and their comments come from the contract of `market.infrastructure`:
a field added there becomes a column here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from streams.avro.contracts import AvroSchema, contract
from streams.clickhouse.table import Column, Table
from streams.clickhouse.types import UTC_MILLIS, clickhouse_type

KINDS: Mapping[str, str] = {
    "power_plant": "power_plants",
    "lng_terminal": "lng_terminals",
    "lng_inventory": "lng_inventory",
    "renewable_resource": "renewable_resources",
    "renewable_project": "renewable_projects",
    "substation": "substations",
    "transmission_line": "transmission_lines",
    "transmission_project": "transmission_projects",
}
"""View of each canonical kind that is stored; the kind is the payload field of the contract."""

SERIES_KINDS = frozenset({"lng_inventory"})
"""Kinds whose records are points of time series; all others are assets."""

LINEAGE = ("members", "provenance")
"""Fields of a canonical record that only its versions keep in columns of their own."""

_GRANULARITY = 256

_AROUND = ("position_spread_km", "links")

# Few distinct values: a dictionary is smaller and groups faster.
_LOW_CARDINALITY = frozenset({"primary_fuel", "scope", "status"})


@dataclass(frozen=True, slots=True)
class KindTables:
    """The two storage tables of one canonical kind.

    Attributes:
        kind: Canonical kind.
        view: Name of its view for analysts.
        payload: Columns of its payload, in contract order.
        versions: Every version, with members and provenance.
        latest: The highest version of each record, without them.
    """

    kind: str
    view: str
    payload: tuple[Column, ...]
    versions: Table
    latest: Table


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
    Column(
        "known_at",
        UTC_MILLIS,
        "Fetch time of the newest raw record this version follows from, neighbours included.",
        default="observed_at",
    ),
    Column("source_ids", "Array(LowCardinality(String))", "Sources of the members, sorted."),
    Column("flags", "Array(LowCardinality(String))", "Rule ids of failed soft checks."),
)
"""What every kind has, before the columns of its payload."""

POSITION = (
    Column(
        "topic",
        "LowCardinality(String)",
        "Topic the version was read from.",
        default="'market.infrastructure'",
    ),
    Column(
        "topic_id",
        "LowCardinality(String)",
        "UUID of that topic: offsets of a recreated one start again. Empty: stored before it was.",
    ),
    Column("partition", "Nullable(Int32)", "Partition; null: stored before it was kept."),
    Column("offset", "Nullable(Int64)", "Offset; null: stored before it was kept."),
    Column(
        "published_at",
        f"Nullable({UTC_MILLIS})",
        "Kafka time of the version; null: stored before it was kept.",
    ),
)
"""Where a version was read, after the columns of its payload."""

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
        Column("generation", "Int32", "Generation that decided; a rebuild raises it."),
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
)

DEAD_LETTERS = Table(
    "store_dead_letters",
    (
        *_RAW,
        Column("source_id", "LowCardinality(String)", "Source."),
        Column("record_id", "Nullable(String)", "The source's own identifier; null: unreadable."),
        Column("key", "Nullable(String)", "Original key, bytes."),
        Column("value", "Nullable(String)", "Original value, bytes; null for a tombstone."),
        Column(
            "headers",
            "Array(Tuple(name String, value Nullable(String)))",
            "Original headers, values are bytes.",
        ),
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
)

_KIND = Column("kind", "LowCardinality(String)", "Canonical kind.")
_BODY = Column("body", "String", "The version as one JSON object, members and provenance included.")

ASSETS = Table(
    "store_assets",
    (
        Column("record_id", "String", "Stable identifier."),
        _KIND,
        *(
            column
            for column in ENVELOPE
            if column.name in ("record_status", "replaced_by", "version")
        ),
        Column("known_at", UTC_MILLIS, "Fetch time of the newest raw record it follows from."),
        Column("country_code", "LowCardinality(String)", "ISO 3166-1 alpha-2; empty: not known."),
        Column("status", "LowCardinality(String)", "operating and so on; empty: has none."),
        Column("name", "String", "Name; of a line without one its ends."),
        Column("latitude", "Nullable(Float64)", "WGS84 degrees; of a line its first end."),
        Column("longitude", "Nullable(Float64)", "WGS84 degrees; of a line its first end."),
        Column("to_latitude", "Nullable(Float64)", "Of the other end; null unless a line."),
        Column("to_longitude", "Nullable(Float64)", "Of the other end; null unless a line."),
        Column("capacity_mw", "Nullable(Float64)", "Capacity, MW; null: none, or not reported."),
        Column("search_text", "String", "Names and aliases, folded: lower case, no accents."),
        _BODY,
    ),
    order_by=("record_id",),
    version="version",
    granularity=_GRANULARITY,
    merge_after_seconds=60,
)

CHANGES = Table(
    "store_changes",
    (
        Column("topic_id", "LowCardinality(String)", "UUID of market.infrastructure."),
        Column("partition", "Int32", "Partition."),
        Column("offset", "Int64", "Offset."),
        _KIND,
        *(
            column
            for column in ENVELOPE
            if column.name in ("record_id", "record_status", "version")
        ),
        Column("known_at", UTC_MILLIS, "Fetch time of the newest raw record it follows from."),
        Column("published_at", UTC_MILLIS, "Kafka time of the version."),
        _BODY,
    ),
    order_by=("topic_id", "partition", "offset"),
    version="",
    granularity=_GRANULARITY,
)

LOADED = Table(
    "store_loaded",
    (
        Column("topic_id", "LowCardinality(String)", "UUID of market.infrastructure."),
        Column("partition", "Int32", "Partition."),
        Column("offset", "Int64", "Every version up to here is stored."),
        Column("published_at", UTC_MILLIS, "Kafka time of the record at that offset."),
    ),
    order_by=("topic_id", "partition"),
    version="offset",
    merge_after_seconds=60,
)

MODEL_VERSION = Table(
    "model_version",
    (
        Column("version", "UInt32", "Version of the model; the highest is the present one."),
        Column("migrated_at", UTC_MILLIS, "When the tables got it."),
    ),
    order_by=("version",),
    version="",
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
)


@cache
def kinds() -> Mapping[str, KindTables]:
    """Storage of every kind, by kind, from the canonical contract.

    Raises:
        SettingsError: the contract cannot be read.
    """
    schema = contract("market.infrastructure").parsed()
    return {kind: _kind_tables(schema, kind, view) for kind, view in KINDS.items()}


def tables() -> tuple[Table, ...]:
    """Every storage table."""
    return (
        *(table for kind in kinds().values() for table in (kind.versions, kind.latest)),
        ASSETS,
        CHANGES,
        LOADED,
        RECORD_OUTCOMES,
        DEAD_LETTERS,
        QUALITY_SCORES,
        SINK_REJECTS,
        MODEL_VERSION,
    )


def _kind_tables(schema: AvroSchema, kind: str, view: str) -> KindTables:
    fields = {field["name"]: field for field in schema["fields"]}
    payload = tuple(_payload_column(field) for field in fields[kind]["type"][1]["fields"])
    around, lineage = (
        tuple(
            Column(name, clickhouse_type(fields[name]["type"]), fields[name]["doc"])
            for name in names
        )
        for names in (_AROUND, LINEAGE)
    )
    # A series is read by entity and days, an asset by its id.
    series = kind in SERIES_KINDS
    key = ("entity_id", "gas_day", "record_id") if series else ("record_id",)
    suffix = "_by_day" if series else ""
    return KindTables(
        kind,
        view,
        payload,
        Table(
            f"store_{view}_versions{suffix}",
            (*ENVELOPE, *around, *lineage, *payload, *POSITION),
            order_by=(*key, "version"),
            version="",
            granularity=_GRANULARITY,
            merge_after_seconds=600,
        ),
        Table(
            f"store_{view}_latest{suffix}",
            (*ENVELOPE, *around, *payload, *POSITION),
            order_by=key,
            version="version",
            granularity=_GRANULARITY,
            merge_after_seconds=60,
        ),
    )


def _payload_column(field: AvroSchema) -> Column:
    type_ = clickhouse_type(field["type"])
    if field["name"] in _LOW_CARDINALITY and type_ == "String":
        type_ = "LowCardinality(String)"
    return Column(field["name"], type_, field["doc"])
