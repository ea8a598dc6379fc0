"""The views that analysts read. Every one reads its storage with FINAL, so repeats never show.

power_plants             listed plants, one row each, at their highest version
power_plants_history     every version of every plant, once
power_plants_provenance  which source gave each value of each listed plant
lng_inventory            listed gas days, one row an entity and day, at their highest version
lng_inventory_history    every version, once
lng_inventory_provenance which source gave each value
lng_inventory_days       one row a terminal, country or the EU and gas day, whoever operates it
assets                   what a map or a search shows of every listed asset of every kind
changes                  every version of every kind, in the order of `market.infrastructure`
loaded                   up to which offset that order is complete
infrastructure           what all kinds share, one row a record, withdrawn and merged ones too
record_outcomes          what became of each raw record, one row an output kind
dead_letters             rejected raw records with their original bytes
quality_scores           one row a source, dimension and window
quality_recomputed       the same, computed from the stored outcomes by one query
reconcile_candidates     pairs of source entities of which scores cannot tell
pipeline_replays         who replayed which raw records when, and what it changed
sink_rejects             records of the sink's topics that are no rows
"""

from dataclasses import dataclass, replace

from streams.clickhouse.candidate_queries import OPEN
from streams.clickhouse.dead_letter_queries import RESOLVED
from streams.clickhouse.gas_days import one_row_a_day
from streams.clickhouse.quality_view import quality_query
from streams.clickhouse.table import Column, Table, quoted
from streams.clickhouse.tables import (
    ASSETS,
    CANDIDATES,
    CHANGES,
    DEAD_LETTERS,
    ENVELOPE,
    LOADED,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    REPLAYS,
    SINK_REJECTS,
    KindTables,
    kinds,
)
from streams.clickhouse.types import UTC_MILLIS
from streams.core.quality import Weights

_CANDIDATE_COLUMNS = tuple(
    column for column in CANDIDATES.columns if column.name not in ("open", "version")
)
_LISTED = "record_status = 'current'"

_SERIES_ID = Column(
    "series_id", "String", "Who the gas day is about: ES_BARCELONA, a country code, or EU."
)
_RESOLVED = Column("resolved", "Bool", "Whether the raw record was accepted since.")

_PROVENANCE = (
    Column("record_id", "String", "Stable identifier."),
    Column("version", "UInt64", "Version of the record."),
    Column("field", "String", "Field of the record, with its unit."),
    Column("rule", "String", "Rule by which the value was chosen."),
    Column("source_id", "String", "Source the value comes from."),
    Column("source_record_id", "String", "The source's own identifier of the record."),
    Column("observed_at", UTC_MILLIS, "Fetch time of the raw record."),
    Column(
        "source_updated_at",
        f"Nullable({UTC_MILLIS})",
        "When the source changed it; null when the source does not say.",
    ),
    Column("raw_topic", "String", "Raw topic."),
    Column("raw_partition", "Int32", "Partition of the raw record."),
    Column("raw_offset", "Int64", "Offset of the raw record."),
    Column("licence", "String", "Licence of the source."),
    Column("attribution", "String", "Credit the licence asks for."),
    Column(
        "losing",
        "Array(Tuple(source_id String, value String))",
        "What other members said, by source.",
    ),
)


@dataclass(frozen=True, slots=True)
class View:
    """One view.

    Attributes:
        name: View name.
        columns: Its columns, as analysts see them.
        select: Its query, with these columns in this order.
        comment: What a row is.
    """

    name: str
    columns: tuple[Column, ...]
    select: str
    comment: str

    def create(self) -> str:
        """Statement that creates or replaces the view."""
        columns = ", ".join(replace(column, default="").definition() for column in self.columns)
        return (
            f"CREATE OR REPLACE VIEW {self.name} ({columns}) AS {self.select} "
            f"COMMENT {quoted(self.comment)}"
        )


