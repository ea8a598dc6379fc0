"""The query over the stored outcomes gives what the core gives."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.clickhouse.client import ClickHouse
from streams.core.quality import failed_dimensions, scores
from streams.core.quality_counts import NOTHING, QualityCounts
from streams.sink.loader import Loader
from tests.sink.records import RECORD, WEIGHTS, batch, dead_letter, framed, outcome

pytestmark = pytest.mark.integration

DAY = datetime(2026, 5, 3, tzinfo=UTC)
REASONS: tuple[tuple[str, ...], ...] = (
    (),
    ("missing_name",),
    ("position_out_of_range", "capacity_not_positive"),
    ("rule_of_a_later_version",),
    ("missing_name", "unknown_fuel"),
)


def test_query_and_core_agree_whatever_is_repeated_or_decided_again(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    values: list[RECORD] = []
    days: dict[datetime, QualityCounts] = {}
    for offset in range(60):
        reasons = REASONS[offset % len(REASONS)]
        day = DAY + timedelta(days=offset // 40)
        times = {"record_time": day + timedelta(hours=23, minutes=59)}
        if offset % 7 == 0:  # unreadable at first, readable later
            values.append(
                outcome(
                    offset, result="rejected", output_kind="unknown", rule_id="bad_avro", **times
                )
            )
            reasons = ()
        flagged: RECORD = {"flags": list(reasons), "generation": 1 + offset % 2, **times}
        values += [outcome(offset, **flagged)] * 2
        counts = days.get(day, NOTHING)
        days[day] = counts.with_record(reasons, failed_dimensions(reasons))
    loader.load(batch("record.outcomes", [framed("record.outcomes", value) for value in values]))
    rows = clickhouse.query(
        "SELECT window_start, dimension, record_count, failed_count, score FROM quality_recomputed"
    ).rows
    found = {(start, dimension): tuple(rest) for start, dimension, *rest in rows}
    expected = {
        (day, score.dimension): (score.record_count, score.failed_count, pytest.approx(score.score))
        for day, counts in days.items()
        for score in scores(counts, WEIGHTS)
    }
    assert len(expected) == 12
    assert found == expected


def test_a_rejection_lowers_its_dimension_and_the_total(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    values = [outcome(1), outcome(2, result="rejected", rule_id="bad_avro")]
    loader.load(batch("record.outcomes", [framed("record.outcomes", value) for value in values]))
    rows = clickhouse.query("SELECT dimension, failed_count, score FROM quality_recomputed").rows
    found = {dimension: tuple(rest) for dimension, *rest in rows}
    assert found["validity"] == (1, 50.0)
    assert found["accuracy"] == (0, 100.0)
    assert found["total"] == (1, pytest.approx(87.5))


def test_a_dead_letter_is_resolved_when_its_record_was_accepted_since(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    letters = [dead_letter(offset) for offset in (1, 2)]
    loader.load(batch("dead_letters", [framed("dead_letters", letter) for letter in letters]))
    values = [
        outcome(1, result="rejected", output_kind="unknown", rule_id="bad_avro"),
        outcome(2, result="rejected", output_kind="unknown", rule_id="bad_avro"),
        outcome(2, again=True),
    ]
    loader.load(batch("record.outcomes", [framed("record.outcomes", value) for value in values]))
    rows = clickhouse.query("SELECT raw_offset, resolved FROM dead_letters ORDER BY 1").rows
    assert [tuple(row) for row in rows] == [(1, 0), (2, 1)]
