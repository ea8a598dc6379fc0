"""What the sink's tables hold, counted for summaries and health checks."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.tables import KINDS, kinds
from streams.core.payloads import ASSET_KINDS


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many raw records of one source ended in one outcome."""

    source_id: str
    output_kind: str
    outcome: str
    records: int


def count_current(clickhouse: ClickHouse) -> Mapping[str, int]:
    """Records some source lists, by canonical kind; a kind without any counts 0.

    Raises:
        SinkError: no answer.
    """
    rows = clickhouse.query(
        "SELECT kind, count() FROM infrastructure WHERE record_status = 'current' GROUP BY kind"
    ).rows
    return dict.fromkeys(kinds(), 0) | dict(rows)


def count_assets(clickhouse: ClickHouse) -> Mapping[tuple[str, str | None], int]:
    """Assets some source lists, by kind and ISO 3166-1 alpha-2 country, null when not known.

    Points of time series are no assets.

    Raises:
        SinkError: no answer.
    """
    selects = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, country_code, count() FROM {view} GROUP BY country_code"  # noqa: S608
        for kind, view in KINDS.items()
        if kind in ASSET_KINDS and _has_country(kind)
    )
    rows = clickhouse.query(f"{selects} ORDER BY ALL").rows
    return {(kind, country): assets for kind, country, assets in rows}


def _has_country(kind: str) -> bool:
    return any(column.name == "country_code" for column in kinds()[kind].payload)


def outcome_counts(clickhouse: ClickHouse) -> tuple[OutcomeCount, ...]:
    """Outcomes by source, output kind and outcome, sorted; each raw record counts once.

    Raises:
        SinkError: no answer.
    """
    rows = clickhouse.query(
        "SELECT source_id, output_kind, outcome, count() FROM record_outcomes "
        "GROUP BY ALL ORDER BY ALL"
    ).rows
    return tuple(OutcomeCount(*row) for row in rows)


def count_dead_letters(clickhouse: ClickHouse) -> Mapping[str, int]:
    """Distinct raw records among the dead letters, by source.

    Raises:
        SinkError: no answer.
    """
    rows = clickhouse.query(
        "SELECT source_id, uniqExact(raw_topic, raw_partition, raw_offset) FROM dead_letters "
        "GROUP BY source_id"
    ).rows
    return dict(rows)


def count_sink_rejects(clickhouse: ClickHouse) -> int:
    """Records of the sink's topics that could not become rows; anything above 0 is foreign.

    Raises:
        SinkError: no answer.
    """
    ((count,),) = clickhouse.query("SELECT count() FROM sink_rejects").rows
    return int(count)
