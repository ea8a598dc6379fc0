"""Checks across scopes: parts against totals, whatever the order the reports come in."""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.aggregates import (
    EMPTY,
    Day,
    Report,
    changed_verdicts,
    evaluate_totals,
    neighbour_days,
)
from streams.core.records import EPOCH
from tests.core.series import TOLERANCES

DAY = date(2026, 3, 2)


def report(
    entity_id: str,
    inventory_gwh: float | None,
    *,
    scope: str = "country",
    country: str | None = None,
    virtual: bool = False,
    reports: bool = True,
    version: int = 1,
) -> Report:
    return Report(
        "alsi_lng_inventory",
        f"{entity_id}/{DAY}",
        entity_id,
        scope,
        country or (entity_id if scope == "country" else None),
        virtual,
        DAY,
        reports,
        inventory_gwh if reports else None,
        None,
        EPOCH,
        version,
    )


def day_of(*reports: Report) -> Day:
    return Day({one.record_id: one for one in reports}, {})


def flags(day: Day, previous: Day = EMPTY) -> dict[str, tuple[str, ...]]:
    found = evaluate_totals(day, [previous], [], TOLERANCES)
    return {record_id.partition("/")[0]: ids for record_id, ids in found.items()}


CODES = ("BE", "DE", "ES", "FI", "FR", "GR", "HR", "IT", "LT", "NL")
COUNTRIES = [report(code, 100.0) for code in CODES]


def test_countries_that_add_up_to_the_eu_are_fine() -> None:
    assert flags(day_of(report("eu", 1000.0, scope="eu"), *COUNTRIES)) == {}


def test_countries_above_the_eu_contradict_it_even_when_some_are_missing() -> None:
    found = flags(day_of(report("eu", 150.0, scope="eu"), *COUNTRIES[:2]))
    assert found == {"eu": ("totals_disagree",)}


def test_countries_below_the_eu_contradict_it_only_when_nearly_all_report() -> None:
    eu = report("eu", 1500.0, scope="eu")
    assert flags(day_of(eu, *COUNTRIES)) == {"eu": ("totals_disagree",)}
    assert flags(day_of(eu, *COUNTRIES[:9])) == {}


def test_terminals_above_their_country_contradict_it_but_a_virtual_tank_does_not() -> None:
    spain = report("ES", 100.0)
    real = report("a", 90.0, scope="terminal", country="ES")
    virtual = report("v", 90.0, scope="terminal", country="ES", virtual=True)
    elsewhere = report("f", 500.0, scope="terminal", country="FR")
    assert flags(day_of(spain, real, virtual, elsewhere)) == {}
    more = report("b", 30.0, scope="terminal", country="ES")
    assert flags(day_of(spain, real, more)) == {"ES": ("totals_disagree",)}


def test_a_day_on_which_many_stop_reporting_is_flagged() -> None:
    eu = report("eu", None, scope="eu")
    assert flags(day_of(eu, *COUNTRIES[:6]), day_of(*COUNTRIES)) == {"eu": ("reporters_dropped",)}
    assert flags(day_of(eu, *COUNTRIES[:8]), day_of(*COUNTRIES)) == {}
    silent = [report(country.entity_id, 1.0, reports=False) for country in COUNTRIES[6:]]
    assert flags(day_of(eu, *COUNTRIES[:6], *silent), day_of(*COUNTRIES)) != {}


def test_an_older_version_of_a_report_changes_nothing() -> None:
    day = EMPTY.with_report(report("ES", 100.0, version=2))
    assert day.with_report(report("ES", 50.0, version=1)) is day
    assert day.with_report(report("ES", 50.0, version=3)) is not day


def test_only_changed_flags_are_sent_and_their_end_too() -> None:
    before = {"a": ("x",), "b": ("x",), "c": ("x",)}
    after = {"a": ("x",), "b": ("x", "y")}
    assert list(changed_verdicts(before, after)) == [("b", ("x", "y")), ("c", ())]


