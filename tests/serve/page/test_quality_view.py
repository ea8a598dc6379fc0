"""Sources by dimension, their trend, and what to do next."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from producers.seen_fields import FieldDrift
from streams.clickhouse.dead_letter_queries import OpenDeadLetters
from streams.clickhouse.quality_queries import QualityScore, RuleFailures
from streams.serve.data_version import DataVersion
from streams.serve.page.quality_view import (
    COLUMNS,
    SPARK_HEIGHT,
    SPARK_WIDTH,
    drift,
    level,
    newest_failures,
    next_steps,
    source_rows,
    spark,
)
from streams.serve.page.rendering import Pages

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def _score(source: str, dimension: str, score: float, day: int = 0) -> QualityScore:
    start = DAY + timedelta(days=day)
    return QualityScore(
        source, dimension, start, start + timedelta(days=1), 100, 5, score, None, None
    )


def _failed(rule: str, pct: float, before: float | None, day: int = 0) -> RuleFailures:
    start = DAY + timedelta(days=day)
    return RuleFailures("one", rule, "validity", "Wrong.", start, 1000, int(10 * pct), pct, before)


def test_the_worst_source_comes_first_with_its_newest_window() -> None:
    rows = source_rows(
        [
            _score("good", "total", 99),
            _score("bad", "total", 90, day=1),
            _score("bad", "total", 99.5),
            _score("bad", "validity", 70, day=1),
        ]
    )
    assert [(row.source_id, row.cells["total"].score) for row in rows] == [
        ("bad", 90),
        ("good", 99),
    ]
    assert rows[0].window_start == DAY + timedelta(days=1)
    assert rows[0].cells["total"].scores == [99.5, 90]
    assert "accuracy" not in rows[0].cells


def test_levels_have_words_and_bounds() -> None:
    assert [level(one) for one in (100, 99, 98.9, 80, 79.9)] == [
        "good",
        "good",
        "fair",
        "poor",
        "bad",
    ]


def test_a_trend_goes_from_left_to_right_with_the_best_at_the_top() -> None:
    assert spark([100.0, 60.0], 10, 20) == "0.0,1.0 10.0,19.0"
    assert spark([100.0, 20.0], 10, 20) == "0.0,1.0 10.0,19.0"
    assert spark([100.0]) == ""


def test_lost_records_come_before_what_became_worse_before_what_is_large() -> None:
    failures = [_failed("overdue", 60, 60), _failed("capacity_missing", 9, 2)]
    rejected = [OpenDeadLetters("one", "normalize", "unknown_fuel", 3, DAY)]
    steps = next_steps(newest_failures(failures), rejected)
    assert [step.rule_id for step in steps] == ["unknown_fuel", "capacity_missing", "overdue"]
    assert steps[0].command == (
        'make dlq-redrive ARGS="--source one --rule unknown_fuel --dry-run"'
    )
    assert "7.0 points more than the day before" in steps[1].reason
    assert steps[2].command == (
        "make inspect TOPIC=record.outcomes "
        "ARGS=\"--where \\\"source_id == 'one' and 'overdue' in flags\\\" --limit 20\""
    )


def test_only_the_newest_window_asks_for_something() -> None:
    old = _failed("unknown_status", 50, None, day=-1)
    new = _failed("overdue", 1, None)
    assert newest_failures([old, new]) == [new]


def test_new_words_of_a_source_are_drift() -> None:
    found = drift([_failed("fuel_not_in_vocabulary", 1, 0), _failed("overdue", 1, 0)])
    assert [one.rule_id for one in found] == ["fuel_not_in_vocabulary"]


def test_fields_that_are_new_or_gone_are_named_on_the_page() -> None:
    fields = [
        FieldDrift("alsi_lng_inventory", "terminal", "<lei>", "new", DAY, 1234),
        FieldDrift("wri_powerplants", "plants", "url", "gone", DAY, 5),
    ]
    pages = Pages(cast(DataVersion, SimpleNamespace(published_at=None, problem=None)))
    answer = pages.answer(
        "quality.html",
        "quality",
        rows=source_rows([_score("one", "total", 9)]),
        columns=COLUMNS,
        spark=(SPARK_WIDTH, SPARK_HEIGHT),
        steps=(),
        drift=(),
        left_out=(),
        runs_problem=None,
        fields=fields,
    )
    shown = bytes(answer.body).decode()
    assert "<code>&lt;lei&gt;</code></td><td>new</td>" in shown
    assert "1,234" in shown
    assert "<code>url</code></td><td>gone</td>" in shown
