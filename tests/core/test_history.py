"""Rules that look at neighbour days, on made-up days of one entity."""

from datetime import UTC, date, datetime, timedelta

import pytest

from streams.core import contract_types as avro
from streams.core.records import EPOCH, OrderKey, RawCoordinates, RawRecord
from tests.core.series import Arrival, raw_day, series_of

MONDAY = date(2026, 3, 2)


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def test_a_ship_explains_a_rise_of_a_quarter() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), lng="1300", gwh="8710")])
    assert series.flags(str(day(1))) == set()


def test_a_rise_that_no_ships_can_bring_is_a_jump() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), lng="2000", gwh="13400")])
    assert series.flags(str(day(1))) == {"inventory_jump"}
    assert series.flags(str(day(0))) == set()


def test_send_out_explains_a_fall() -> None:
    steep = raw_day(day(0), sendOut="1900")
    series = series_of([steep, raw_day(day(1), lng="730", gwh="4891")])
    assert series.flags(str(day(1))) == set()


def test_a_fall_that_the_send_out_does_not_explain_leaves_the_balance_open() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), lng="700", gwh="4690")])
    assert series.flags(str(day(1))) == {"inventory_jump", "mass_balance_open"}


def test_the_day_after_a_unit_slip_is_not_blamed() -> None:
    slip = raw_day(day(1), gwh="67000")
    series = series_of([raw_day(day(0)), slip, raw_day(day(2), gwh="6701")])
    assert series.flags(str(day(1))) == {"energy_against_volume", "inventory_jump"}
    assert series.flags(str(day(2))) == set()


def test_the_third_equal_day_with_send_out_is_stuck() -> None:
    series = series_of([raw_day(day(number)) for number in range(4)])
    flags = [series.flags(str(day(number))) for number in range(4)]
    assert flags == [set(), set(), {"value_stuck"}, {"value_stuck"}]


def test_an_idle_terminal_is_not_stuck() -> None:
    series = series_of([raw_day(day(number), sendOut="0") for number in range(4)])
    assert series.flags(str(day(3))) == set()


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        (raw_day(MONDAY, gwh="6700", dtmi_gwh="6000"), "inventory_above_capacity"),
        (raw_day(MONDAY, lng="1000", dtmi_lng="900"), "inventory_above_capacity"),
        (raw_day(MONDAY, sendOut="2100", dtrs="2000"), "send_out_above_reference"),
    ],
)
def test_more_than_the_declared_capacity_is_flagged(raw: RawRecord, flag: str) -> None:
    assert series_of([raw]).flags(str(MONDAY)) == {flag}


def test_a_day_without_a_reference_is_judged_by_that_of_its_neighbour() -> None:
    series = series_of([raw_day(day(0), sendOut="2100", dtrs="-"), raw_day(day(1), gwh="6702")])
    assert series.flags(str(day(0))) == {"send_out_above_reference"}


def test_a_gap_is_flagged_until_the_missing_day_comes() -> None:
    late = datetime(2026, 3, 9, 20, tzinfo=UTC)
    series = series_of(
        [
            raw_day(day(0), fetched=late, gwh="6701"),
            raw_day(day(2), fetched=late, gwh="6703"),
            raw_day(day(3), fetched=late),
        ]
    )
    assert series.flags(str(day(0))) == {"next_day_overdue"}
    assert series.flags(str(day(2))) == set()
    series.arrive(Arrival(raw_day(day(1), fetched=late, gwh="6702"), 9))
    assert series.flags(str(day(0))) == set()
    evaluated_again = [
        change.record_id for change in series.observed[-1].changes if change.published
    ]
    assert evaluated_again == [f"ES/{day(1)}", f"ES/{day(0)}"]


def test_unloading_is_derived_when_the_next_day_comes_and_only_once() -> None:
    series = series_of([raw_day(day(0))])
    assert series.published[f"ES/{day(0)}"]["lng_inventory"]["ship_unloading_gwh"] is None
    tomorrow = raw_day(day(1), gwh="7000", lng="1045")
    series.arrive(Arrival(tomorrow, 1))
    derived = series.published[f"ES/{day(0)}"]["lng_inventory"]["ship_unloading_gwh"]
    assert derived == pytest.approx(7000 - 6700 + 600)
    assert series.points[f"ES/{day(0)}"].stored.version & 0xFF == 1
    series.arrive(Arrival(tomorrow, 2))
    assert series.points[f"ES/{day(0)}"].stored.version & 0xFF == 1