reports = st.builds(
    report,
    st.sampled_from(["BE", "DE", "ES", "FI", "FR"]),
    st.sampled_from([None, 50.0, 100.0, 900.0]),
    reports=st.booleans(),
    version=st.integers(1, 9),
)


@given(st.lists(reports, unique_by=lambda each: (each.entity_id, each.version)), st.data())
def test_any_order_of_reports_gives_the_same_verdicts(
    found: list[Report], data: st.DataObject
) -> None:
    eu = report("eu", 300.0, scope="eu")
    verdicts = []
    for order in (found, data.draw(st.permutations(found))):
        day = EMPTY.with_report(eu)
        for one in order:
            day = day.with_report(one)
        verdicts.append(evaluate_totals(day, [EMPTY], [], TOLERANCES))
    assert verdicts[0] == verdicts[1]


def test_a_day_survives_its_avro_form() -> None:
    day = Day(day_of(*COUNTRIES).reports, {f"ES/{DAY}": ("totals_disagree",)})
    assert Day.from_avro(day.to_avro()) == day


SHARES = {
    "BE": 0.1,
    "DE": 0.1,
    "ES": 0.25,
    "FR": 0.25,
    "GR": 0.05,
    "IT": 0.1,
    "NL": 0.1,
    "PL": 0.05,
}
"""Of the EU's inventory; together they are its whole."""


def series(
    totals: Sequence[float], missing: Mapping[int, str] | None = None, steady: float = 1.0
) -> list[Day]:
    """Days of the EU and its countries, whose parts follow 1,000 GWh that change from day to day.

    Args:
        totals: The EU's total of each day, over the sum of its countries.
        missing: Country that does not report, by day.
        steady: The same factor on every total.
    """
    days = []
    for index, factor in enumerate(totals):
        whole = 1000.0 + 20.0 * (index % 3)
        absent = (missing or {}).get(index)
        parts = [report(code, whole * share) for code, share in SHARES.items() if code != absent]
        days.append(day_of(report("eu", whole * factor * steady, scope="eu"), *parts))
    return days


def flagged(days: Sequence[Day]) -> list[int]:
    """Days whose EU total is flagged, each evaluated among its neighbours."""
    around = neighbour_days(TOLERANCES)
    found = []
    for index, day in enumerate(days):
        before = [days[index - step] if index >= step else EMPTY for step in range(1, around + 1)]
        after = [
            days[index + step] if index + step < len(days) else EMPTY
            for step in range(1, around + 1)
        ]
        if evaluate_totals(day, before, after, TOLERANCES).get(f"eu/{DAY}"):
            found.append(index)
    return found


@pytest.mark.parametrize("off", [0.03, 0.05, 0.08, -0.03, -0.05, -0.08, 9.0])
@pytest.mark.parametrize("steady", [1.0, 1.07])
@pytest.mark.parametrize("missing", [{}, {5: "DE"}, {4: "DE", 6: "PL"}])
def test_a_total_that_is_off_on_one_day_is_flagged_whatever_it_usually_is(
    off: float, steady: float, missing: Mapping[int, str]
) -> None:
    totals = [1.0] * 5 + [1 + off] + [1.0] * 5
    assert flagged(series(totals, missing, steady)) == [5]


@pytest.mark.parametrize("off", [0.03, 0.05, 0.08, -0.03, -0.05, -0.08])
@pytest.mark.parametrize("country", SHARES)
@pytest.mark.parametrize("days", [range(11), [5], [4, 6]], ids=["always", "that day", "beside it"])
def test_it_is_flagged_whichever_country_is_missing(
    off: float, country: str, days: Sequence[int]
) -> None:
    totals = [1.0] * 5 + [1 + off] + [1.0] * 5
    assert flagged(series(totals, dict.fromkeys(days, country))) == [5]


