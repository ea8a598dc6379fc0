"""The whole secured deployment: each role's rights, refusals, and that no secret is ever shown.

Part of `make soak`: every role has to do everything that it is for.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import psycopg
import pytest

from producers.connectors import CONNECTORS
from producers.errors import EXIT_SERVICE
from streams.commands.rights import Right
from streams.kafka.topic_admin import remaking
from streams.kafka.topic_reader import read, read_all
from streams.settings import EXIT_FAILED
from streams.topics import NEXT
from streams.topology import declared_topics
from tests.integration.security.deployment import (
    MARK,
    Deployment,
    Ended,
    deployed,
    faust_program,
    page,
    password,
)

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(900)]

KEY = {"X-API-Key": password("api-key")}
API = "/infrastructure/api/v1/infrastructure"

SELDOM = {
    Right("topic", "market.infrastructure", "Read"): {"operator"},  # what a replay has changed
    Right("topic", "dead_letters", "Read"): {"pipeline", "api"},  # for its lag, when there is any
    Right("topic", "pipeline.replays", "Read"): {"pipeline", "api"},
    # Only a worker that starts after a decision restores it.
    Right("topic", "infrastructure-pipeline-decide-changelog", "Read"): {"pipeline"},
    Right("topic", "pipeline.resumes", "Read"): {"pipeline", "sink"},  # when something is paused
}
"""Rights that roles use only when something has happened that does not happen here."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("secured")) as running:
        yield running


def test_what_was_polled_is_served(deployment: Deployment) -> None:
    """From the sandbox through Kafka and ClickHouse to the API, every step encrypted and named."""
    found = page(deployment, "api", f"{API}/power-plants?limit=5", **KEY)
    assert found.status_code == 200, found.text
    assert len(found.json()["data"]) == 5


def test_each_role_has_the_rights_that_it_needs_and_uses_each(deployment: Deployment) -> None:
    _look_into_every_topic(deployment, "auditor")
    refused, used = deployment.asked()
    assert refused == set()
    assert [one for one in _unused(deployment, used) if not _of_a_switch(*one)] == []


def _unused(deployment: Deployment, used: set[tuple[str, Right]]) -> list[tuple[str, Right]]:
    used |= {(user, _of_any_topic(right)) for user, right in used if user == "administrator"}
    return sorted(
        (name, right)
        for name, role in deployment.roles.items()
        for right in role.rights
        if not {(name, right), (name, _of_any_topic(right))} & used
        and name not in SELDOM.get(right, ())
    )


def _of_a_switch(role: str, right: Right) -> bool:
    """Whether it is for what runs, or to read what has grown, and not for growing."""
    if role != "rebuilder" or right.resource != "topic":
        return False
    reads_state = right.operation == "Read" and right.name != NEXT
    return reads_state if right.is_prefix else not right.name.startswith("raw.")


def _of_any_topic(right: Right) -> Right:
    """In place of one on a topic that is the same for every topic, or for each aside of one."""
    if right.resource != "topic":
        return right
    return replace(right, name="aside" if right.name.endswith(remaking("")) else "any")


def _look_into_every_topic(deployment: Deployment, role: str) -> None:
    """What `make inspect` does, without starting a process for each topic."""
    with deployment.acting_as(role) as settings:
        for right in deployment.roles[role].rights:
            if right.resource == "topic":
                list(read(settings.kafka_bootstrap, right.name, from_offset=-1))


COMMANDS = [
    (
        "poll-wri-powerplants",
        Right("topic", "raw.wri_powerplants", "Write"),
        ("producers", "wri_powerplants"),
        EXIT_SERVICE,
        "write topic raw.wri_powerplants",
    ),
    (
        "auditor",
        Right("topic", "record.outcomes", "Read"),
        ("streams", "audit"),
        EXIT_FAILED,
        "read topic record.outcomes",
    ),
    (
        "operator",
        Right("topic", "pipeline.resumes", "Write"),
        ("streams", "resume", "wri_powerplants"),
        EXIT_FAILED,
        "write topic pipeline.resumes",
    ),
    (
        "deploy",
        Right("topic", "quality.scores", "Describe"),
        ("streams", "topics"),
        EXIT_FAILED,
        "describe topic quality.scores",
    ),
    (
        "operator",
        Right("group", "infrastructure-sink", "Delete"),
        ("streams", "sink-reload"),
        EXIT_FAILED,
        "describe group infrastructure-sink",
    ),
    (
        "rebuilder",
        Right("topic", "next.", "Create", is_prefix=True),
        ("streams", "rebuild"),
        EXIT_FAILED,
        "create topic next.normalized.assets",
    ),
]

