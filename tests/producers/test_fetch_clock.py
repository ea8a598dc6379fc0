"""Fetch times of a run and what it says of the clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.connector import RawItem
from producers.fetch_clock import FetchClock, clock_warnings
from producers.run import Envelope
from tests.producers.sources.test_wri_powerplants import connector

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SCHEDULE = timedelta(hours=6)


class Elapsed:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("last", [None, NOW - DAY])
def test_what_is_fetched_is_dated_by_the_database(last: datetime | None) -> None:
    elapsed = Elapsed()
    clock = FetchClock(NOW, last, elapsed)
    elapsed.seconds = 90
    assert clock.fetch_time() == clock.present() == NOW + timedelta(seconds=90)


def test_a_fetch_is_never_before_the_last_one() -> None:
    elapsed = Elapsed()
    clock = FetchClock(NOW, NOW + timedelta(seconds=60), elapsed)
    assert clock.fetch_time() == NOW + timedelta(seconds=60)
    elapsed.seconds = 90
    assert clock.fetch_time() == NOW + timedelta(seconds=90)


def warnings(last: datetime | None, machine: datetime = NOW) -> str:
    return " ".join(clock_warnings("alsi_lng", SCHEDULE, NOW, last, machine))


@pytest.mark.parametrize("last", [None, NOW - SCHEDULE, NOW + timedelta(minutes=1)])
def test_clocks_that_agree_are_not_spoken_of(last: datetime | None) -> None:
    assert warnings(last, NOW + timedelta(minutes=4)) == ""


@pytest.mark.parametrize(
    ("last", "machine", "said"),
    [
        (None, NOW + 30 * DAY, "clock of this machine is 30 days ahead of"),
        (None, NOW - timedelta(hours=2), "clock of this machine is 2 h 0 min behind"),
        (NOW + 30 * DAY, NOW, "checkpoint database is 30 days behind the last fetch"),
        (NOW - 30 * DAY, NOW, "checkpoint database is 30 days ahead of the last fetch"),
    ],
)
def test_a_clock_that_is_wrong_is_named_with_what_to_do(
    last: datetime | None, machine: datetime, said: str
) -> None:
    found = warnings(last, machine)
    assert said in found
    assert last is None or "python -m producers alsi_lng --whole" in found


@pytest.mark.parametrize(
    ("updated", "believed"),
    [(NOW - DAY, NOW - DAY), (NOW + DAY, NOW + DAY), (NOW + 400 * DAY, NOW)],
)
def test_a_source_that_dates_an_item_beyond_the_fetch_is_not_believed(
    updated: datetime, believed: datetime
) -> None:
    """Else no update of that item counts before the time comes."""
    item = RawItem("plants", "P1", {}, updated, None, "test")
    assert Envelope(connector("x"), "run", lambda: NOW).observed(item).source_updated_at == believed


def test_a_release_is_fetched_at_one_moment_and_what_has_none_when_it_comes() -> None:
    seconds = iter(range(100))
    envelope = Envelope(connector("x"), "run", lambda: NOW + timedelta(seconds=next(seconds)))

    def fetched(release: str | None, stream: str = "plants") -> int:
        item = RawItem(stream, "P1", {}, None, release, "test")
        return (envelope.observed(item).fetched_at - NOW).seconds

    assert [fetched("first"), fetched("first"), fetched("first", "grid")] == [0, 0, 1]
    gone = envelope.no_longer_listed("P2", "plants", RawItem("plants", "P1", {}, None, "first", ""))
    assert gone.fetched_at == NOW
    assert [fetched("second"), fetched("second"), fetched(None), fetched(None)] == [2, 2, 3, 4]