def test_a_country_that_never_reports_flags_no_day_although_nearly_all_others_do() -> None:
    """The total holds it, so the parts are less every day: a steady difference."""
    codes = {f"C{index}": 0.05 for index in range(12)} | {"ES": 0.4}
    days = []
    for index in range(9):
        whole = 1000.0 + 20.0 * (index % 3)
        parts = [report(code, whole * share) for code, share in codes.items() if code != "ES"]
        days.append(day_of(report("eu", whole, scope="eu"), *parts))
    assert flagged(days) == []


def test_a_ratio_that_changes_all_the_time_is_no_jump() -> None:
    """A large country is missing, whose share of the total is another one every day.

    Also of the newest day, of which only those before are known.
    """
    days = []
    for index in range(11):
        rest = 1000.0
        spain = 400.0 + 40.0 * index
        parts = [report(code, rest * share) for code, share in SHARES.items()]
        days.append(day_of(report("eu", rest + spain, scope="eu"), *parts))
    assert flagged(days) == []


@pytest.mark.parametrize("off", [0.03, -0.03, 0.08, -0.08])
def test_a_difference_that_begins_and_stays_is_not(off: float) -> None:
    steady = [1.0] * 5 + [1 + off] * 6
    assert flagged(series(steady)) == []


def test_the_newest_day_is_compared_with_those_before_until_more_come() -> None:
    assert flagged(series([1.0] * 5 + [1.08])) == [5]
    assert flagged(series([1.0] * 5 + [1.08, 1.08, 1.08])) == []


def test_a_country_that_comes_and_goes_flags_nothing() -> None:
    assert flagged(series([1.0] * 11, {5: "BE"})) == []
    assert flagged(series([1.0] * 11, dict.fromkeys(range(5, 11), "IT"))) == []


def test_a_country_total_is_compared_with_its_terminals() -> None:
    def day(total: float) -> Day:
        terminals = (report(name, 50.0, scope="terminal", country="ES") for name in ("a", "b"))
        return day_of(report("ES", total), *terminals)

    usual = [day(100.0), day(101.0)]
    for total in (1000.0, 110.0, 90.0):
        found = evaluate_totals(day(total), usual, usual, TOLERANCES)
        assert found == {f"ES/{DAY}": ("totals_disagree",)}
    assert evaluate_totals(day(102.0), usual, usual, TOLERANCES) == {}


def test_only_totals_that_a_report_is_part_of_are_evaluated_again() -> None:
    days = series([1.0, 1.0, 1.08, 1.0, 1.0])
    whole = evaluate_totals(days[2], days[1::-1], days[3:], TOLERANCES)
    spain = days[3].total("ES")
    assert evaluate_totals(days[2], days[1::-1], days[3:], TOLERANCES, spain) == whole
    kept = Day(days[2].reports, {f"IT/{DAY}": ("totals_disagree",)})
    again = evaluate_totals(kept, days[1::-1], days[3:], TOLERANCES, spain)
    assert again == {**whole, f"IT/{DAY}": ("totals_disagree",)}


@pytest.mark.real_data
@pytest.mark.parametrize("off", [0.03, 0.05, 0.08, -0.03, -0.05, -0.08])
def test_the_real_eu_series_is_clean_and_a_made_up_jump_in_it_is_found(
    real_data: Path, off: float
) -> None:
    """Countries are shares of the real total; every 50th day the total is off."""
    with (real_data / "alsi" / "eu_daily_2012_2026.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    column = next(name for name in rows[0] if "gwh" in name.lower() and "inv" in name.lower())
    totals = [float(row[column]) for row in rows if row[column] not in ("", "-")][-1500:]
    wrong = set(range(10, len(totals) - 10, 50))
    days = []
    for index, total in enumerate(totals):
        parts = [report(code, total * share) for code, share in SHARES.items()]
        published = total * (1 + off) if index in wrong else total
        days.append(day_of(report("eu", published, scope="eu"), *parts))
    assert set(flagged(days)) == wrong
