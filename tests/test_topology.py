"""The declared shape of the pipeline, and what follows from it."""

import os
import subprocess
import sys

import pytest

from producers.connectors import CONNECTORS
from streams.core.errors import SettingsError
from streams.sink.landing import TOPICS
from streams.topics import (
    CANDIDATES,
    DEAD_LETTERS,
    DECISIONS,
    MARKET_INFRASTRUCTURE,
    QUALITY_COUNTS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    REPLAYS,
    RESUMES,
    Topic,
    raw_topic,
)
from streams.topology import (
    SINK_TOPICS,
    DeclaredStage,
    changelogs,
    chosen,
    deployment_topics,
    drain_steps,
    next_generation,
    next_names,
    outputs,
    pipeline,
)

STAGES = pipeline(CONNECTORS)


def stage(name: str, reads: str, *writes: str) -> DeclaredStage:
    return DeclaredStage(name, Topic(reads), "state.x", tuple(map(Topic, writes)), "A stage.")


def names(steps: tuple[tuple[DeclaredStage, ...], ...]) -> list[set[str]]:
    return [{declared.name for declared in step} for step in steps]


def test_the_pipeline_drains_from_the_raw_topics_to_the_scores() -> None:
    assert names(drain_steps(STAGES)) == [
        {*(f"normalize-{name}" for name in CONNECTORS), "decide"},
        {"reconcile", "observe", "aggregates"},
        {"count"},
        {"score"},
    ]


def test_stages_that_feed_each_other_are_one_step() -> None:
    first, last = stage("first", "in", "a"), stage("last", "b", "end")
    one, other = stage("one", "a", "c", "b"), stage("other", "c", "a")
    steps = drain_steps((last, other, first, one))
    assert names(steps) == [{"first"}, {"one", "other"}, {"last"}]


def test_a_stage_drains_after_every_stage_that_feeds_it() -> None:
    stages = (stage("c", "b", "end"), stage("b", "a", "b"), stage("a", "in", "a", "b"))
    assert names(drain_steps(stages)) == [{"a"}, {"b"}, {"c"}]


def test_the_next_generation_shares_raw_records_and_decisions_and_nothing_else() -> None:
    growing = next_generation(STAGES)
    shared = {declared.input for declared in growing} & {declared.input for declared in STAGES}
    assert shared == {*(raw_topic(name) for name in CONNECTORS), DECISIONS}
    assert not set(outputs(growing)) & set(outputs(STAGES))
    assert next_names(STAGES).keys() == {topic.name for topic in outputs(STAGES)}
    for running, own in zip(STAGES, growing, strict=True):
        assert (own.name, own.input.partitions) == (running.name, running.input.partitions)
        assert [topic.contract_name for topic in own.outputs] == [
            topic.contract_name for topic in running.outputs
        ]


def test_every_changelog_has_the_partitions_of_its_input() -> None:
    topics = {topic.name: topic for topic in changelogs("app", CONNECTORS)}
    assert len(topics) == len(STAGES)
    for declared in STAGES:
        changelog = topics[f"app-{declared.name}-changelog"]
        assert changelog.partitions == declared.input.partitions
        assert changelog.contract_name == declared.state_contract


def test_a_deployment_has_every_topic_once() -> None:
    found = [topic.name for topic in deployment_topics("app", tuple(CONNECTORS))]
    assert len(found) == len(set(found))
    written = {topic.name for declared in STAGES for topic in declared.outputs}
    read = {declared.input.name for declared in STAGES} | {topic.name for topic in SINK_TOPICS}
    assert written | read | {RESUMES.name} <= set(found)


def test_the_sink_has_a_table_for_each_topic_it_loads_and_no_other() -> None:
    assert {topic.name for topic in SINK_TOPICS} == set(TOPICS)
    assert set(SINK_TOPICS) == {
        MARKET_INFRASTRUCTURE,
        RECORD_OUTCOMES,
        DEAD_LETTERS,
        QUALITY_SCORES,
        CANDIDATES,
        REPLAYS,
    }
    assert QUALITY_COUNTS not in SINK_TOPICS


def test_a_worker_runs_the_stages_it_is_told_to_and_all_by_default() -> None:
    assert chosen(STAGES, "") == STAGES
    found = chosen(STAGES, "reconcile, normalize-alsi_lng")
    assert [declared.name for declared in found] == ["normalize-alsi_lng", "reconcile"]


def test_a_stage_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(SettingsError, match=r"reconsile, which is no stage.*observe, aggregates"):
        chosen(STAGES, "reconsile")


@pytest.mark.processes
@pytest.mark.parametrize("wanted", ["", "normalize-alsi_lng,aggregates"])
def test_faust_has_one_agent_for_each_stage_of_the_worker(wanted: str) -> None:
    code = "import streams.app as a; print(*sorted(a.app.agents), *sorted(a.app.tables), sep='\\n')"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"STAGES": wanted},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    expected = sorted(declared.name for declared in chosen(STAGES, wanted))
    assert shown.stdout.split() == expected * 2