def test_a_day_judged_again_has_no_second_outcome() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), gwh="6800")])
    assert [found.outcome for found in series.observed] == ["changed", "changed"]
    assert len(series.observed[1].changes) == 2


def test_flags_of_the_record_itself_and_of_its_neighbours_stand_in_the_outcome() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), gwh="67000")])
    assert series.observed[1].flags == ("energy_against_volume", "inventory_jump")


def test_what_neighbours_found_leaves_the_outcome_of_a_record_that_is_replaced() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), gwh="67000")])
    first = RawCoordinates("raw.alsi_lng", 0, 1)
    assert series.outcomes[first] == ("changed", ("energy_against_volume", "inventory_jump"))
    corrected = raw_day(day(1), fetched=datetime(2026, 3, 6, tzinfo=UTC), gwh="6701")
    series.arrive(Arrival(corrected, 2))
    assert series.outcomes[first] == ("changed", ("energy_against_volume",))


def test_a_record_that_says_the_same_again_is_unchanged_even_when_it_shows_a_gap() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), gwh="67000")])
    again = raw_day(day(1), fetched=datetime(2026, 3, 9, tzinfo=UTC), gwh="67000")
    series.arrive(Arrival(again, 2))
    first, repeat = (RawCoordinates("raw.alsi_lng", 0, offset) for offset in (1, 2))
    assert series.outcomes[repeat] == ("unchanged", ("energy_against_volume",))
    assert series.outcomes[first] == ("changed", ("energy_against_volume", "inventory_jump"))
    shown = series.published[f"ES/{day(1)}"]
    assert "next_day_overdue" in shown["flags"]
    assert shown["lineage"] == first.to_avro()


def test_a_withdrawn_day_is_no_neighbour_any_more() -> None:
    series = series_of([raw_day(day(0)), raw_day(day(1), lng="2000", gwh="13400")])
    rejected = raw_day(day(0), fetched=datetime(2026, 3, 4, tzinfo=UTC), status="?")
    series.arrive(Arrival(rejected, 2))
    assert series.published[f"ES/{day(0)}"]["status"] == "withdrawn"
    assert series.flags(str(day(1))) == set()


def test_other_entities_are_no_neighbours() -> None:
    france = {"country": "FR"}
    series = series_of([raw_day(day(0)), raw_day(day(1), scope=france, lng="2000", gwh="13400")])
    assert series.flags(f"FR/{day(1)}") == set()


def test_a_verdict_across_scopes_flags_the_day_until_it_is_taken_back() -> None:
    series = series_of([raw_day(day(0))])
    verdict: avro.NormalizedObservation = {
        "source_id": "alsi_lng_inventory",
        "record_id": f"ES/{day(0)}",
        "entity_id": "ES",
        "kind": "lng_inventory",
        "event": "verdict",
        "move_count": 0,
        "order": OrderKey(None, EPOCH, "").to_avro(),
        "lineage": RawCoordinates("lng.gas_days", 0, 0).to_avro(),
        "licence": "",
        "attribution": "",
        "flags": ["totals_disagree"],
    }
    found = series.observe(verdict)
    assert (found.outcome, found.report) == (None, None)
    assert series.flags(str(day(0))) == {"totals_disagree"}
    assert not series.observe(verdict).changes
    series.arrive(Arrival(raw_day(day(0), fetched=datetime(2026, 3, 3, 21, tzinfo=UTC)), 1))
    assert series.flags(str(day(0))) == {"totals_disagree"}, "a newer row does not lift it"
    series.observe({**verdict, "flags": []})
    assert series.flags(str(day(0))) == set()


def test_other_scopes_hear_of_a_day_only_when_its_figures_change() -> None:
    same = raw_day(day(0), fetched=datetime(2026, 3, 5, tzinfo=UTC))
    other = raw_day(day(0), fetched=datetime(2026, 3, 6, tzinfo=UTC), gwh="6500", lng="970")
    gone = raw_day(day(0), fetched=datetime(2026, 3, 7, tzinfo=UTC), status="?")
    series = series_of([raw_day(day(0)), same, other, gone])
    reported = [found.report and found.report.inventory_gwh for found in series.observed]
    assert reported == [6700.0, None, 6500.0, None]
    assert series.observed[1].report is None
    assert series.observed[3].report is not None
    assert not series.observed[3].report.reports