WORKERS = [
    ("pipeline", Right("topic", "quality.counts", "Read"), "read topic quality.counts"),
    ("pipeline", Right("topic", "dead_letters", "Write"), "write topic dead_letters"),
    (
        "pipeline",
        Right("group", "infrastructure-pipeline", "Read"),
        "read group infrastructure-pipeline",
    ),
    (
        "pipeline",
        Right("transactional-id", "infrastructure-pipeline-", "Write", is_prefix=True),
        "write transactional id infrastructure-pipeline-",
    ),
    ("sink", Right("group", "infrastructure-sink", "Read"), "read group infrastructure-sink"),
]


def test_a_missing_right_is_one_sentence_and_no_hang(deployment: Deployment) -> None:
    def command(case: tuple[str, Right, tuple[str, ...], int, str]) -> tuple[Ended, str, str]:
        role, right, arguments, _, _ = case
        user = deployment.user_without(role, right)
        return deployment.run(user, *arguments), user, f"{case}"

    def started(case: tuple[str, Right, str]) -> tuple[Ended, str, str]:
        role, right, _ = case
        app = "streams.app" if role == "pipeline" else "streams.sink.app"
        user = deployment.user_without(role, right)
        return deployment.ended(user, faust_program(app, user)), user, f"{case}"

    with ThreadPoolExecutor(3) as pool:
        of_commands = pool.map(command, COMMANDS)
        of_workers = pool.map(started, WORKERS)
        expected = [(*one[3:],) for one in COMMANDS] + [(EXIT_FAILED, one[2]) for one in WORKERS]
        for (code, missing), (done, user, case) in zip(
            expected, [*of_commands, *of_workers], strict=True
        ):
            said = " ".join(done.said.split())
            assert f"Kafka does not let user {user} {missing}" in said, f"{case}: {done.said}"
            assert "grant it" in said
            assert done.code == code, case
            # A worker's log may have where it came from before that; its end is the sentence.
            assert "Traceback" not in said.rpartition("Ended:")[2], case


def test_no_secret_is_shown_anywhere(deployment: Deployment) -> None:
    """At DEBUG, with a marked secret in every setting and every key of a source."""
    shown = {f"command {number}": said for number, said in enumerate(deployment.said)}
    shown |= deployment.logs()
    shown["arguments"] = "\n".join(
        [
            *deployment.process_arguments,
            *(
                " ".join(psutil.Process(running.process.pid).cmdline())
                for running in deployment.workers.values()
            ),
        ]
    )
    wrong = {"X-API-Key": password("wrong")}
    for path, headers in (
        (f"{API}/power-plants", wrong),
        ("/", wrong),
        (f"{API}/power-plants?limit=many", KEY),
        (f"{API}/nothing", KEY),
        ("/assets/nothing", KEY | {"Accept": "text/html"}),
    ):
        answer = page(deployment, "api", path, **headers)
        assert 400 <= answer.status_code < 500
        shown[path] = f"{answer.headers}{answer.text}"
    bootstrap = deployment.plain.kafka_bootstrap
    for topic in declared_topics(CONNECTORS):
        shown[topic.name] = "\n".join(map(repr, read_all(bootstrap, topic.name)))
    with psycopg.connect(deployment.secured.stack.postgres.dsn) as connection:
        for table in ("checkpoints", "attempts", "seen_fields", "listed_records"):
            rows = connection.execute(f"SELECT * FROM producers.{table}").fetchall()
            shown[table] = repr(rows)
    assert shown["dead_letters"]
    assert "DEBUG" in shown["logs/pipeline.log"]
    where = {name: _around(text) for name, text in shown.items() if MARK in text}
    assert where == {}


def test_a_switch_uses_every_right_of_a_rebuild(deployment: Deployment) -> None:
    """At the end of this file: it stops the pipeline."""
    deployment.workers["pipeline"].process.stop(15)
    without = deployment.user_without("rebuilder", Right("topic", "pipeline.replays", "Write"))
    grown = deployment.run("rebuilder", "streams", "rebuild")
    assert grown.code == 0, grown.said
    done = deployment.run(without, "streams", "rebuild", "--switch")
    assert done.code == EXIT_FAILED
    assert f"user {without} write topic pipeline.replays: grant it" in " ".join(done.said.split())
    done = deployment.run("rebuilder", "streams", "rebuild", "--switch")
    assert done.code == 0, done.said
    assert "runs now" in done.said
    refused, used = deployment.asked()
    assert not [line for line in refused if "User:rebuilder is Denied" in line]
    assert [one for one in _unused(deployment, used) if one[0] == "rebuilder"] == []


def _around(text: str) -> str:
    at = text.index(MARK)
    return text[max(0, at - 200) : at + 60]
