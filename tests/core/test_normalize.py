"""The normalize outcome."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.errors import Rejected
from streams.core.normalize import NO_REGION, Location, NormalizeOutcome, normalize
from streams.core.payload_field import payload_fields
from streams.core.records import Mapped, RawRecord
from streams.core.regions import EUROPE, NORTH_AMERICA
from tests.core.builders import REJECTED, asset, at, mapped, order_of, plant, raw

KIND = "power_plant"


def evaluate(
    record: RawRecord, content: Mapped | Rejected | None, offset: int, stored: Location | None
) -> NormalizeOutcome:
    return normalize(record, content, KIND, order_of(record, str(offset)), at(offset), stored)


def test_first_record_goes_to_the_region_of_its_position() -> None:
    outcome = evaluate(raw(), mapped(), 0, None)
    (upsert,) = outcome.normalized
    assert (upsert["event"], asset(upsert)["region"], upsert["move_count"]) == ("upsert", EUROPE, 0)
    assert outcome.outcome is None, "the next stage decides"


def test_older_record_is_superseded_and_changes_nothing() -> None:
    """A redriven record comes later, under the coordinates of its original."""
    stored = evaluate(raw(fetched=5), mapped(), 2, None).location
    outcome = evaluate(raw(fetched=1), mapped(), 1, stored)
    assert outcome == NormalizeOutcome(None, (), "superseded", KIND)


MONTH = 30 * 24 * 60


@pytest.mark.parametrize("minutes", [MONTH, -MONTH], ids=["ahead", "behind"])
def test_one_run_with_a_wrong_clock_hides_nothing_that_is_fetched_after_it(minutes: int) -> None:
    before = evaluate(raw(fetched=0), mapped(), 0, None).location
    wrong = evaluate(raw(fetched=minutes), mapped(plant(55.0)), 1, before)
    assert [payload_fields(one)["capacity_mw"] for one in wrong.normalized] == [55.0]
    changed = evaluate(raw(fetched=1), mapped(plant(60.0)), 2, wrong.location)
    assert [payload_fields(one)["capacity_mw"] for one in changed.normalized] == [60.0]
    gone = evaluate(raw(fetched=2, listed=False), None, 3, changed.location)
    assert [one["cause"] for one in gone.normalized] == ["no_longer_listed"]


def test_source_update_time_beats_a_later_fetch() -> None:
    stored = evaluate(raw(fetched=5, updated=9), mapped(), 1, None).location
    assert evaluate(raw(fetched=8, updated=3), mapped(), 2, stored).outcome == "superseded"


def test_same_raw_record_read_again_after_a_code_change_replaces_what_it_gave() -> None:
    stored = evaluate(raw(), mapped(), 7, None).location
    outcome = evaluate(raw(), mapped(plant(55.0)), 7, stored)
    assert payload_fields(outcome.normalized[0])["capacity_mw"] == 55.0


def test_move_withdraws_from_the_old_region_and_raises_the_move_count() -> None:
    stored = evaluate(raw(), mapped(), 0, None).location
    outcome = evaluate(raw(fetched=1), mapped(plant(latitude=40.0, longitude=-100.0)), 1, stored)
    leave, arrive = outcome.normalized
    assert (leave["event"], leave["cause"], asset(leave)["region"]) == (
        "withdrawal",
        "moved",
        EUROPE,
    )
    assert (arrive["event"], asset(arrive)["region"], arrive["move_count"]) == (
        "upsert",
        NORTH_AMERICA,
        1,
    )
    assert asset(leave)["moved_to"] == NORTH_AMERICA


def test_a_record_that_leaves_its_entity_with_its_region_says_no_new_place_of_that() -> None:
    stored = evaluate(raw(), mapped(), 0, None).location
    elsewhere = replace(mapped(plant(latitude=40.0, longitude=-100.0)), entity_id="another entity")
    leave, _ = evaluate(raw(fetched=1), elsewhere, 1, stored).normalized
    assert leave["entity_id"] != "another entity"
    assert asset(leave).get("moved_to") is None


def test_rejection_of_a_listed_record_withdraws_it_and_is_its_own_outcome() -> None:
    stored = evaluate(raw(), mapped(), 0, None).location
    outcome = evaluate(raw(fetched=1), REJECTED, 1, stored)
    assert (outcome.outcome, outcome.rejected) == ("rejected", REJECTED)
    assert [event["cause"] for event in outcome.normalized] == ["rejected"]


def test_rejection_of_an_unknown_record_sends_nothing_on() -> None:
    outcome = evaluate(raw(), REJECTED, 0, None)
    assert outcome.normalized == ()
    assert outcome.location is not None
    assert outcome.location.region == NO_REGION


def test_delisting_withdraws_once() -> None:
    stored = evaluate(raw(), mapped(), 0, None).location
    first = evaluate(raw(fetched=1, listed=False), None, 1, stored)
    assert [event["cause"] for event in first.normalized] == ["no_longer_listed"]
    assert first.outcome is None
    second = evaluate(raw(fetched=2, listed=False), None, 2, first.location)
    assert (second.normalized, second.outcome) == ((), "unchanged")


def test_relisted_in_another_region_moves_even_though_it_was_withdrawn() -> None:
    stored = evaluate(raw(), mapped(), 0, None).location
    gone = evaluate(raw(fetched=1, listed=False), None, 1, stored).location
    back = evaluate(raw(fetched=2), mapped(plant(latitude=40.0, longitude=-100.0)), 2, gone)
    assert [event["event"] for event in back.normalized] == ["withdrawal", "upsert"]
    assert back.location is not None
    assert back.location.move_count == 1


def test_location_survives_its_avro_form() -> None:
    stored = evaluate(raw(), mapped(), 0, None).location
    assert stored is not None
    assert Location.from_avro(stored.to_avro()) == stored


def test_newest_record_wins_in_every_order_of_arrival() -> None:
    arrivals: list[tuple[RawRecord, Mapped | Rejected | None, int]] = [
        (raw(fetched=0), mapped(), 0),
        (raw(fetched=1), REJECTED, 1),
        (raw(fetched=2, listed=False), None, 2),
        (raw(fetched=3), mapped(plant(7.0)), 3),
    ]
    for order in permutations(arrivals):
        stored: Location | None = None
        for record, content, offset in order:
            outcome = evaluate(record, content, offset, stored)
            stored = outcome.location or stored
        assert stored is not None
        assert (stored.listed, stored.lineage) == (True, at(3))


@given(st.permutations(list(range(8))), st.lists(st.integers(0, 7), max_size=8))
def test_arrival_order_and_repeats_do_not_change_which_record_is_stored(
    order: list[int], repeats: list[int]
) -> None:
    stored: Location | None = None
    for minute in [*order, *repeats]:
        record = raw(fetched=minute)
        outcome = evaluate(record, mapped(plant(float(minute + 1))), minute, stored)
        stored = outcome.location or stored
    assert stored is not None
    assert stored.lineage == at(7)


@given(st.permutations(list(range(6))), st.lists(st.integers(-MONTH, MONTH), min_size=6))
def test_whatever_the_clocks_said_the_last_of_the_log_is_stored(
    arrivals: list[int], clocks: list[int]
) -> None:
    stored: Location | None = None
    for offset in arrivals:
        outcome = evaluate(raw(fetched=clocks[offset]), mapped(), offset, stored)
        stored = outcome.location or stored
    assert stored is not None
    assert stored.lineage == at(5)
