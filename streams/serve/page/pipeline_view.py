"""The pipeline as people look at it: what each box of the picture says, and the same as tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from streams.clickhouse.dead_letter_queries import OpenDeadLetters
from streams.core.trace import Trace
from streams.serve.operations import Flow, PartitionLag
from streams.serve.page import words
from streams.serve.page.pipeline_picture import BY_COMMAND, SINK, STORE, Node, Picture
from streams.serve.sources import Source
from streams.topics import DEAD_LETTERS
from streams.topology import SINK_TOPICS, DeclaredStage, normalize_stage

State = Literal["ready", "busy", "paused", "failed", "unknown"]
"""How a box is drawn; its words say the same."""

_LEAST_RATE: Final = 0.05
_NORMALIZE: Final = "normalize"


@dataclass(frozen=True, slots=True)
class Now:
    """What is known of the pipeline; None: who knows does not answer.

    Attributes:
        sources: Sources with their runs.
        runs_known: Whether their runs are.
        lag: What groups have still to read.
        paused: Reason by topic/partition.
        flow: How far and how fast topics are written.
        dead_letters: Open ones.
        stored_at: Kafka time of the newest stored version; None: nothing is stored.
        sink_group: Consumer group of the sink.
    """

    sources: Sequence[Source]
    runs_known: bool
    lag: Sequence[PartitionLag] | None
    paused: Mapping[str, str] | None
    flow: Flow | None
    dead_letters: Sequence[OpenDeadLetters]
    stored_at: datetime | None
    sink_group: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage; `waiting` and `per_second` None: not known.

    Attributes:
        waiting: Records of its input that it has not read.
        per_second: Records that come into its input.
        pauses: Reason by partition, of its input.
        open_dead_letters: Raw records that it rejected, and did not accept since.
    """

    name: str
    input: str
    outputs: Sequence[str]
    purpose: str
    waiting: int | None
    per_second: float | None
    pauses: Mapping[str, str]
    open_dead_letters: int


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the picture with what it says."""

    node: Node
    says: str
    state: State
    passed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the picture; `flows`: records went along it just now."""

    path: str
    ends: bool
    flows: bool
    passed: bool


def stage_rows(stages: Sequence[DeclaredStage], now: Now) -> Sequence[StageRow]:
    """Every stage, then the sink."""
    names = {source.source_id: source.name for source in now.sources}
    rejected = Counter[str]()
    for one in now.dead_letters:
        # Dead letters name one stage for all sources.
        shared = one.stage == _NORMALIZE and one.source_id in names
        rejected[normalize_stage(names[one.source_id]) if shared else one.stage] += one.count
    rows = [
        StageRow(
            stage.name,
            stage.input.name,
            [topic.name for topic in stage.outputs],
            stage.purpose,
            waiting(now, [stage.input.name], of_sink=False),
            _rate(now, [stage.input.name]),
            _pauses(now, [stage.input.name]),
            rejected[stage.name],
        )
        for stage in stages
    ]
    loaded = [topic.name for topic in SINK_TOPICS]
    rows.append(
        StageRow(
            SINK,
            ", ".join(loaded),
            [STORE],
            "Load what analysts ask for into ClickHouse.",
            waiting(now, loaded, of_sink=True),
            _rate(now, loaded),
            {},
            0,
        )
    )
    return rows


def waiting(now: Now, topics: Sequence[str], *, of_sink: bool) -> int | None:
    """Records of topics that the pipeline, or the sink, has still to read; None: not known."""
    if now.lag is None:
        return None
    return sum(
        one.records
        for one in now.lag
        if one.topic in topics and (one.group == now.sink_group) == of_sink
    )


def _rate(now: Now, topics: Sequence[str]) -> float | None:
    if now.flow is None:
        return None
    known = [now.flow.per_second[one] for one in topics if one in now.flow.per_second]
    return sum(known) if known else None


