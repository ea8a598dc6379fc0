"""What a replay makes of a raw record, and which are meant."""

from datetime import timedelta

import pytest

from streams.core.audit import AuditCounts
from streams.core.records import Outcome
from streams.core.replay import REPLAYED, Effect, Selection, effect_of
from tests.core.builders import START, at

TOPICS = {"raw.wri_powerplants": "wri_powerplants"}


@pytest.mark.parametrize(
    ("outcome", "was_accepted", "differs", "effect"),
    [
        ("unchanged", True, False, Effect.UNCHANGED),
        ("changed", True, True, Effect.CHANGED),
        ("unchanged", True, True, Effect.CHANGED),
        ("changed", False, True, Effect.ACCEPTED),
        ("rejected", True, True, Effect.WITHDRAWN),
        ("rejected", False, False, Effect.REJECTED),
        ("rejected", False, True, Effect.REJECTED),
        ("superseded", True, False, Effect.SUPERSEDED),
        (None, False, False, Effect.UNCHANGED),
    ],
)
def test_effect(outcome: Outcome | None, was_accepted: bool, differs: bool, effect: Effect) -> None:
    assert effect_of(outcome, was_accepted=was_accepted, differs=differs) is effect


def test_only_what_differs_goes_through_the_pipeline_again() -> None:
    assert {Effect.CHANGED, Effect.ACCEPTED, Effect.WITHDRAWN} == REPLAYED


def test_a_selection_ends_before_its_last_time() -> None:
    day = Selection(START, START + timedelta(days=1))
    assert day.has(START, "P1")
    assert not day.has(START + timedelta(days=1), "P1")
    assert not day.has(START - timedelta(milliseconds=1), "P1")
    assert Selection().has(START, "P1")
    assert not Selection(record_id="P2").has(START, "P1")


def test_a_record_that_is_rejected_in_a_replay_counts_as_rejected() -> None:
    counts = AuditCounts({at(0): "wri_powerplants"})
    counts.add_outcome(at(0), "power_plant", "changed")
    counts.add_outcome(at(0), "power_plant", "rejected", again=True)
    counts.dead_letters.add(at(0))
    audit = counts.close(TOPICS)
    assert audit.problems == ()
    assert audit.sources[0].outcomes == {"rejected": 1}
    counts.add_outcome(at(0), "power_plant", "changed", again=True)
    audit = counts.close(TOPICS)
    assert audit.problems == ()
    assert audit.sources[0].outcomes == {"changed": 1}


def test_a_record_that_is_replayed_without_rejection_counts_as_before() -> None:
    counts = AuditCounts({at(0): "wri_powerplants"})
    counts.add_outcome(at(0), "power_plant", "unchanged")
    counts.add_outcome(at(0), "power_plant", "changed", again=True)
    audit = counts.close(TOPICS)
    assert audit.problems == ()
    assert audit.sources[0].outcomes == {"unchanged": 1}
