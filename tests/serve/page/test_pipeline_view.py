"""What each box says: what waits, flows, is paused or failed, and what is not known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from streams.clickhouse.dead_letter_queries import OpenDeadLetters
from streams.core.records import RawCoordinates
from streams.core.trace import CanonicalTrace, RawTrace, Step, Trace
from streams.serve.operations import Flow, PartitionLag
from streams.serve.page.pipeline_picture import SINK, STORE, picture
from streams.serve.page.pipeline_view import (
    Box,
    Now,
    boxes,
    lines,
    passed_by,
    stage_rows,
    waiting,
)
from streams.serve.sources import Source, SourceRun
from streams.topology import pipeline

STAGES = pipeline(["one"])
SOURCES = {"raw.one": "one"}
PICTURE = picture(STAGES, SOURCES)
WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = SourceRun("r1", WHEN, WHEN - timedelta(minutes=5), 12, complete=True)
SOURCE = Source("one", "source_of_one", (), "CC0", "", 3600, True, RUN, None, 12, WHEN, ())
NOW = Now(
    [SOURCE],
    runs_known=True,
    lag=[
        PartitionLag("pipeline", "normalized.assets", 0, 7),
        PartitionLag("pipeline", "normalized.assets", 1, 3),
        PartitionLag("pipeline", "market.infrastructure", 0, 1),
        PartitionLag("sink", "market.infrastructure", 0, 1200),
    ],
    paused={"raw.one/2": "9 of 10 records were rejected"},
    flow=Flow(1.0, {"raw.one": 500, "dead_letters": 4}, {"raw.one": 12.0}),
    dead_letters=[OpenDeadLetters("source_of_one", "normalize", "unknown_fuel", 4, WHEN)],
    stored_at=WHEN - timedelta(hours=2),
    sink_group="sink",
)


def _boxes(now: Now, passed: frozenset[str] = frozenset()) -> dict[str, Box]:
    found = boxes(PICTURE, stage_rows(STAGES, now), now, WHEN, passed)
    return {box.node.name: box for box in found}


def test_each_box_says_what_it_does() -> None:
    found = _boxes(NOW)
    said = {name: (box.says, box.state) for name, box in found.items()}
    assert said["reconcile"] == ("10 waiting", "busy")
    assert said[SINK] == ("1,200 waiting", "busy")
    assert said["normalize-one"] == ("paused: 1 partition", "paused")
    assert said["one"] == ("polled 5 minutes ago", "ready")
    assert said["raw.one"] == ("12/s, 500 so far", "busy")
    assert said["dead_letters"] == ("4 open, of any stage", "failed")
    assert said[STORE] == ("newest: 2 hours ago", "ready")


def test_what_nobody_says_is_not_known_and_never_zero() -> None:
    found = _boxes(replace(NOW, lag=None, paused=None, flow=None, runs_known=False))
    assert (found["reconcile"].says, found["reconcile"].state) == ("waiting: not known", "unknown")
    assert (found["raw.one"].says, found["one"].says) == ("flow: not known", "runs: not known")
    assert stage_rows(STAGES, replace(NOW, lag=None))[0].waiting is None


def test_dead_letters_are_those_of_the_stage_that_rejected_them() -> None:
    rejected = {row.name: row.open_dead_letters for row in stage_rows(STAGES, NOW)}
    assert rejected["normalize-one"] == 4
    assert sum(rejected.values()) == 4


def test_a_failed_run_is_a_failed_source() -> None:
    found = _boxes(replace(NOW, sources=[replace(SOURCE, up=False)]))
    assert (found["one"].says, found["one"].state) == ("last run failed", "failed")


def test_both_groups_wait_for_themselves() -> None:
    topic = ["market.infrastructure"]
    assert (waiting(NOW, topic, of_sink=False), waiting(NOW, topic, of_sink=True)) == (1, 1200)


def test_lines_flow_where_records_came() -> None:
    flowing = [one for one in lines(PICTURE, NOW, frozenset()) if one.flows]
    assert len(flowing) == 2  # into the raw topic and out of it


def test_a_first_look_knows_no_rate_and_a_recreated_topic_none_either() -> None:
    first = Flow.since(None, 10.0, {"a": 100, "b": 50})
    assert first.per_second == {}
    assert Flow.since(first, 12.0, {"a": 110, "b": 3, "c": 9}).per_second == {"a": 5.0}


def test_a_followed_record_shows_where_it_went() -> None:
    def step(stage: str, place: str | None) -> Step:
        return Step(stage, None, place, "")  # type: ignore[arg-type]

    raw = RawTrace(
        RawCoordinates("raw.one", 0, 1),
        "source_of_one",
        "r1",
        (step("polled", None), step("raw", "raw.one/0/1"), step("outcome", "record.outcomes/0/2")),
    )
    rejected = passed_by(Trace((raw,), (), ()), STAGES, SOURCES)
    assert rejected == {"one", "raw.one", "normalize-one", "record.outcomes"}
    versions = (step("canonical", "market.infrastructure/1/5"), step("ClickHouse", "power_plant"))
    whole = Trace((raw,), (CanonicalTrace("p1", "power_plant", versions),), ())
    assert {SINK, STORE, "market.infrastructure"} <= passed_by(whole, STAGES, SOURCES)
    assert _boxes(NOW, rejected)["normalize-one"].passed