def _pauses(now: Now, topics: Sequence[str]) -> Mapping[str, str]:
    return {
        place: reason
        for place, reason in (now.paused or {}).items()
        if place.rpartition("/")[0] in topics
    }


def boxes(
    picture: Picture, rows: Sequence[StageRow], now: Now, when: datetime, passed: frozenset[str]
) -> Sequence[Box]:
    """What each box says now.

    Args:
        picture: Where they are.
        rows: The stages.
        now: What is known.
        when: The present time, for ages.
        passed: Boxes that a followed record went through.
    """
    by_name = {row.name: row for row in rows}
    sources = {source.name: source for source in now.sources}
    commands = dict(BY_COMMAND.values())
    found = []
    for node in picture.nodes:
        if node.name in by_name:
            says, state = _of_stage(by_name[node.name])
        elif node.name in sources:
            says, state = _of_source(sources[node.name], now, when)
        elif node.name in commands:
            says, state = commands[node.name], "ready"
        elif node.name == STORE:
            says, state = _of_store(now, when)
        else:
            says, state = _of_topic(node.name, now)
        found.append(Box(node, says, state, node.name in passed))
    return found


def _of_stage(row: StageRow) -> tuple[str, State]:
    if row.pauses:
        count = len(row.pauses)
        return f"paused: {count} partition{'s' if count > 1 else ''}", "paused"
    if row.waiting is None:
        return "waiting: not known", "unknown"
    if row.waiting:
        return f"{words.number(row.waiting)} waiting", "busy"
    return "up to date", "ready"


def _of_source(source: Source, now: Now, when: datetime) -> tuple[str, State]:
    if not now.runs_known:
        return "runs: not known", "unknown"
    if source.up is False:
        return "last run failed", "failed"
    if source.last_run is None:
        return "never polled", "ready"
    return f"polled {words.age(source.last_run.finished_at, when)}", "ready"


def _of_store(now: Now, when: datetime) -> tuple[str, State]:
    if now.stored_at is None:
        return "nothing stored yet", "ready"
    return f"newest: {words.age(now.stored_at, when)}", "ready"


def _of_topic(name: str, now: Now) -> tuple[str, State]:
    if name == DEAD_LETTERS.name:
        count = sum(one.count for one in now.dead_letters)
        return f"{words.number(count)} open, of any stage", "failed" if count else "ready"
    rate = _rate(now, [name])
    if now.flow is None:
        return "flow: not known", "unknown"
    total = f"{words.number(now.flow.ends.get(name, 0))} so far"
    if rate is not None and rate >= _LEAST_RATE:
        return f"{words.rate(rate)}, {total}", "busy"
    return total, "ready"


def lines(picture: Picture, now: Now, passed: frozenset[str]) -> Sequence[Line]:
    """The lines of the picture, and along which of them records go."""
    rates = now.flow.per_second if now.flow else {}
    return [
        Line(
            arrow.path,
            arrow.ends,
            any(rates.get(topic, 0.0) >= _LEAST_RATE for topic in arrow.carries),
            bool(passed) and arrow.carries <= passed,
        )
        for arrow in picture.arrows
    ]


def passed_by(
    found: Trace, stages: Sequence[DeclaredStage], sources: Mapping[str, str]
) -> frozenset[str]:
    """Boxes that a record went through.

    Args:
        found: Its trace.
        stages: Every stage.
        sources: Name of each source by its raw topic.
    """
    topics = {
        one.place.partition("/")[0]
        for steps in (*(one.steps for one in found.raw), *(one.steps for one in found.canonical))
        for one in steps
        if one.place and "/" in one.place
    }
    names = set(topics) | {sources[topic] for topic in topics if topic in sources}
    names |= {
        stage.name
        for stage in stages
        if stage.input.name in topics and topics & {topic.name for topic in stage.outputs}
    }
    if any(one.stage == "ClickHouse" for trace in found.canonical for one in trace.steps):
        names |= {SINK, STORE}
    return frozenset(names)