def views(weights: Weights) -> tuple[View, ...]:
    """Every view; the tables must exist."""
    return (
        *(view for kind in kinds().values() for view in _kind_views(kind)),
        _infrastructure(),
        View(
            "lng_inventory_days",
            (_SERIES_ID, *kinds()["lng_inventory"].latest.columns),
            _gas_days(),
            "LNG in tanks, one row a terminal, country or the EU and gas day.",
        ),
        View(
            "assets",
            ASSETS.columns,
            f"{_select(ASSETS)} WHERE {_LISTED}",
            "Every listed asset of every kind: what a map or a search shows, and all as JSON.",
        ),
        View(
            "changes",
            CHANGES.columns,
            f"{_select(CHANGES)} ORDER BY topic_id, partition, offset",
            "Every version of every kind, in the order of market.infrastructure.",
        ),
        View(
            "loaded",
            LOADED.columns,
            _select(LOADED),
            "Offset up to which every version of a partition is stored.",
        ),
        View(
            "quality_recomputed",
            tuple(column for column in QUALITY_SCORES.columns if column.name != "version"),
            quality_query(weights),
            "Quality of each source by dimension and UTC day, computed from the stored outcomes.",
        ),
        View(
            "dead_letters",
            (*DEAD_LETTERS.columns, _RESOLVED),
            _dead_letters(),
            "Rejected raw records with their original bytes, and whether they were accepted since.",
        ),
        View(
            "quality_scores",
            QUALITY_SCORES.columns,
            # A window may be left without records: a fix moved its only one to another day.
            f"{_select(QUALITY_SCORES)} WHERE record_count != 0",
            "Quality of each source by dimension and window, 0 to 100.",
        ),
        View(
            "reconcile_candidates",
            _CANDIDATE_COLUMNS,
            f"SELECT {_names(_CANDIDATE_COLUMNS)} FROM {CANDIDATES.name} FINAL WHERE {OPEN}",  # noqa: S608
            "Pairs of source entities of which scores cannot tell whether they are one asset.",
        ),
        *(
            View(table.name.removeprefix("store_"), table.columns, _select(table), comment)
            for table, comment in (
                (RECORD_OUTCOMES, "What became of each raw record, one row an output kind."),
                (REPLAYS, "Who replayed which raw records when, and what it changed."),
                (SINK_REJECTS, "Records of the sink's topics that could not become rows."),
            )
        ),
    )


def _kind_views(kind: KindTables) -> tuple[View, ...]:
    return (
        View(
            kind.view,
            kind.latest.columns,
            f"{_select(kind.latest)} WHERE {_LISTED}",
            f"Every {kind.kind} some source lists, one row each, at its highest version.",
        ),
        View(
            f"{kind.view}_history",
            kind.versions.columns,
            _select(kind.versions),
            f"Every version of every {kind.kind}, withdrawn and merged ones too.",
        ),
        View(
            f"{kind.view}_provenance",
            _PROVENANCE,
            _provenance(kind),
            f"Where each value of each listed {kind.kind} comes from, one row a field.",
        ),
    )


def _provenance(kind: KindTables) -> str:
    # `member` counts from 0, arrays of ClickHouse from 1.
    return f"""
SELECT
    record_id,
    version,
    arrayJoin(entry.fields) AS field,
    entry.rule AS rule,
    winner.source_id AS source_id,
    winner.record_id AS source_record_id,
    winner.observed_at AS observed_at,
    winner.source_updated_at AS source_updated_at,
    winner.lineage.topic AS raw_topic,
    winner.lineage.partition AS raw_partition,
    winner.lineage.offset AS raw_offset,
    winner.licence AS licence,
    winner.attribution AS attribution,
    arrayMap(
        it -> (members[it.member + 1].source_id, it.value),
        arrayFilter(it -> it.field = field, entry.losing)
    )::Array(Tuple(source_id String, value String)) AS losing
FROM
(
    SELECT record_id, version, members, arrayJoin(provenance) AS entry,
           members[entry.member + 1] AS winner
    FROM {kind.versions.name} FINAL
    WHERE (record_id, version) IN
        (SELECT record_id, version FROM {kind.latest.name} FINAL WHERE {_LISTED})
)"""  # noqa: S608  names from this package


def _infrastructure() -> View:
    selects = (
        f"SELECT '{kind.kind}' AS kind, {_names(ENVELOPE)} FROM {kind.latest.name} FINAL"  # noqa: S608
        for kind in kinds().values()
    )
    return View(
        "infrastructure",
        (Column("kind", "String", "Canonical kind."), *ENVELOPE),
        " UNION ALL ".join(selects),
        "Every record of every kind at its highest version, withdrawn and merged ones too.",
    )


def _gas_days() -> str:
    table = kinds()["lng_inventory"].latest
    return one_row_a_day(_names(table.columns), f"FROM {table.name} FINAL WHERE {_LISTED}")


def _dead_letters() -> str:
    return f"""
SELECT {_names(DEAD_LETTERS.columns)}, toBool({RESOLVED}) AS resolved
FROM {DEAD_LETTERS.name} FINAL"""  # noqa: S608  names from this package


def _select(table: Table) -> str:
    return f"SELECT {_names(table.columns)} FROM {table.name} FINAL"  # noqa: S608


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)
