"""The known defects of the real EU series are flagged, and hardly anything else is."""

from pathlib import Path

import pytest

from tests.core.series import Series, real_eu_days, series_of

pytestmark = pytest.mark.real_data

UNIT_SLIPS = (
    "2018-10-24",
    "2018-12-02",
    "2019-01-21",
    "2019-02-16",
    "2019-05-21",
    "2019-11-30",
)
"""Energy of about 25 GWh in 10^3 m3, still served as confirmed."""

FALSE_ALARMS = 0.02


@pytest.fixture(scope="module")
def eu(real_data: Path) -> Series:
    return series_of(real_eu_days(real_data))


def days_with(series: Series, rule_id: str) -> list[str]:
    return [
        record_id.partition("/")[2]
        for record_id, record in sorted(series.published.items())
        if rule_id in record["flags"]
    ]


def test_missing_energy_of_2012_to_2015_is_flagged_on_every_day(eu: Series) -> None:
    found = days_with(eu, "energy_against_volume")
    assert len([day for day in found if day < "2016"]) == 365 * 4 + 1


def test_the_volume_slip_of_2018_10_09_is_flagged_and_not_the_day_after(eu: Series) -> None:
    assert eu.flags("2018-10-09") == {"energy_against_volume"}
    assert eu.flags("2018-10-10") == set()


@pytest.mark.parametrize("day", UNIT_SLIPS)
def test_each_unit_slip_is_flagged_twice(eu: Series, day: str) -> None:
    assert eu.flags(day) == {"energy_against_volume", "inventory_jump"}


@pytest.mark.parametrize("day", ["2018-10-25", "2018-12-03", "2019-01-22", "2019-12-01"])
def test_the_day_after_a_unit_slip_is_clean(eu: Series, day: str) -> None:
    assert eu.flags(day) == set()


def test_the_energy_slip_of_2019_11_17_is_flagged(eu: Series) -> None:
    assert eu.flags("2019-11-17") == {"energy_against_volume", "inventory_jump"}


def test_the_fall_by_a_quarter_at_the_end_of_2020_is_flagged(eu: Series) -> None:
    assert eu.flags("2020-12-31") == {"inventory_jump", "mass_balance_open"}


@pytest.mark.parametrize("day", ["2021-05-08", "2022-02-24", "2018-04-10"])
def test_a_rise_above_a_fifth_that_ships_explain_is_clean(eu: Series, day: str) -> None:
    assert eu.flags(day) == set()


def test_send_out_stays_below_its_reference_on_all_days(eu: Series) -> None:
    assert days_with(eu, "send_out_above_reference") == []


def test_under_two_percent_of_clean_days_are_flagged(eu: Series, figures: list[str]) -> None:
    """Clean: since 2019, without the days whose energy and volume contradict each other."""
    defects = set(days_with(eu, "energy_against_volume"))
    days = {record_id.partition("/")[2]: record for record_id, record in eu.published.items()}
    clean = [day for day in days if day >= "2019" and day not in defects]
    flagged = [day for day in clean if days[day]["flags"]]
    share = len(flagged) / len(clean)
    figures.append(
        f"EU series since 2019: {len(flagged)} of {len(clean)} clean gas days flagged ({share:.2%})"
    )
    assert share < FALSE_ALARMS


def test_newest_first_gives_the_same_flags(eu: Series, real_data: Path) -> None:
    """The source answers newest first."""
    backwards = series_of(reversed(real_eu_days(real_data)))
    assert {key: one["flags"] for key, one in backwards.published.items()} == {
        key: one["flags"] for key, one in eu.published.items()
    }
