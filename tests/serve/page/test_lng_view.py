"""LNG against former years, and what was published first."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from streams.clickhouse.series_queries import Revision, Series, SeriesDay
from streams.serve.page.lng_view import glances, newest_days, revised, same_day

DAY = date(2025, 10, 1)
KNOWN_AT = datetime(2025, 10, 2, 19, 45, tzinfo=UTC)

SERIES = Series(
    "ES_ONE", "terminal", "W/X", "One", "ES", "W", "X", False, date(2020, 1, 1), date(2025, 10, 1)
)


def gas_day(day: date = DAY, series_id: str = "ES_ONE", **values: Any) -> SeriesDay:
    """A gas day of 1,000 of 2,000 GWh."""
    made = SeriesDay(
        series_id=series_id,
        entity_id="W/X",
        gas_day=day,
        gas_day_start=KNOWN_AT,
        gas_day_end=KNOWN_AT,
        status="confirmed",
        inventory_gwh=1000.0,
        inventory_thousand_m3_lng=None,
        send_out_gwh_per_day=50.0,
        dtmi_gwh=2000.0,
        dtrs_gwh_per_day=None,
        fullness_pct=50.0,
        ship_unloading_gwh=None,
        ship_unloading_uncertainty_gwh=None,
        ship_unloading_method=None,
        flags=[],
        version=1,
        observed_at=KNOWN_AT,
        known_at=KNOWN_AT,
    )
    return replace(made, **values)


def _revision(version: int, inventory_gwh: float, **values: Any) -> Revision:
    day = gas_day(inventory_gwh=inventory_gwh, version=version, **values)
    fields = {name: getattr(day, name) for name in SeriesDay.__dataclass_fields__}
    return Revision(**fields, record_status="current", published_at=None)


def test_the_day_of_a_leap_year_is_compared_with_the_last_of_february() -> None:
    assert same_day(date(2024, 2, 29), 1) == date(2023, 2, 28)
    assert same_day(date(2024, 2, 29), 4) == date(2020, 2, 29)
    assert same_day(date(2025, 10, 1), 3) == date(2022, 10, 1)


def test_fullness_is_compared_with_the_years_that_are_known() -> None:
    former = [{"ES_ONE": gas_day(fullness_pct=40.0)}, {}, {"ES_ONE": gas_day(fullness_pct=30.0)}]
    (one,) = glances([SERIES], {"ES_ONE": gas_day()}, former)
    assert (one.former_pct, one.mean_pct, one.change_pct, one.late) == (
        [40.0, None, 30.0],
        35.0,
        15.0,
        False,
    )


def test_what_reports_nothing_comes_last_and_is_late() -> None:
    silent = replace(SERIES, series_id="ES_OLD", last_gas_day=date(2022, 1, 1))
    fuller = replace(SERIES, series_id="ES_TWO")
    newest = {"ES_ONE": gas_day(), "ES_TWO": gas_day(series_id="ES_TWO", fullness_pct=60.0)}
    found = glances([silent, SERIES, fuller], newest, [])
    assert [one.series.series_id for one in found] == ["ES_TWO", "ES_ONE", "ES_OLD"]
    assert [one.late for one in found] == [False, False, True]
    assert found[-1].change_pct is None


def test_the_newest_day_is_the_last_one_with_an_inventory() -> None:
    empty = gas_day(date(2025, 10, 2), inventory_gwh=None)
    assert newest_days([gas_day(), empty])["ES_ONE"].gas_day == DAY


def test_a_revision_is_a_change_of_what_was_reported() -> None:
    later = gas_day(date(2025, 10, 2))
    derived = replace(_revision(2, 1000.0), ship_unloading_gwh=12.0)
    assert revised([_revision(1, 1000.0), derived]) == []
    (one,) = revised([_revision(1, 1000.0), _revision(2, 1050.0), _revision(3, 1100.0)])
    assert (one.change_gwh, one.versions, later.version) == (100.0, 3, 1)


def test_operators_of_one_terminal_are_not_revisions_of_each_other() -> None:
    assert revised([_revision(1, 1000.0), _revision(2, 900.0, entity_id="W/Y")]) == []
