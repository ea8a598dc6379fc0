"""What changed, in words and sums."""

from dataclasses import replace
from datetime import UTC, datetime

from streams.clickhouse.news_queries import News, NewsCount
from streams.serve.page.changes_view import kind_rows, said, title

ONE = News(
    "power_plant",
    "p1",
    "changed",
    "Barcelona",
    "ES",
    "operating",
    "construction",
    60.0,
    40.0,
    20.0,
    datetime(2026, 3, 1, tzinfo=UTC),
    7,
)


def test_what_differs_is_said_as_before_and_now() -> None:
    assert title(ONE) == "Changed: Power plant Barcelona, ES"
    assert said(ONE) == "construction → operating, 40 → 60 MW"
    assert said(replace(ONE, status_before="operating", measure_before=60.0)) == ""
    assert said(replace(ONE, measure=None, status_before="operating")) == "40 → – MW"


def test_what_is_new_says_what_it_is_and_what_is_gone_what_it_was() -> None:
    assert said(replace(ONE, what="new", measure_before=None)) == "operating, 60 MW"
    gone = replace(ONE, what="withdrawn")
    assert (title(gone), said(gone)) == ("No longer listed: Power plant Barcelona, ES", "40 MW")


def test_counts_are_one_row_a_kind_and_source() -> None:
    rows = kind_rows(
        [
            NewsCount("power_plant", "a", "new", 3, 120.0),
            NewsCount("power_plant", "a", "withdrawn", 1, -20.0),
            NewsCount("lng_inventory", "b", "new", 5, 9000.0),
            NewsCount("substation", "c", "changed", 2, 0.0),
        ]
    )
    plants, days, substations = rows
    assert (plants.counts, plants.change) == (
        {"new": 3, "changed": 0, "withdrawn": 1, "merged": 0},
        100.0,
    )
    assert (days.change, substations.change) == (None, None)
