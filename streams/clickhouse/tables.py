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
        latest: The highest version of each record, without them, and `row_json`.
    """

    kind: str
    view: str
    payload: tuple[Column, ...]
    versions: Table
    latest: Table

    @property
    def shown(self) -> tuple[str, ...]:
        """Columns that lists show: all but lists of records, such as units."""
        return tuple(
            column.name
            for column in self.latest.columns
            if "Tuple(" not in column.type and column.name != "topic_id"
        )


ROW_JSON = Column("row_json", "String", "What lists and series show of it, as one JSON object.")

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
        Column("key", "Nullable(String)", "Original key, bytes; null when it had none."),
        Column("value", "Nullable(String)", "Original value, bytes; null for a tombstone."),
        Column(
            "headers",
            "Array(Tuple(name String, value Nullable(String)))",
            "Original headers, values are bytes.",
        ),
        Column(
            "cuts",
            "Array(Tuple(part String, whole_bytes Int64, sha256 String))",
            "Parts of which only the beginning is kept, with size and digest of the whole.",
        ),
        Column("record_time", UTC_MILLIS, "Kafka time of the original record, from 1900 to 2299."),
        Column(
            "kafka_timestamp",
            "Nullable(Int64)",
            "Kafka time in milliseconds since 1970; null: it is record_time.",
        ),
        Column("schema_id", "Nullable(Int32)", "Registry schema id; null when there is none."),
        Column("stage", "LowCardinality(String)", "Stage that rejected it."),
        Column("rule_id", "LowCardinality(String)", "Reason code."),
        Column("field", "Nullable(String)", "Field the rule is about; null: the whole record."),
        Column("observed", "Nullable(String)", "What was seen, shortened; null: nothing to show."),
        Column("limit", "Nullable(String)", "What is allowed; null: the rule has no limit."),
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

_COUNTED = (
    ("sent", "sent through the pipeline again"),
    ("unchanged", "of which nothing would change"),
    ("changed", "that give another content now"),
    ("accepted", "that were rejected and are accepted now"),
    ("withdrawn", "that were accepted and are rejected now"),
    ("rejected", "rejected as before"),
    ("superseded", "that newer ones have replaced"),
    ("undecided", "that no stage had decided on yet"),
    ("too_large", "that differ but are larger than can be sent"),
)

REPLAYS = Table(
    "store_pipeline_replays",
    (
        Column("replay_id", "String", "Identifier of the replay."),
        Column(
            "status",
            "LowCardinality(String)",
            "running, interrupted or complete; one that was killed stays running.",
        ),
        Column("started_at", UTC_MILLIS, "When it began."),
        Column("ended_at", f"Nullable({UTC_MILLIS})", "When it ended; null: it has not."),
        Column("started_by", "String", "User and machine that ran it."),
        Column("code_version", "LowCardinality(String)", "Version of the product that compared."),
        Column("tolerances_sha256", "String", "SHA-256 of the tolerances it compared with, hex."),
        Column(
            "generation",
            "Int32",
            "Generation of the state it compared with; of a rebuild the new one.",
        ),
        Column("source_ids", "Array(LowCardinality(String))", "Sources of the raw records."),
        Column("fetched_from", f"Nullable({UTC_MILLIS})", "First fetch time; null: all."),
        Column("fetched_to", f"Nullable({UTC_MILLIS})", "Fetch time to stop before; null: all."),
        Column("record_id", "Nullable(String)", "Only this record of the source; null: all."),
        *(Column(f"{name}_count", "Int64", f"Raw records {what}.") for name, what in _COUNTED),
        Column("canonical_added_count", "Int64", "Canonical records that became current."),
        Column("canonical_changed_count", "Int64", "Canonical records with another content."),
        Column("canonical_gone_count", "Int64", "Canonical records that are no longer current."),
        Column(
            "changed_fields",
            "Array(Tuple(kind String, field String, record_count Int64))",
            "Fields that changed, with the canonical records that differ in each.",
        ),
        _PUBLISHED_AT,
    ),
    order_by=("replay_id",),
    version="published_at",
)

_KIND = Column("kind", "LowCardinality(String)", "Canonical kind.")

CANDIDATES = Table(
    "store_reconcile_candidates",
    (
        Column("key", "String", "Region, kind and both entities."),
        Column("open", "Bool", "Whether the pair is undecided; false: a tombstone closed it."),
        _KIND,
        Column("region", "Int32", "Region in which they meet."),
        Column("one_source_id", "LowCardinality(String)", "Source of the first entity."),
        Column("one_entity_id", "String", "Source entity id of the first."),
        Column("one_asset_id", "String", "Asset that the first is a member of."),
        Column("other_source_id", "LowCardinality(String)", "Source of the second entity."),
        Column("other_entity_id", "String", "Source entity id of the second."),
        Column("other_asset_id", "String", "Asset that the second is a member of."),
        Column("joined", "Bool", "Whether they are one asset as long as nobody decides."),
        Column("match_score", "Float64", "Sum of the parts, in log-odds."),
        Column("threshold", "Float64", "Score from which a pair may be joined, in log-odds."),
        Column(
            "parts",
            "Array(Tuple(evidence String, weight Float64))",
            "What each kind of evidence adds to the score, in log-odds.",
        ),
        Column(
            "would_decide",
            "Array(String)",
            "What at most one of the two says, of what would tell; empty: only a person can.",
        ),
        Column("generation", "Int32", "Generation that published it; a rebuild raises it."),
        _PUBLISHED_AT,
        Column("version", "UInt64", "Kafka time and offset of this record; the latest wins."),
    ),
    order_by=("key",),
    version="version",
)

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
        Column(
            "latitude",
            "Nullable(Float64)",
            "WGS84 degrees; of a line its first end; null: not known.",
        ),
        Column(
            "longitude",
            "Nullable(Float64)",
            "WGS84 degrees; of a line its first end; null: not known.",
        ),
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

GENERATIONS = Table(
    "store_generations",
    (
        Column("generation", "UInt32", "Generation whose switch is shown."),
        Column("shown_at", UTC_MILLIS, "Since when it is whole; 1970: it begins to be shown."),
    ),
    order_by=("generation",),
    version="shown_at",
)

SINK_REJECTS = Table(
    "store_sink_rejects",
    (
        Column("topic", "LowCardinality(String)", "Topic of the record."),
        Column("topic_id", "LowCardinality(String)", "UUID of the topic: a recreated one differs."),
        Column("partition", "Int32", "Partition."),
        Column("offset", "Int64", "Offset."),
        Column("record_time", UTC_MILLIS, "Kafka time of the record, from 1900 to 2299."),
        Column("kafka_timestamp", "Int64", "Kafka time in milliseconds since 1970, as it is."),
        Column("key", "Nullable(String)", "Key, bytes; null when it had none."),
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
        CANDIDATES,
        REPLAYS,
        SINK_REJECTS,
        GENERATIONS,
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
            prepared=(ROW_JSON,),
            granularity=_GRANULARITY,
            merge_after_seconds=60,
        ),
    )


def _payload_column(field: AvroSchema) -> Column:
    type_ = clickhouse_type(field["type"])
    if field["name"] in _LOW_CARDINALITY and type_ == "String":
        type_ = "LowCardinality(String)"
    return Column(field["name"], type_, field["doc"])
