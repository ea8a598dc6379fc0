"""Counting verdicts: any order, any repetition, and the last verdict of each record."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import contract_types as avro
from streams.core.all_rules import RULES
from streams.core.quality import DIMENSIONS, TOTAL, failed_dimensions, scores
from streams.core.quality_counts import NOTHING, QualityCounts, Verdict, after_outcome, total
from tests.core.series import TOLERANCES

WEIGHTS = TOLERANCES.quality.weights
DAY = datetime(2026, 5, 3, tzinfo=UTC)
RULE_IDS = [*sorted(RULES)[:6], "rule_of_a_later_version"]


def outcome(**changes: Any) -> avro.RecordOutcome:
    known = {
        "source_id": "wri_powerplants",
        "output_kind": "power_plant",
        "generation": 1,
        "record_time": DAY + timedelta(hours=23),
        "rule_id": None,
        "flags": [],
    }
    return cast(avro.RecordOutcome, known | changes)


def verdict(*outcomes: avro.RecordOutcome) -> Verdict:
    stored = None
    for one in outcomes:
        stored = after_outcome(stored, one)
    assert stored is not None
    return stored


def test_the_last_verdict_counts() -> None:
    healed = verdict(outcome(rule_id="missing_name"), outcome(flags=["capacity_not_positive"]))
    assert healed.rules == {"capacity_not_positive"}
    assert healed.window_start == DAY


def test_kinds_are_united_and_an_unreadable_record_is_forgotten_once_it_was_read() -> None:
    unreadable = outcome(
        output_kind="unknown", rule_id="bad_avro", record_time=DAY + timedelta(days=3)
    )
    plant = outcome(flags=["missing_name"])
    project = outcome(output_kind="renewable_project", flags=["unknown_fuel"])
    assert verdict(unreadable).rules == {"bad_avro"}
    for order in ((unreadable, plant, project), (plant, unreadable, project)):
        assert verdict(*order).rules == {"missing_name", "unknown_fuel"}
        assert verdict(*order).window_start == DAY


def test_a_newer_generation_starts_anew_and_an_older_one_says_nothing() -> None:
    old, new = outcome(flags=["missing_name"]), outcome(generation=2)
    assert verdict(old, new).rules == frozenset()
    stored = verdict(new)
    assert after_outcome(stored, old) is stored


def test_the_same_outcome_again_is_no_change() -> None:
    stored = verdict(outcome(flags=["missing_name"]))
    assert after_outcome(stored, outcome(flags=["missing_name"])) is stored


records = st.lists(st.frozensets(st.sampled_from(RULE_IDS), max_size=3), max_size=30)


@given(records, st.randoms(use_true_random=False), st.integers(1, 4))
def test_figures_depend_neither_on_order_nor_on_partitions(
    found: list[frozenset[str]], random: Any, partitions: int
) -> None:
    """And are those of counting from scratch; records that left are not in them."""
    steps = [(rules, 1) for rules in found] + [(frozenset(["missing_name"]), 1)]
    random.shuffle(steps)
    steps.append((frozenset(["missing_name"]), -1))
    parts = [NOTHING] * partitions
    for number, (rules, step) in enumerate(steps):
        part = parts[number % partitions]
        move = QualityCounts.with_record if step > 0 else QualityCounts.without_record
        parts[number % partitions] = move(part, rules, failed_dimensions(rules))
    counts = total(parts)
    assert counts.changes == len(found) + 2
    assert counts.record_count == len(found)
    by_dimension = {score.dimension: score for score in scores(counts, WEIGHTS)}
    for dimension in DIMENSIONS:
        failed = sum(dimension in failed_dimensions(rules) for rules in found)
        assert by_dimension[dimension].failed_count == failed
        share = failed / len(found) if found else 0
        assert by_dimension[dimension].score == pytest.approx(100 * (1 - share))
    assert by_dimension[TOTAL].failed_count == sum(map(bool, found))
    assert {
        rule_id: sum(rule_id in rules for rules in found) for rule_id in counts.rules
    } == counts.rules
    assert all(counts.rules.values())


def test_a_tally_survives_its_avro_form() -> None:
    counts = NOTHING.with_record(["missing_name"], ["completeness"]).with_record([], [])
    assert QualityCounts.from_avro(counts.to_avro("wri_powerplants", DAY)) == counts
    stored = verdict(outcome(flags=["missing_name"]), outcome(output_kind="other"))
    assert Verdict.from_avro(stored.to_avro()) == stored
