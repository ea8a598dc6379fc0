"""Whatever the order of arrival, readers end with the same records and the same flags."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.records import RawRecord
from tests.core.series import Series, arrivals, raw_day, series_of

FIRST = date(2026, 3, 1)
DAYS = 7

figures = st.sampled_from(["0", "300", "600", "1900", "-"])
volumes = st.sampled_from(["100", "900", "1000", "1010", "2000", "-"])
energies = st.sampled_from(["670", "6700", "6750", "13400", "67000", "-"])


@st.composite
def histories(draw: st.DrawFn) -> list[RawRecord]:
    """Rows of one entity, each day in up to three revisions, some of which are rejected."""
    return [
        raw_day(
            FIRST + timedelta(days=number),
            fetched=datetime(2026, 3, 2 + number, 19, tzinfo=UTC) + timedelta(days=revision),
            lng=draw(volumes),
            gwh=draw(energies),
            sendOut=draw(figures),
            dtmi_gwh=draw(st.sampled_from(["8000", "-"])),
            status=draw(st.sampled_from(["C", "C", "C", "E", "N", "rejected"])),
        )
        for number in range(DAYS)
        for revision in range(draw(st.integers(0, 3)))
    ]


def seen_by_readers(series: Series) -> dict[str, tuple[list[str], Any]]:
    """Flags and content of every current day; versions depend on the way."""
    return {
        record_id: (record["flags"], record["lng_inventory"])
        for record_id, record in series.published.items()
        if record["status"] == "current"
    }


@given(histories(), st.randoms(use_true_random=False), st.data())
@settings(max_examples=150, deadline=None)
def test_shuffles_duplicates_and_late_revisions_end_in_the_same_records_and_flags(
    raws: list[RawRecord], random: Any, data: st.DataObject
) -> None:
    rows = arrivals(raws)
    in_order, shuffled = Series(), Series()
    for row in rows:
        in_order.arrive(row)
    mixed = rows + (data.draw(st.lists(st.sampled_from(rows), max_size=9)) if rows else [])
    random.shuffle(mixed)
    for row in mixed:
        shuffled.arrive(row)
    assert seen_by_readers(shuffled) == seen_by_readers(in_order)


@given(histories())
@settings(max_examples=100, deadline=None)
def test_flags_follow_from_the_days_held_whatever_was_held_before(raws: list[RawRecord]) -> None:
    series = series_of(raws)
    fresh = Series()
    for point in series.points.values():
        if point.day is not None:
            fresh.observe(point.normalized)
    assert seen_by_readers(fresh) == seen_by_readers(series)


@given(histories())
@settings(max_examples=50, deadline=None)
def test_a_repeat_of_everything_publishes_nothing(raws: list[RawRecord]) -> None:
    series = series_of(raws)
    steps = len(series.observed)
    for row in arrivals(raws):
        series.arrive(row)
    again = series.observed[steps:]
    assert not [change for found in again for change in found.changes if change.published]
    assert {found.outcome for found in again} <= {"unchanged", "superseded", None}
