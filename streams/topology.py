"""The shape of the pipeline, declared once: what each stage reads, keeps and writes.

Changelogs, agents, the topics of a deployment, the order in which it drains, what a rebuild makes
again and the pictures of it all follow from here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from streams.core.errors import SettingsError
from streams.topics import (
    CANDIDATES,
    DEAD_LETTERS,
    DECISIONS,
    GENERATIONS,
    LNG_GAS_DAYS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    QUALITY_COUNTS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    REPLAYS,
    RESUMES,
    SCHEMA_IDS,
    Topic,
    changelog_topic,
    of_next_generation,
    raw_topic,
)

SINK_TOPICS: tuple[Topic, ...] = (
    MARKET_INFRASTRUCTURE,
    RECORD_OUTCOMES,
    DEAD_LETTERS,
    QUALITY_SCORES,
    CANDIDATES,
    REPLAYS,
)
"""What the sink loads."""

COMMAND_TOPICS = (RESUMES, GENERATIONS, SCHEMA_IDS)
"""Topics that commands write and workers look into, without a stage that reads them."""


@dataclass(frozen=True, slots=True)
class DeclaredStage:
    """One stage as it is declared; a factory of the same name in `stages/works.py` makes its work.

    Attributes:
        name: Name of the stage, its agent and its table.
        input: The one topic it reads.
        state_contract: Folder below `avro/` of what its table holds.
        outputs: Topics it writes, its changelog apart.
        purpose: What it is for, one sentence.
    """

    name: str
    input: Topic
    state_contract: str
    outputs: tuple[Topic, ...]
    purpose: str

    def changelog(self, app_id: str) -> Topic:
        """Changelog of its table: as many partitions as its input."""
        return changelog_topic(app_id, self.name, self.state_contract, self.input.partitions)


def normalize_stage(connector_name: str) -> str:
    """Name of the stage that normalizes one connector's raw topic."""
    return f"normalize-{connector_name}"


def pipeline(connector_names: Iterable[str]) -> tuple[DeclaredStage, ...]:
    """Every stage of a pipeline with these connectors."""
    return (*(_normalize(name) for name in connector_names), *_SHARED_STAGES)


def outputs(stages: Iterable[DeclaredStage]) -> tuple[Topic, ...]:
    """What the stages write, changelogs aside: a rebuild makes it again."""
    return tuple(dict.fromkeys(topic for stage in stages for topic in stage.outputs))


def published(stages: Sequence[DeclaredStage]) -> tuple[Topic, ...]:
    """Those of the outputs that others than the stages read."""
    inputs = {stage.input for stage in stages}
    return tuple(topic for topic in outputs(stages) if topic in SINK_TOPICS or topic not in inputs)


def next_generation(stages: Sequence[DeclaredStage]) -> tuple[DeclaredStage, ...]:
    """The same stages on topics of their own, as the next generation has them while it grows.

    It reads raw records and decisions where the running one does.
    """
    own = {topic: of_next_generation(topic) for topic in outputs(stages)}
    return tuple(
        replace(
            stage,
            input=own.get(stage.input, stage.input),
            outputs=tuple(own[topic] for topic in stage.outputs),
        )
        for stage in stages
    )


def next_names(stages: Sequence[DeclaredStage]) -> Mapping[str, str]:
    """Name of the topic that the next generation writes, by the name of the one that runs."""
    return {topic.name: of_next_generation(topic).name for topic in outputs(stages)}


def chosen(stages: Sequence[DeclaredStage], names: str) -> tuple[DeclaredStage, ...]:
    """The stages that a worker runs.

    Args:
        stages: Every stage.
        names: Their names, apart by commas or blanks; empty for all.

    Raises:
        SettingsError: no stage has such a name.
    """
    wanted = names.replace(",", " ").split()
    known = {stage.name: stage for stage in stages}
    if unknown := [name for name in wanted if name not in known]:
        raise SettingsError(
            f"STAGES names {', '.join(unknown)}, which is no stage. Stages are: "
            f"{', '.join(known)}; empty runs them all."
        )
    return tuple(stage for stage in stages if not wanted or stage.name in wanted)


def changelogs(app_id: str, connector_names: Iterable[str]) -> tuple[Topic, ...]:
    """Changelogs of every table of a pipeline."""
    return tuple(stage.changelog(app_id) for stage in pipeline(connector_names))


def stage_topics(stages: Iterable[DeclaredStage], app_id: str) -> tuple[Topic, ...]:
    """What a worker with these stages reads and writes, changelogs included."""
    topics = [
        topic
        for stage in stages
        for topic in (stage.input, *stage.outputs, stage.changelog(app_id))
    ]
    return tuple(dict.fromkeys(topics))


def read_topics(stages: Iterable[DeclaredStage], app_id: str) -> tuple[Topic, ...]:
    """What a worker with these stages has to read."""
    topics = [topic for stage in stages for topic in (stage.input, stage.changelog(app_id))]
    return tuple(dict.fromkeys((*topics, *COMMAND_TOPICS)))


