"""Quality of the sources: scores with their trend, and which rules failed how often."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.table import quoted
from streams.clickhouse.tables import QUALITY_SCORES, RECORD_OUTCOMES
from streams.core.all_rules import RULES
from streams.core.quality import UNKNOWN_RULE_DIMENSION
from streams.core.quality_counts import UNKNOWN_KIND


@dataclass(frozen=True, slots=True)
class QualityScore:
    """Quality of one source in one dimension and window.

    Attributes:
        score: 0 to 100.
        previous_score: Of the window before; None: there is none.
        score_change: Since then.
    """

    source_id: str
    dimension: str
    window_start: datetime
    window_end: datetime
    record_count: int
    failed_count: int
    score: float
    previous_score: float | None
    score_change: float | None


@dataclass(frozen=True, slots=True)
class RuleFailures:
    """How many raw records of one source failed one rule in one window.

    Attributes:
        failed_pct: Share of the records, percent.
        previous_failed_pct: Of the window before; None: there is none.
    """

    source_id: str
    rule_id: str
    dimension: str
    sentence: str
    window_start: datetime
    record_count: int
    failed_count: int
    failed_pct: float
    previous_failed_pct: float | None


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """What was read of one source lately.

    Attributes:
        record_count: Raw records in all.
        newest_record_at: Fetch time of the newest.
        newest_outcome_at: When the pipeline said last what became of one.
        outcomes_last_minute, outcomes_last_hour: Outcomes published since.
    """

    source_id: str
    record_count: int
    newest_record_at: datetime
    newest_outcome_at: datetime
    outcomes_last_minute: int
    outcomes_last_hour: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows to show; what they are compared with is looked up beyond them.

    Attributes:
        first, last: UTC days they begin in; None: all.
        sources: Only these; empty for all.
    """

    first: date | None = None
    last: date | None = None
    sources: Collection[str] = ()

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Condition on `window_start` and `source_id`, and its parameters.

        Raises:
            OutOfBoundsError: a parameter without bounds.
        """
        first, last = self.first or bounds.FIRST_DAY, self.last or bounds.LAST_DAY
        condition = "toDate32(window_start) BETWEEN {first:Date32} AND {last:Date32}"
        parameters: dict[str, Any] = {
            "first": bounds.day("start_date", first),
            "last": bounds.day("end_date", last),
        }
        if self.sources:
            condition += " AND source_id IN {sources:Array(String)}"
            parameters["sources"] = bounds.texts("source", self.sources)
        return condition, parameters


def quality_scores(
    windows: Windows, dimensions: Collection[str] = (), limit: int = bounds.MOST_ROWS
) -> BoundQuery[QualityScore]:
    """Scores, newest windows first.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    condition, parameters = windows.condition()
    if dimensions:
        condition += " AND dimension IN {dimensions:Array(String)}"
        parameters["dimensions"] = bounds.texts("dimension", dimensions)
    return BoundQuery(
        f"""
SELECT source_id, dimension, window_start, window_end, record_count, failed_count, score,
    previous_score, score - previous_score AS score_change
FROM
(
    SELECT *, lagInFrame(toNullable(score)) OVER (
        PARTITION BY source_id, dimension ORDER BY window_start
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS previous_score
    FROM {QUALITY_SCORES.name} FINAL WHERE record_count != 0
)
WHERE {condition}
ORDER BY window_start DESC, source_id, dimension LIMIT {{limit:UInt32}}""",  # noqa: S608
        parameters | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        QualityScore,
        tuple(QualityScore.__dataclass_fields__),
    )


def rule_failures(windows: Windows, limit: int = bounds.MOST_ROWS) -> BoundQuery[RuleFailures]:
    """Failures by rule and UTC day of record time, newest days first.

    The last verdict on a raw record counts, as in the scores.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    condition, parameters = windows.condition()
    store = RECORD_OUTCOMES.name
    raw = "raw_topic, raw_partition, raw_offset"
    rank = f"(generation, output_kind != {quoted(UNKNOWN_KIND)})"
    dimension = _looked_up({rule.id: rule.dimension for rule in RULES.values()})
    sentence = _looked_up({rule.id: rule.sentence for rule in RULES.values()}, "''")
    return BoundQuery(
        f"""
SELECT source_id, rule_id, {dimension} AS dimension, {sentence} AS sentence,
    window_start, record_count, counts[rule_id] AS failed_count,
    100 * failed_count / record_count AS failed_pct,
    if(previous_count = 0, NULL, 100 * previous[rule_id] / previous_count) AS previous_failed_pct
FROM
(
    SELECT source_id, window_start, record_count, counts,
        lagInFrame(counts) OVER before AS previous,
        lagInFrame(record_count) OVER before AS previous_count
    FROM
    (
        SELECT source_id, window_start, toInt64(count()) AS record_count,
            sumMap(mapFromArrays(failed, arrayMap(it -> toInt64(1), failed))) AS counts
        FROM
        (
            SELECT any(source_id) AS source_id, toStartOfDay(any(record_time)) AS window_start,
                groupUniqArrayArray(arrayConcat(
                    CAST(flags, 'Array(String)'),
                    if(rule_id IS NULL, [], [assumeNotNull(rule_id)])
                )) AS failed
            FROM {store} FINAL
            WHERE ({raw}, {rank}) IN
                (SELECT {raw}, max({rank}) FROM {store} FINAL GROUP BY {raw})
            GROUP BY {raw}
        )
        GROUP BY source_id, window_start
    )
    WINDOW before AS (
        PARTITION BY source_id ORDER BY window_start
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
ARRAY JOIN mapKeys(counts) AS rule_id
WHERE {condition}
ORDER BY window_start DESC, source_id, failed_count DESC, rule_id
LIMIT {{limit:UInt32}}""",  # noqa: S608  names from this package
        parameters | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        RuleFailures,
        tuple(RuleFailures.__dataclass_fields__),
    )


def source_freshness() -> BoundQuery[SourceFreshness]:
    """What was read of every source lately."""
    return BoundQuery(
        f"""
SELECT source_id, toInt64(count()), max(record_time), max(published_at),
    toInt64(countIf(published_at > now64(3) - INTERVAL 1 MINUTE)),
    toInt64(countIf(published_at > now64(3) - INTERVAL 1 HOUR))
FROM {RECORD_OUTCOMES.name} FINAL GROUP BY source_id ORDER BY source_id""",  # noqa: S608
        {},
        SourceFreshness,
    )


def _looked_up(by_rule: Mapping[str, str], default: str = quoted(UNKNOWN_RULE_DIMENSION)) -> str:
    """SQL of what belongs to `rule_id`."""
    names = ", ".join(quoted(name) for name in by_rule)
    values = ", ".join(quoted(value) for value in by_rule.values())
    return f"transform(rule_id, [{names}], [{values}], {default})"
