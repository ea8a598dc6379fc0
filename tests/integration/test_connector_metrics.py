"""The metrics of a source are true when its runs are not: killed, overdue, cut off, failing."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta

import psycopg
import pytest
from prometheus_client.core import Metric

from producers.checkpoint import CheckpointStore, open_store
from producers.health_collector import ConnectorCollector
from producers.raw_log import RawLog
from producers.run_history import KILLED, Attempt, FinishedRun
from producers.seen_fields import FieldCounts
from streams.local.stack import LocalStack
from tests.producers.live import fresh_database
from tests.producers.sandbox_server import free_port

pytestmark = pytest.mark.integration

SOURCE, OTHER = "wri_powerplants", "alsi_lng_inventory"
EVERY = {SOURCE: timedelta(days=7), OTHER: timedelta(hours=6)}


@pytest.fixture
def dsn(stack: LocalStack) -> Iterator[str]:
    with fresh_database(stack) as fresh:
        yield fresh


def begin(store: CheckpointStore, source_id: str = SOURCE) -> int:
    store.lock(source_id)
    return store.begin_attempt(source_id, uuid.uuid4().hex)


def run(
    dsn: str,
    source_id: str = SOURCE,
    *,
    published: int = 0,
    hits: int = 0,
    error: str | None = None,
) -> None:
    """One run of a source that is over."""
    with open_store(dsn) as store:
        number = begin(store, source_id)
        store.end_attempt(Attempt(number, store.present(), published, hits, error, {}))


def samples(metrics: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Value by metric and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def scrape(dsn: str) -> dict[tuple[str, ...], float]:
    return samples(ConnectorCollector(dsn, EVERY, lambda: True).ask())


def up(dsn: str, source_id: str = SOURCE) -> float:
    return scrape(dsn)["connector_up", source_id]


def test_a_source_that_was_never_polled_is_not_up(dsn: str) -> None:
    assert (up(dsn), up(dsn, OTHER)) == (0, 0)
    run(dsn)
    assert (up(dsn), up(dsn, OTHER)) == (1, 0)


def test_a_run_that_fails_is_counted_by_its_error_until_one_succeeds(dsn: str) -> None:
    run(dsn, error="UnreachableError")
    run(dsn, error="CheckpointError")
    run(dsn, error="UnreachableError")
    found = scrape(dsn)
    assert found["connector_up", SOURCE] == 0
    assert found["connector_errors_total", SOURCE, "UnreachableError"] == 2
    assert found["connector_errors_total", SOURCE, "CheckpointError"] == 1
    run(dsn)
    found = scrape(dsn)
    assert found["connector_up", SOURCE] == 1
    assert found["connector_errors_total", SOURCE, "UnreachableError"] == 2
    assert found["connector_runs_total", SOURCE] == 4


def test_a_run_that_is_killed_is_a_failure_as_soon_as_its_lock_is_gone(dsn: str) -> None:
    run(dsn)
    with open_store(dsn) as store:
        begin(store)
        during = scrape(dsn)
    # Its process ended here without another word.
    after = scrape(dsn)
    assert during["connector_up", SOURCE] == 1
    assert during["connector_runs_total", SOURCE] == 1
    assert ("connector_errors_total", SOURCE, KILLED) not in during
    assert after["connector_up", SOURCE] == 0
    assert after["connector_runs_total", SOURCE] == 2
    assert after["connector_errors_total", SOURCE, KILLED] == 1
    # The lock of the next run says nothing about the killed one.
    with open_store(dsn) as store:
        begin(store)
        assert scrape(dsn)["connector_errors_total", SOURCE, KILLED] == 1
        assert up(dsn) == 0


@pytest.mark.parametrize(
    ("source_id", "since_begun", "expected"),
    [
        (OTHER, timedelta(hours=6, minutes=30), 1),
        (OTHER, timedelta(hours=6, minutes=40), 0),
        (SOURCE, timedelta(days=7, hours=16), 1),
        (SOURCE, timedelta(days=7, hours=17), 0),
    ],
)
def test_a_run_that_was_due_and_did_not_happen(
    dsn: str, source_id: str, since_begun: timedelta, expected: float
) -> None:
    run(dsn, source_id)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE producers.attempts SET began_at = now() - %s", (since_begun,))
    assert up(dsn, source_id) == expected


def test_a_run_that_hangs_past_the_time_of_the_next_one_is_overdue(dsn: str) -> None:
    run(dsn)
    with open_store(dsn) as store:
        begin(store)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("UPDATE producers.attempts SET began_at = now() - interval '8 days'")
        assert up(dsn) == 0


def test_no_source_is_up_when_the_database_of_its_runs_does_not_answer(dsn: str) -> None:
    run(dsn)
    assert up(dsn) == 1
    away = ConnectorCollector(f"postgresql://127.0.0.1:{free_port()}/no", EVERY, lambda: True)
    away.begin()
    found = samples(away.collect())
    assert found == {("connector_up", SOURCE): 0, ("connector_up", OTHER): 0}
    assert away.has_failed()


def test_limits_and_the_last_event_are_those_of_all_runs(dsn: str) -> None:
    run(dsn, hits=2, error="RateLimitedError")
    found = scrape(dsn)
    assert found["connector_api_rate_limit_hits", SOURCE] == 2
    assert ("connector_last_event_time", SOURCE) not in found, "nothing was ever published"
    run(dsn, published=5, hits=1)
    published = scrape(dsn)
    run(dsn, hits=3)
    later = scrape(dsn)
    assert later["connector_api_rate_limit_hits", SOURCE] == 6
    last = later["connector_last_event_time", SOURCE]
    assert last == published["connector_last_event_time", SOURCE], "an idle run is no event"


EXTRA = {"name": "extra", "type": {"type": "map", "values": "string"}}


def finish(dsn: str, number: int, **fields: int) -> None:
    """A finished run of four items, so many of which had each field."""
    counts = FieldCounts([*({"name": name, "type": "string"} for name in ("name", "owner")), EXTRA])
    for item in range(4):
        extra = {name: "x" for name, items in fields.items() if item < items}
        counts.add("plants", {"extra": extra})
    with open_store(dsn) as store:
        present = store.present()
        ended = FinishedRun(
            source_id=SOURCE,
            run_id=f"run {number}",
            started_at=present,
            finished_at=present,
            items=4,
            delisted=0,
            complete=True,
            checkpoint={},
            raw_log=RawLog("id", (0,)),
            fetched_until=present,
            left_out={},
        )
        store.finish(ended, {}, (), counts, {}, afresh=False)


def drift(dsn: str) -> set[tuple[str, str, int]]:
    with open_store(dsn) as store:
        found = store.drift()
    metrics = scrape(dsn)
    for one in found:
        labels = (one.source_id, one.stream, one.field, one.change)
        assert metrics["connector_drift_records", *labels] == one.records
    return {(one.field, one.change, one.records) for one in found}


def test_fields_that_are_new_or_gone_are_counted_by_name(dsn: str) -> None:
    # The first run says what belongs to the source.
    finish(dsn, 1, name=4, capacity=4, note=3)
    assert drift(dsn) == set()
    # A rare field may be missing; one that the contract has may come late.
    finish(dsn, 2, name=4, capacity=4, owner=1)
    assert drift(dsn) == set()
    # A column renamed: one that every item had is gone, another is there.
    finish(dsn, 3, name=4, capacity_mw=3)
    assert drift(dsn) == {("capacity", "gone", 8), ("capacity_mw", "new", 3)}
    finish(dsn, 4, name=4, capacity_mw=4)
    assert drift(dsn) == {("capacity", "gone", 8), ("capacity_mw", "new", 7)}
    # It comes back.
    finish(dsn, 5, name=4, capacity=4)
    assert drift(dsn) == {("capacity_mw", "new", 7)}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE producers.seen_fields SET first_seen_at = '2020-01-01'")
    assert drift(dsn) == set()