def written_topics(stages: Iterable[DeclaredStage], app_id: str) -> tuple[Topic, ...]:
    """What a worker with these stages has to write."""
    topics = [topic for stage in stages for topic in (*stage.outputs, stage.changelog(app_id))]
    return tuple(dict.fromkeys(topics))


def shared_topics() -> tuple[Topic, ...]:
    """Topics that exist once, whatever the connectors are."""
    topics = [topic for stage in _SHARED_STAGES for topic in (stage.input, *stage.outputs)] + list(
        SINK_TOPICS + COMMAND_TOPICS
    )
    return tuple(dict.fromkeys(topics))


def declared_topics(connector_names: Iterable[str]) -> tuple[Topic, ...]:
    """Raw topics of the connectors, then the shared ones."""
    return tuple(raw_topic(name) for name in connector_names) + shared_topics()


def deployment_topics(app_id: str, connector_names: Sequence[str]) -> tuple[Topic, ...]:
    """Every topic of a deployment: raw, shared, and the changelogs of its pipeline."""
    return declared_topics(connector_names) + changelogs(app_id, connector_names)


def drain_steps(stages: Sequence[DeclaredStage]) -> tuple[tuple[DeclaredStage, ...], ...]:
    """Stages in the order in which they run dry: each step when those before it have.

    Stages that feed each other are one step: they are dry together or not at all.
    """
    after = {stage: _readers_of(stage, stages) for stage in stages}
    reached = {stage: _reachable(stage, after) for stage in stages}
    step_of = {
        stage: tuple(
            other
            for other in stages
            if other is stage or (other in reached[stage] and stage in reached[other])
        )
        for stage in stages
    }
    sorter: TopologicalSorter[tuple[DeclaredStage, ...]] = TopologicalSorter(
        dict.fromkeys(step_of.values(), ())
    )
    for stage, readers in after.items():
        for reader in readers:
            if step_of[reader] != step_of[stage]:
                sorter.add(step_of[reader], step_of[stage])
    sorter.prepare()
    steps = []
    while sorter.is_active():
        ready = sorter.get_ready()
        steps.append(tuple(stage for stage in stages if any(stage in step for step in ready)))
        sorter.done(*ready)
    return tuple(steps)


def _readers_of(stage: DeclaredStage, stages: Iterable[DeclaredStage]) -> tuple[DeclaredStage, ...]:
    return tuple(reader for reader in stages if reader.input in stage.outputs)


def _reachable(
    stage: DeclaredStage, after: dict[DeclaredStage, tuple[DeclaredStage, ...]]
) -> set[DeclaredStage]:
    found: set[DeclaredStage] = set()
    waiting = [stage]
    while waiting:
        new = set(after[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def _normalize(connector_name: str) -> DeclaredStage:
    return DeclaredStage(
        normalize_stage(connector_name),
        raw_topic(connector_name),
        "state.locations",
        (NORMALIZED_ASSETS, NORMALIZED_OBSERVATIONS, RECORD_OUTCOMES, DEAD_LETTERS),
        f"Normalize and validate the raw records of {connector_name}.",
    )


DECIDE = DeclaredStage(
    "decide",
    DECISIONS,
    "state.applied",
    (NORMALIZED_ASSETS, DEAD_LETTERS),
    "Send manual decisions to every region.",
)
RECONCILE = DeclaredStage(
    "reconcile",
    NORMALIZED_ASSETS,
    "state.assets",
    (MARKET_INFRASTRUCTURE, CANDIDATES, RECORD_OUTCOMES, DEAD_LETTERS),
    "Reconcile the assets of all sources, one partition per region.",
)
OBSERVE = DeclaredStage(
    "observe",
    NORMALIZED_OBSERVATIONS,
    "state.observations",
    (MARKET_INFRASTRUCTURE, LNG_GAS_DAYS, RECORD_OUTCOMES, DEAD_LETTERS),
    "Keep the current value of every point of every series.",
)
AGGREGATES = DeclaredStage(
    "aggregates",
    LNG_GAS_DAYS,
    "state.aggregates",
    (NORMALIZED_OBSERVATIONS, DEAD_LETTERS),
    "Compare terminals, countries and the EU on each gas day.",
)
COUNT = DeclaredStage(
    "count",
    RECORD_OUTCOMES,
    "state.counts",
    (QUALITY_COUNTS, DEAD_LETTERS),
    "Count raw records and failed checks of each source and window.",
)
SCORE = DeclaredStage(
    "score",
    QUALITY_COUNTS,
    "state.scores",
    (QUALITY_SCORES, DEAD_LETTERS),
    "Score the quality of each source and window.",
)

_SHARED_STAGES = (DECIDE, RECONCILE, OBSERVE, AGGREGATES, COUNT, SCORE)
