"""One source on secured services: each step encrypted and named, and why somebody is not let in."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from producers.checkpoint import open_store
from producers.errors import EXIT_SERVICE
from streams.avro.codec import Registry
from streams.clickhouse.client import ClickHouse
from streams.core.errors import InfrastructureError
from streams.kafka.topic_reader import read, read_all
from streams.settings import EXIT_FAILED, Settings
from streams.topics import RECORD_OUTCOMES
from tests.integration.security.deployment import (
    MARK,
    Deployment,
    Ended,
    deploy,
    faust_program,
    password,
    services,
)
from tests.integration.security.secured_stack import SERVER, write_certificate

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

RAW = "raw.wri_powerplants"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with services(tmp_path_factory.mktemp("secured")) as running:
        deploy(running)
        yield running


def test_a_source_is_polled_and_judged_by_users_of_their_own(deployment: Deployment) -> None:
    def records(topic: str) -> int:
        with deployment.acting_as("auditor") as settings:
            return sum(1 for _ in read_all(settings.kafka_bootstrap, topic))

    polled = deployment.run("poll-wri-powerplants", "producers", "wri_powerplants")
    assert polled.code == 0, polled.said
    deployment.start("pipeline", faust_program("streams.app", "pipeline"))
    deployment.workers["pipeline"].wait_ready(120)
    raw = records(RAW)
    assert raw > 0
    deployment.wait_for(lambda: records(RECORD_OUTCOMES.name) >= raw)
    refused, used = deployment.asked()
    assert refused == set()
    users = {user for user, _ in used}
    assert users == {"deploy", "poll-wri-powerplants", "pipeline", "auditor"}


def test_another_user_may_not_write_there(deployment: Deployment) -> None:
    done = deployment.run("poll-alsi-lng", "producers", "wri_powerplants")
    said = " ".join(done.said.split())
    assert done.code == EXIT_SERVICE, said
    assert "Kafka does not let user poll-alsi-lng" in said
    assert "grant it" in said


def test_whoever_is_not_let_in_is_told_why(deployment: Deployment) -> None:
    cases = [
        ("auditor", "Authentication failed"),
        ("sink", "The token server localhost refuses client sink (401)"),
    ]

    def run(case: tuple[str, str]) -> Ended:
        return deployment.run(case[0], *INSPECT, KAFKA_PASSWORD=password("wrong"))

    with ThreadPoolExecutor(2) as pool:
        for (_, sentence), done in zip(cases, pool.map(run, cases), strict=True):
            assert sentence in " ".join(done.said.split()), done.said
            assert done.code == EXIT_FAILED, done.said
            assert "Traceback" not in done.said


INSPECT = ("streams", "inspect", "quality.scores", "--last", "1")


def _ask_kafka(settings: Settings) -> None:
    list(read(settings.kafka_bootstrap, "quality.scores", from_offset=-1))


def _ask_postgres(settings: Settings) -> None:
    with open_store(settings.postgres_dsn):
        pass


def _ask_registry(settings: Settings) -> None:
    with Registry(settings.schema_registry_url) as registry:
        registry.schema_text(1)


def _ask_clickhouse(settings: Settings) -> None:
    ClickHouse(settings.clickhouse_dsn).close()


def _refusal(
    deployment: Deployment, ask: Callable[[Settings], None], variable: str, value: str
) -> str:
    """What a command says that does not get in with a variable."""
    acting = deployment.acting_as("poll-alsi-lng", **{variable: value})
    with acting as settings, pytest.raises(InfrastructureError) as caught:
        ask(settings)
    deployment.said.append(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (_ask_kafka, "Kafka and this process do not let each other in"),
        (_ask_postgres, "The checkpoint database localhost"),
        (_ask_registry, "Schema registry https://localhost"),
        (_ask_clickhouse, "ClickHouse clickhouses://"),
    ],
)
def test_a_certificate_of_an_unknown_authority_is_refused_by_each_client(
    deployment: Deployment, ask: Callable[[Settings], None], sentence: str, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    said = _refusal(deployment, ask, "SERVICES_CA_FILE", str(tmp_path / "ca.pem"))
    assert said.startswith(sentence)
    assert "certificate verify failed" in said
    assert "SERVICES_CA_FILE" in said.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("ask", "variable", "sentence"),
    [
        (
            _ask_postgres,
            "POSTGRES_DSN",
            'certificate for "localhost" does not match host name "127.0.0.1"',
        ),
        (_ask_registry, "SCHEMA_REGISTRY_URL", "verify failed: IP address"),
        (_ask_clickhouse, "CLICKHOUSE_DSN", "verify failed: IP address"),
    ],
)
def test_a_certificate_of_another_name_is_refused(
    deployment: Deployment, ask: Callable[[Settings], None], variable: str, sentence: str
) -> None:
    address = deployment.environment("poll-alsi-lng")[variable]
    said = _refusal(deployment, ask, variable, address.replace(SERVER, "127.0.0.1"))
    assert sentence in said
    assert "SERVICES_CA_FILE" in said


@pytest.mark.parametrize(
    ("ask", "variable", "encrypted", "plain"),
    [
        (_ask_postgres, "POSTGRES_DSN", "/infrastructure", "/infrastructure?sslmode=disable"),
        (_ask_registry, "SCHEMA_REGISTRY_URL", "https://", "http://"),
        (_ask_clickhouse, "CLICKHOUSE_DSN", "clickhouses://", "clickhouse://"),
    ],
)
def test_a_service_is_not_spoken_to_without_encryption(
    deployment: Deployment,
    ask: Callable[[Settings], None],
    variable: str,
    encrypted: str,
    plain: str,
) -> None:
    address = deployment.environment("poll-alsi-lng")[variable]
    assert encrypted in address
    _refusal(deployment, ask, variable, address.replace(encrypted, plain))


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


def test_no_secret_is_in_what_was_said(deployment: Deployment) -> None:
    shown = {f"command {number}": said for number, said in enumerate(deployment.said)}
    shown |= deployment.logs()
    shown["arguments"] = "\n".join(deployment.process_arguments)
    assert "DEBUG" in shown["logs/pipeline.log"]
    assert {name for name, text in shown.items() if MARK in text} == set()
