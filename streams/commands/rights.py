"""What each role of a deployment may do at Kafka and PostgreSQL, and nothing else.

The page of the deployment and `make rights` show this table; a test gives each role exactly these
rights and runs it, and fails for one that is missing as for one that nobody uses.
"""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.table import Table

from producers.connector import InfrastructureConnector
from streams.kafka.clients import NO_GROUP
from streams.kafka.topic_admin import remaking
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    DECISIONS,
    GENERATIONS,
    MARKET_INFRASTRUCTURE,
    NEXT,
    RECORD_OUTCOMES,
    REPLAYS,
    RESUMES,
    SCHEMA_IDS,
    Topic,
    raw_topic,
)
from streams.topology import (
    COMMAND_TOPICS,
    COUNT,
    DECIDE,
    SCORE,
    SINK_TOPICS,
    changelogs,
    declared_topics,
    deployment_topics,
    outputs,
    pipeline,
    published,
    read_topics,
    stage_topics,
    written_topics,
)

Resource = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Create", "Delete", "Describe", "DescribeConfigs"]


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One right at Kafka.

    Attributes:
        resource: Kind of what it is about.
        name: Name of it.
        operation: What is allowed. Reading, writing and deleting include describing.
        is_prefix: Whether it holds for every name that begins so.
    """

    resource: Resource
    name: str
    operation: Operation
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """Who runs with the same rights.

    Attributes:
        name: Of the role; a user of its own at Kafka and PostgreSQL.
        runs: What runs as it.
        rights: At Kafka.
        tables: At PostgreSQL: what it does with each table of the schema `producers`.
    """

    name: str
    runs: str
    rights: tuple[Right, ...]
    tables: tuple[tuple[str, str], ...] = ()


_WRITTEN_TABLES = (
    ("checkpoints", "SELECT, INSERT"),
    ("attempts", "SELECT, INSERT, UPDATE"),
    ("seen_fields", "SELECT, INSERT, UPDATE"),
    ("listed_records", "SELECT, INSERT, DELETE"),
    ("published_records", "SELECT, INSERT, UPDATE, DELETE"),
)
_READ_TABLES = tuple((name, "SELECT") for name in ("checkpoints", "attempts", "seen_fields"))

_SOURCE = re.compile(r"^raw\.[^.]+")
_STAGE = re.compile(r"^.+(?=-changelog)")
_REMADE = re.compile(rf"^.+(?={re.escape(remaking(''))}$)")

_READER = Right("group", NO_GROUP, "Describe")

_EVERYTHING: tuple[Operation, ...] = ("Create", "Delete", "DescribeConfigs", "Read", "Write")
"""Of a topic that a command makes, fills and deletes."""


def roles(
    settings: Settings, connectors: Mapping[str, type[InfrastructureConnector]]
) -> tuple[Role, ...]:
    """Every role of a deployment."""
    connector_names = tuple(connectors)
    return (
        _deploy(settings, connector_names),
        *(_poll(name, connector) for name, connector in connectors.items()),
        _pipeline(settings, connector_names),
        _sink(settings),
        _api(settings, connector_names),
        _auditor(settings, connector_names),
        _operator(settings, connector_names),
        _rebuilder(settings, connector_names),
        _administrator(settings, connector_names),
    )


def terminal_table(chosen: Iterable[Role]) -> Table:
    """Rights for the terminal."""
    table = Table("role", "may", "on", show_lines=True)
    for role in chosen:
        for operation, on in _by_operation(role):
            table.add_row(role.name, operation, on.replace("`", ""))
    return table


def markdown_table(chosen: Iterable[Role]) -> str:
    """Rights as a table of Markdown."""
    rows = ["| role | runs | may | on |", "|---|---|---|---|"]
    for role in chosen:
        named = (f"`{role.name}`", role.runs)
        for operation, on in _by_operation(role):
            rows.append(f"| {named[0]} | {named[1]} | {operation} | {on} |")
            named = ("", "")
    return "\n".join(rows)


def statements(chosen: Iterable[Role]) -> Iterator[str]:
    """What grants the rights: commands of Kafka, statements of PostgreSQL."""
    for role in chosen:
        for right in role.rights:
            pattern = ["--resource-pattern-type", "prefixed"] if right.is_prefix else []
            yield shlex.join(
                [
                    "kafka-acls",
                    "--add",
                    "--allow-principal",
                    f"User:{role.name}",
                    "--operation",
                    right.operation,
                    f"--{right.resource}",
                    right.name,
                    *pattern,
                ]
            )
        yield from grants(role)


def grants(role: Role) -> Iterator[str]:
    """Statements that give a role of PostgreSQL what it may do there."""
    if role.tables:
        yield f'GRANT USAGE ON SCHEMA producers TO "{role.name}";'
    for table, operations in role.tables:
        yield f'GRANT {operations} ON producers.{table} TO "{role.name}";'


def _by_operation(role: Role) -> Iterator[tuple[str, str]]:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for right in role.rights:
        name = f"{right.name}*" if right.is_prefix else right.name
        found[right.operation][right.resource].append(name)
    for operation, resources in found.items():
        yield (
            operation,
            "; ".join(
                f"{resource.replace('-', ' ')} {', '.join(f'`{name}`' for name in _short(names))}"
                for resource, names in resources.items()
            ),
        )
    tables: dict[str, list[str]] = defaultdict(list)
    for table, operations in role.tables:
        tables[operations].append(f"`producers.{table}`")
    for operations, names in tables.items():
        yield operations, f"table {', '.join(names)}"


def _short(names: Iterable[str]) -> list[str]:
    """Names, with one for all that differ only by source or stage."""
    starred: dict[str, list[str]] = defaultdict(list)
    for name in names:
        starred[_REMADE.sub("*", _STAGE.sub("*", _SOURCE.sub("raw.*", name)))].append(name)
    return [one if len(found) > 1 else found[0] for one, found in starred.items()]


def _topics(operation: Operation, topics: Iterable[Topic]) -> tuple[Right, ...]:
    return tuple(Right("topic", topic.name, operation) for topic in dict.fromkeys(topics))


def _not_remade(topics: Iterable[Topic]) -> tuple[Right, ...]:
    """To see that a topic is not being made again at the moment."""
    return tuple(Right("topic", remaking(topic.name), "Describe") for topic in topics)


def _deploy(settings: Settings, connector_names: Sequence[str]) -> Role:
    topics = deployment_topics(settings.app_id, connector_names)
    return Role(
        "deploy",
        "`make topics`, `make schemas-register`",
        (
            *_topics("Create", topics),
            *_topics("Describe", topics),
            *_topics("DescribeConfigs", topics),
            *_not_remade(topics),
            *_topics("Read", [SCHEMA_IDS]),
            *_topics("Write", [SCHEMA_IDS]),
            _READER,
        ),
    )


def _poll(name: str, connector: type[InfrastructureConnector]) -> Role:
    topic = raw_topic(name)
    plants = (MARKET_INFRASTRUCTURE,) if connector.asks_known_plants else ()
    return Role(
        f"poll-{name.replace('_', '-')}",
        f"`make poll SOURCE={name}`",
        (
            *_topics("Write", [topic]),
            *_topics("DescribeConfigs", [topic]),
            *_not_remade([topic]),
            # Its own topic says what a killed run has left there.
            *_topics("Read", (topic, SCHEMA_IDS, *plants)),
            _READER,
        ),
        _WRITTEN_TABLES,
    )


def _pipeline(settings: Settings, connector_names: Sequence[str]) -> Role:
    stages, app_id = pipeline(connector_names), settings.app_id
    return Role(
        "pipeline",
        "pipeline workers",
        (
            # What the sink loads is read for its lag.
            *_topics("Read", (*read_topics(stages, app_id), *SINK_TOPICS)),
            *_topics("Write", written_topics(stages, app_id)),
            *_not_remade(stage_topics(stages, app_id)),
            Right("group", app_id, "Read"),
            Right("group", settings.sink_app_id, "Describe"),
            Right("transactional-id", f"{app_id}-", "Write", is_prefix=True),
            _READER,
        ),
        _READ_TABLES,
    )


def _sink(settings: Settings) -> Role:
    return Role(
        "sink",
        "sink workers",
        (
            *_topics("Read", (*SINK_TOPICS, *COMMAND_TOPICS)),
            *_not_remade(SINK_TOPICS),
            Right("group", settings.sink_app_id, "Read"),
            _READER,
        ),
    )


def _api(settings: Settings, connector_names: Sequence[str]) -> Role:
    inputs = [stage.input for stage in pipeline(connector_names)]
    return Role(
        "api",
        "`make api`",
        (
            *_topics("Read", (*inputs, *SINK_TOPICS, SCHEMA_IDS)),
            *_topics("Describe", [RESUMES, GENERATIONS]),
            Right("group", settings.app_id, "Describe"),
            Right("group", settings.sink_app_id, "Describe"),
            _READER,
        ),
        _READ_TABLES,
    )


def _auditor(settings: Settings, connector_names: Sequence[str]) -> Role:
    return Role(
        "auditor",
        "what changes nothing: `make audit`, `make inspect`, `make trace`, `make dlq`, "
        "`make export-raw`, …",
        (
            *_topics("Read", deployment_topics(settings.app_id, connector_names)),
            Right("group", settings.sink_app_id, "Describe"),
            _READER,
        ),
        _READ_TABLES,
    )


def _operator(settings: Settings, connector_names: Sequence[str]) -> Role:
    raw = [raw_topic(name) for name in connector_names]
    written = (*raw, REPLAYS, RESUMES, DECISIONS)
    stages = pipeline(connector_names)
    replayed = [stage for stage in stages if stage not in (DECIDE, COUNT, SCORE)]
    return Role(
        "operator",
        "`make replay`, `make dlq-redrive`, `make resume`, `make decide`, `make sink-reload`",
        (
            *_topics("Read", (stage.input for stage in replayed)),
            *_topics("Read", (stage.changelog(settings.app_id) for stage in replayed)),
            *_topics("Read", (DEAD_LETTERS, RECORD_OUTCOMES, MARKET_INFRASTRUCTURE, SCHEMA_IDS)),
            *_topics("Write", written),
            *_topics("DescribeConfigs", written),
            *_not_remade(raw),
            Right("group", settings.sink_app_id, "Delete"),
            _READER,
        ),
    )


def _rebuilder(settings: Settings, connector_names: Sequence[str]) -> Role:
    stages, app_id = pipeline(connector_names), settings.app_id
    shown = published(stages)
    kept = [stage.input for stage in stages if stage.input not in outputs(stages)]
    state = changelogs(app_id, connector_names)
    return Role(
        "rebuilder",
        "`make rebuild`, also with `DIFF=1`, `SWITCH=1`, `DROP=1`",
        (
            # Also what a growing generation does not read: the switch commits its offsets.
            *_topics("Read", (*read_topics(stages, app_id), *shown)),
            # What the switch publishes, and the state that it replaces.
            *_topics("Write", (*shown, *state, GENERATIONS, REPLAYS)),
            *_topics("DescribeConfigs", [GENERATIONS]),
            *_not_remade(kept),
            *(
                Right("topic", name, operation, is_prefix=True)
                for operation in _EVERYTHING
                for name in (NEXT, f"{settings.next_app_id}-")
            ),
            Right("group", app_id, "Read"),
            Right("group", settings.next_app_id, "Read"),
            Right("group", settings.next_app_id, "Delete"),
            Right("transactional-id", f"{app_id}-", "Write", is_prefix=True),
            _READER,
        ),
    )


def _administrator(settings: Settings, connector_names: Sequence[str]) -> Role:
    """What it makes again of a topic is copied aside and back, unless a rebuild makes it again."""
    declared = declared_topics(connector_names)
    emptied = {*outputs(pipeline(connector_names))} - {*SINK_TOPICS}
    copied = [topic for topic in declared if topic not in emptied]
    asides = [replace(topic, name=remaking(topic.name)) for topic in copied]
    return Role(
        "administrator",
        "`make topic-remake`, `make import-raw`",
        tuple(
            dict.fromkeys(
                (
                    *_deploy(settings, connector_names).rights,
                    *_topics("Delete", declared),
                    *_topics("Read", copied),
                    *_topics("Write", copied),
                    *(right for name in _EVERYTHING for right in _topics(name, asides)),
                    Right("group", settings.app_id, "Describe"),
                    Right("group", settings.sink_app_id, "Delete"),
                )
            )
        ),
        # To see that there are tables; the lock of a source needs none.
        (("checkpoints", "SELECT"),),
    )
