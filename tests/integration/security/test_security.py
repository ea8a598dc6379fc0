"""The secured deployment: each role's rights, refusals, and that no secret is ever shown."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import psycopg
import pytest
import trustme

from producers.connectors import CONNECTORS
from producers.errors import EXIT_SERVICE
from streams.commands.rights import Right
from streams.credentials import use_credentials
from streams.kafka.topic_reader import read, read_all
from streams.settings import EXIT_FAILED, Settings
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
from tests.integration.security.secured_stack import SERVER, write_certificate

pytestmark = pytest.mark.integration

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
    unused = {
        (name, right)
        for name, role in deployment.roles.items()
        for right in role.rights
        if (name, right) not in used and name not in SELDOM.get(right, ())
    }
    assert refused == set()
    assert sorted(unused) == []


def _look_into_every_topic(deployment: Deployment, role: str) -> None:
    """What `make inspect` does, without starting a process for each topic."""
    environment = deployment.environment(role)
    bootstrap = environment["KAFKA_BOOTSTRAP"]
    values: dict[str, Any] = {name.lower(): value for name, value in environment.items()}
    use_credentials(Settings(**values))
    try:
        for right in deployment.roles[role].rights:
            if right.resource == "topic":
                list(read(bootstrap, right.name, from_offset=-1))
    finally:
        use_credentials(Settings())


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


INSPECT = ("streams", "inspect", "quality.scores", "--last", "1")
CHECKPOINTS = ("producers", "checkpoints", "alsi_lng")
SCHEMAS_DIFF = ("streams", "schemas-diff")
MODEL_MIGRATE = ("streams", "model-migrate")


def test_whoever_is_not_let_in_is_told_why(deployment: Deployment) -> None:
    other_ca = deployment.home / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(str(other_ca))
    by_address = {
        name: value.replace(SERVER, "127.0.0.1")
        for name, value in deployment.environment("poll-alsi-lng").items()
    }
    plain = f"{by_address['POSTGRES_DSN']}?sslmode=disable"
    wrong = {"KAFKA_PASSWORD": password("wrong")}
    cases: list[tuple[str, tuple[str, ...], dict[str, str], list[str]]] = [
        ("auditor", INSPECT, wrong, ["Authentication failed"]),
        ("sink", INSPECT, wrong, ["The token server localhost refuses client sink (401)"]),
        ("poll-alsi-lng", CHECKPOINTS, {"POSTGRES_DSN": plain}, ["cannot be reached"]),
        *(
            (
                "poll-alsi-lng",
                arguments,
                {"SERVICES_CA_FILE": str(other_ca)},
                [service, "certificate verify failed", "SERVICES_CA_FILE"],
            )
            for arguments, service in (
                (INSPECT, "Kafka and this process do not let each other in"),
                (CHECKPOINTS, "The checkpoint database localhost"),
                (SCHEMAS_DIFF, "Schema registry https://localhost"),
                (MODEL_MIGRATE, "ClickHouse clickhouses://"),
            )
        ),
        *(
            (
                "poll-alsi-lng",
                arguments,
                {name: by_address[name]},
                [sentence, "SERVICES_CA_FILE"],
            )
            for arguments, name, sentence in (
                (
                    CHECKPOINTS,
                    "POSTGRES_DSN",
                    'certificate for "localhost" does not match host name "127.0.0.1"',
                ),
                (SCHEMAS_DIFF, "SCHEMA_REGISTRY_URL", "verify failed: IP address"),
                (MODEL_MIGRATE, "CLICKHOUSE_DSN", "verify failed: IP address"),
            )
        ),
    ]

    def run(case: tuple[str, tuple[str, ...], dict[str, str], list[str]]) -> Ended:
        role, arguments, variables, _ = case
        return deployment.run(role, *arguments, **variables)

    with ThreadPoolExecutor(3) as pool:
        for case, done in zip(cases, pool.map(run, cases), strict=True):
            for sentence in case[-1]:
                assert sentence in " ".join(done.said.split()), done.said
            assert done.code in (EXIT_FAILED, EXIT_SERVICE), done.said
            assert "Traceback" not in done.said


def test_a_certificate_of_its_own_names_a_client_too(deployment: Deployment) -> None:
    certificate, key = write_certificate(deployment.secured, "auditor")
    done = deployment.run(
        "auditor",
        *INSPECT,
        KAFKA_BOOTSTRAP=f"{SERVER}:{deployment.secured.tls_port}",
        KAFKA_SECURITY_PROTOCOL="SSL",
        KAFKA_USERNAME="",
        KAFKA_CERTIFICATE_FILE=str(certificate),
        KAFKA_KEY_FILE=str(key),
    )
    assert done.code == 0, done.said
    assert '"dimension"' in done.said


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


def _around(text: str) -> str:
    at = text.index(MARK)
    return text[max(0, at - 200) : at + 60]
