"""Quality scores as one query over the stored outcomes, with the rules and weights of the core."""

from streams.clickhouse.table import quoted
from streams.clickhouse.tables import RECORD_OUTCOMES
from streams.core.all_rules import RULES
from streams.core.quality import DIMENSIONS, TOTAL, UNKNOWN_RULE_DIMENSION, Weights
from streams.core.quality_counts import UNKNOWN_KIND


def quality_query(weights_of: Weights) -> str:
    """Score of each source, UTC day of record time and dimension.

    The last verdict on a raw record counts: its newest generation, the outcome published last for
    each kind, that of an unreadable record only while it was never read.
    """
    dimensions = ", ".join(quoted(dimension) for dimension in DIMENSIONS)
    weights = ", ".join(str(weights_of[dimension]) for dimension in DIMENSIONS)
    rules = ", ".join(quoted(rule) for rule in RULES)
    meanings = ", ".join(quoted(rule.dimension) for rule in RULES.values())
    store = RECORD_OUTCOMES.name
    raw = "raw_topic, raw_partition, raw_offset"
    return f"""
SELECT
    source_id,
    score_of.1 AS dimension,
    window_start,
    window_start + INTERVAL 1 DAY AS window_end,
    record_count,
    score_of.2 AS failed_count,
    score_of.3 AS score
FROM
(
    SELECT
        source_id,
        window_start,
        toInt64(count()) AS record_count,
        sumForEach(arrayMap(it -> toInt64(has(failed, it)), [{dimensions}])) AS failures,
        arrayMap(it -> 100 * (1 - it / record_count), failures) AS single,
        arrayJoin(arrayZip(
            [{dimensions}, '{TOTAL}'],
            arrayPushBack(failures, toInt64(countIf(notEmpty(failed)))),
            arrayPushBack(single, arraySum(arrayMap((it, w) -> it * w, single, [{weights}])))
        )) AS score_of
    FROM
    (
        SELECT
            any(source_id) AS source_id,
            toStartOfDay(any(record_time)) AS window_start,
            groupUniqArrayArray(arrayMap(
                it -> transform(it, [{rules}], [{meanings}], '{UNKNOWN_RULE_DIMENSION}'),
                arrayConcat(
                    CAST(flags, 'Array(String)'), if(rule_id IS NULL, [], [assumeNotNull(rule_id)])
                )
            )) AS failed
        FROM {store} FINAL
        WHERE ({raw}, (generation, output_kind != '{UNKNOWN_KIND}')) IN
        (
            SELECT {raw}, max((generation, output_kind != '{UNKNOWN_KIND}'))
            FROM {store} FINAL GROUP BY {raw}
        )
        GROUP BY {raw}
    )
    GROUP BY source_id, window_start
)"""  # noqa: S608  names from this package
