"""Whatever the order of arrival, readers end with the same records and the same flags."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import contract_types as avro
from streams.core.records import OrderKey, RawCoordinates, RawRecord
from tests.core.series import Arrival, Series, arrivals, raw_day, series_of

FIRST = date(2026, 3, 1)
DAYS = 7

figures = st.sampled_from(["0", "300", "600", "1900", "-"])
volumes = st.sampled_from(["100", "900", "1000", "1010", "2000", "-"])
energies = st.sampled_from(["670", "6700", "6750", "13400", "67000", "-"])


def revised(day: date, fetched: datetime) -> st.SearchStrategy[RawRecord]:
    """A row of a day as it may be fetched at a time; some are rejected."""
    return st.builds(
        raw_day,
        st.just(day),
        fetched=st.just(fetched),
        lng=volumes,
        gwh=energies,
        sendOut=figures,
        dtmi_gwh=st.sampled_from(["8000", "-"]),
        status=st.sampled_from(["C", "C", "C", "E", "N", "rejected"]),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[RawRecord]:
    """Rows of one entity, each day in up to three revisions, repeats, rejections, delistings."""
    rows: list[RawRecord] = []
    for number in range(DAYS):
        revisions = draw(st.integers(0, 3))
        for revision in range(revisions):
            fetched = datetime(2026, 3, 2 + number, 19, tzinfo=UTC) + timedelta(days=revision)
            change = draw(st.integers(0, 9))
            if revision and change < 3:
                rows.append(replace(rows[-1], fetched_at=fetched))  # says the same again
            elif revision and change == 3:
                gone = replace(rows[-1], fetched_at=fetched, event="no_longer_listed", item=None)
                rows.append(gone)
            else:
                rows.append(draw(revised(FIRST + timedelta(days=number), fetched)))
    return rows


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
            # As it was said last: it is as late as that.
            order, lineage = point.stored.order.to_avro(), point.stored.lineage.to_avro()
            fresh.observe({**point.normalized, "order": order, "lineage": lineage})
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


def partitions_of(rows: list[Arrival]) -> list[list[Arrival]]:
    """Rows as partitions of a raw topic have them: those of one gas day in their order."""
    days: dict[str, list[Arrival]] = {}
    for row in rows:
        days.setdefault(row.raw.record_id, []).append(row)
    return list(days.values())


def totals_verdict(record_id: str, flags: list[str]) -> avro.NormalizedObservation:
    """What the checks across scopes say about a day."""
    return {
        "source_id": "alsi_lng_inventory",
        "record_id": record_id,
        "entity_id": "ES",
        "kind": "lng_inventory",
        "event": "verdict",
        "move_count": 0,
        "order": OrderKey(None, datetime(2026, 3, 1, tzinfo=UTC), "").to_avro(),
        "lineage": RawCoordinates("lng.gas_days", 0, 0).to_avro(),
        "licence": "",
        "attribution": "",
        "flags": flags,
    }


def arrive_interleaved(rows: list[Arrival], contradicted: set[str], random: Any) -> Series:
    """Rows of all partitions in some order of reading, with verdicts of totals on the way.

    Totals are heard when a day exists, before it is revised or after; in the end all are.
    """
    series = Series()
    waiting = [list(rows) for rows in partitions_of(rows)]
    while any(waiting):
        series.arrive(random.choice([rows for rows in waiting if rows]).pop(0))
        for record_id in sorted(series.points):
            if record_id in contradicted and random.random() < 0.3:
                series.observe(totals_verdict(record_id, ["totals_disagree"]))
    for record_id in sorted(contradicted & series.points.keys()):
        series.observe(totals_verdict(record_id, ["totals_disagree"]))
    return series


@given(histories(), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_every_raw_record_has_the_same_outcome_and_flags_however_topics_interleave(
    raws: list[RawRecord], one: Any, other: Any
) -> None:
    rows = arrivals(raws)
    contradicted = {raw.record_id for raw in raws[::2]}
    found, expected = (arrive_interleaved(rows, contradicted, random) for random in (one, other))
    assert found.outcomes == expected.outcomes
    assert seen_by_readers(found) == seen_by_readers(expected)
