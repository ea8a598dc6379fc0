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
sink_rejects             records of the sink's topics that are no rows
"""

from dataclasses import dataclass

from streams.clickhouse.gas_days import one_row_a_day
from streams.clickhouse.quality_view import quality_query
from streams.clickhouse.table import Column, Table, quoted
from streams.clickhouse.tables import (
    ASSETS,
    CHANGES,
    DEAD_LETTERS,
    ENVELOPE,
    LOADED,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    SINK_REJECTS,
    KindTables,
    kinds,
)
from streams.core.quality import Weights

_LISTED = "record_status = 'current'"


@dataclass(frozen=True, slots=True)
class View:
    """One view.

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


def views(weights: Weights) -> tuple[View, ...]:
    """Every view; the tables must exist."""
    return (
        *(view for kind in kinds().values() for view in _kind_views(kind)),
        _infrastructure(),
        View(
            "lng_inventory_days",
            _gas_days(),
            "LNG in tanks, one row a terminal, country or the EU and gas day.",
        ),
        View(
            "assets",
            f"{_select(ASSETS)} WHERE {_LISTED}",
            "Every listed asset of every kind: what a map or a search shows, and all as JSON.",
        ),
        View(
            "changes",
            f"{_select(CHANGES)} ORDER BY topic_id, partition, offset",
            "Every version of every kind, in the order of market.infrastructure.",
        ),
        View(
            "loaded",
            _select(LOADED),
            "Offset up to which every version of a partition is stored.",
        ),
        View(
            "quality_recomputed",
            quality_query(weights),
            "Quality of each source by dimension and UTC day, computed from the stored outcomes.",
        ),
        View(
            "dead_letters",
            _dead_letters(),
            "Rejected raw records with their original bytes, and whether they were accepted since.",
        ),
        View(
            "quality_scores",
            # A window may be left without records: a fix moved its only one to another day.
            f"{_select(QUALITY_SCORES)} WHERE record_count != 0",
            "Quality of each source by dimension and window, 0 to 100.",
        ),
        *(
            View(table.name.removeprefix("store_"), _select(table), comment)
            for table, comment in (
                (RECORD_OUTCOMES, "What became of each raw record, one row an output kind."),
                (SINK_REJECTS, "Records of the sink's topics that could not become rows."),
            )
        ),
    )


def _kind_views(kind: KindTables) -> tuple[View, ...]:
    return (
        View(
            kind.view,
            f"{_select(kind.latest)} WHERE {_LISTED}",
            f"Every {kind.kind} some source lists, one row each, at its highest version.",
        ),
        View(
            f"{kind.view}_history",
            _select(kind.versions),
            f"Every version of every {kind.kind}, withdrawn and merged ones too.",
        ),
        View(
            f"{kind.view}_provenance",
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
        " UNION ALL ".join(selects),
        "Every record of every kind at its highest version, withdrawn and merged ones too.",
    )


def _gas_days() -> str:
    table = kinds()["lng_inventory"].latest
    return one_row_a_day(_names(table.columns), f"FROM {table.name} FINAL WHERE {_LISTED}")


def _dead_letters() -> str:
    raw = "raw_topic, raw_partition, raw_offset"
    return f"""
SELECT
    {_names(DEAD_LETTERS.columns)},
    ({raw}) IN
        (SELECT {raw} FROM {RECORD_OUTCOMES.name} FINAL WHERE outcome != 'rejected') AS resolved
FROM {DEAD_LETTERS.name} FINAL"""  # noqa: S608  names from this package


def _select(table: Table) -> str:
    return f"SELECT {_names(table.columns)} FROM {table.name} FINAL"  # noqa: S608


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)
