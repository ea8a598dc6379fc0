"""The local stack as a whole: real broker, registry and PostgreSQL, killed and started again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from streams.local.errors import (
    ComponentFailedError,
    DataDirectoryInUseError,
    DiskTooFullError,
    PortInUseError,
)
from streams.local.kafka import Kafka
from streams.local.ports import StackPorts
from streams.local.postgres import Postgres
from streams.local.registry import RegistryServer
from streams.local.stack import LocalStack

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 120.0

# What `make run` does with the stack, up to the point where it is killed.
OWNER = """
import json, sys, time
from pathlib import Path
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
stack = LocalStack(Path(sys.argv[1]), StackPorts(**json.loads(sys.argv[2])))
stack.start()
components = (stack.kafka, stack.registry, stack.postgres)
print(json.dumps([component.process.pid for component in components]), flush=True)
time.sleep(600)
"""


class Tenant:
    """A user of a stack: one row, one schema and one record of a transaction."""

    def __init__(self, stack: LocalStack) -> None:
        self.environment = stack.environment()
        self.kafka = {"bootstrap.servers": self.environment["KAFKA_BOOTSTRAP"]}
        self.registry = {"url": self.environment["SCHEMA_REGISTRY_URL"]}

    def create(self) -> None:
        admin = AdminClient(self.kafka)
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
        with psycopg.connect(self.environment["POSTGRES_DSN"]) as connection:
            connection.execute("CREATE TABLE kept (number int)")

    def write(self, number: int) -> int:
        """Write everywhere; returns the id of a schema of that number."""
        producer = Producer({**self.kafka, "transactional.id": "tenant"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce("kept", str(number))
        producer.commit_transaction(30)
        with psycopg.connect(self.environment["POSTGRES_DSN"]) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", (number,))
        text = json.dumps({"type": "record", "name": f"Kept{number}", "fields": []})
        with SchemaRegistryClient(self.registry) as registry:
            return int(registry.register_schema(f"kept-{number}", Schema(text, "AVRO")))

    def rows(self) -> list[int]:
        with psycopg.connect(self.environment["POSTGRES_DSN"]) as connection:
            return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY 1")]

    def records(self, expected: int) -> list[int]:
        consumer = Consumer(
            {
                **self.kafka,
                "group.id": f"reader-{time.monotonic_ns()}",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        consumer.subscribe(["kept"])
        found: list[int] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(found) < expected and time.monotonic() < deadline:
            found += [int(message.value()) for message in consumer.consume(100, 0.5)]
        consumer.close()
        return found

    def schema_name(self, schema_id: int) -> str:
        with SchemaRegistryClient(self.registry) as registry:
            text = registry.get_schema(schema_id).schema_str
        assert text is not None
        return str(json.loads(text)["name"])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of this module: its tests kill components, which the shared one would not survive."""
    with LocalStack(tmp_path_factory.mktemp("own"), StackPorts.free()) as running:
        Tenant(running).create()
        yield running


def wait_gone(pids: list[int]) -> None:
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE_SECONDS)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


def test_everything_answers_beside_another_stack(own: LocalStack, stack: LocalStack) -> None:
    """Two stacks at once, each in its own directory and on its own ports."""
    tenant = Tenant(own)
    schema_id = tenant.write(1)
    assert tenant.rows() == [1]
    assert tenant.records(1) == [1]
    assert tenant.schema_name(schema_id) == "Kept1"
    for address in ("KAFKA_BOOTSTRAP", "SCHEMA_REGISTRY_URL", "POSTGRES_DSN"):
        assert own.environment()[address] != stack.environment()[address]
    assert (
        "kept"
        not in AdminClient({"bootstrap.servers": stack.environment()["KAFKA_BOOTSTRAP"]})
        .list_topics(timeout=30)
        .topics
    )


def test_every_part_listens_on_loopback_only(own: LocalStack) -> None:
    for component in (own.kafka, own.registry, own.postgres):
        assert component.process.pid is not None
        addresses = {
            connection.laddr.ip
            for connection in psutil.Process(component.process.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}


def test_topics_are_never_made_by_a_typing_error(own: LocalStack) -> None:
    admin = AdminClient({"bootstrap.servers": own.kafka.bootstrap})
    admin.list_topics("no.such.topic", timeout=30)
    assert "no.such.topic" not in admin.list_topics(timeout=30).topics


def test_the_role_of_the_product_is_no_superuser(own: LocalStack) -> None:
    with psycopg.connect(own.postgres.dsn) as connection:
        row = connection.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        assert row == (False,)
    with psycopg.connect(own.postgres.superuser_dsn) as connection:
        assert connection.execute("SELECT current_setting('is_superuser')").fetchone() == ("on",)


def test_on_loopback_only_the_role_of_the_product_is_let_in(own: LocalStack) -> None:
    """Whoever has an account on this machine reaches loopback; nobody else enters the socket."""
    match = re.search(r"host=([^&]+)&port=(\d+)", own.postgres.dsn)
    assert match is not None
    address = f"127.0.0.1:{match[2]}"
    psycopg.connect(f"postgresql://infrastructure@{address}/infrastructure").close()
    with pytest.raises(psycopg.OperationalError, match="pg_hba"):
        psycopg.connect(f"postgresql://postgres@{address}/postgres")


@pytest.mark.parametrize(
    ("component_name", "end"),
    [
        pytest.param("kafka", "stop", marks=pytest.mark.soak),
        ("kafka", "kill"),
        ("registry", "kill"),
        ("postgres", "kill"),
    ],
)
def test_a_part_comes_back_on_its_port_with_its_data(
    own: LocalStack, component_name: str, end: str
) -> None:
    """Stopped in order or killed right after a write; the others run on."""
    tenant = Tenant(own)
    number = len(tenant.rows()) + 1
    components: dict[str, Kafka | RegistryServer | Postgres] = {
        "kafka": own.kafka,
        "registry": own.registry,
        "postgres": own.postgres,
    }
    component = components[component_name]
    schema_id = tenant.write(number)
    component.stop() if end == "stop" else component.kill()
    with pytest.raises(ComponentFailedError, match="was stopped"):
        own.require_running()
    component.start()
    own.require_running()
    assert tenant.rows() == list(range(1, number + 1))
    assert tenant.records(number) == list(range(1, number + 1))
    assert tenant.schema_name(schema_id) == f"Kept{number}"


def test_a_part_that_crashes_is_noticed(own: LocalStack) -> None:
    assert own.postgres.process.pid is not None
    os.kill(own.postgres.process.pid, signal.SIGKILL)
    while own.postgres.process.pid is not None:
        time.sleep(0.02)
    with pytest.raises(
        ComponentFailedError, match=r"PostgreSQL ended by itself \(SIGKILL: somebody killed it"
    ):
        own.require_running()
    own.postgres.start()


def test_postgres_comes_back_after_a_kill_in_the_middle_of_a_query(own: LocalStack) -> None:
    """A backend busy with a query outlives its server for a while, and locks the next one out."""
    with closing(psycopg.connect(own.postgres.dsn)) as connection:
        backend = connection.info.backend_pid
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
        assert own.postgres.process.pid is not None
        os.kill(own.postgres.process.pid, signal.SIGKILL)
        own.postgres.start()
        wait_gone([backend])
    Tenant(own).rows()


def test_a_second_stack_on_the_same_directory_is_refused(own: LocalStack, tmp_path: Path) -> None:
    second = LocalStack(own.data_dir, StackPorts.free())
    with pytest.raises(DataDirectoryInUseError, match=str(os.getpid())):
        second.start()
    second.stop()
    own.require_running()


def test_a_taken_port_is_told_before_anything_starts(own: LocalStack, tmp_path: Path) -> None:
    second = LocalStack(tmp_path, own.ports)
    with pytest.raises(PortInUseError, match=r"KAFKA_PORT=<port>"):
        second.start()
    assert not (tmp_path / "logs").exists()


def test_a_part_that_cannot_start_stops_the_others_and_is_told(tmp_path: Path) -> None:
    """The message shows why, and a start with the fault removed works on the same directory."""
    broken = LocalStack(
        tmp_path, StackPorts.free(), kafka_properties={"log.cleaner.threads": "many"}
    )
    with pytest.raises(ComponentFailedError, match=r"Kafka[\s\S]*log\.cleaner\.threads"):
        broken.start()
    wait_gone(children_in(tmp_path))
    assert children_in(tmp_path) == []


def test_too_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.local.stack._NEEDED_BYTES", 10**18)
    with pytest.raises(DiskTooFullError, match="DATA_DIR"):
        LocalStack(tmp_path, StackPorts.free()).start()


def test_a_run_killed_at_any_moment_leaves_no_process_and_starts_again(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """While the components are made for the first time; in full size then while they run, too."""
    ports = StackPorts.free()
    soak = request.config.getoption("--soak")
    for moment in ("formatting", "running") if soak else ("formatting",):
        command = [sys.executable, "-c", OWNER, str(tmp_path), json.dumps(ports.model_dump())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            pids = []
            if moment == "running":
                pids = json.loads(owner.stdout.readline())
            else:
                wait_for_children(tmp_path)
            owner.kill()
        wait_gone(pids + children_in(tmp_path))
    with LocalStack(tmp_path, ports) as again:
        tenant = Tenant(again)
        tenant.create()
        tenant.write(1)
        assert tenant.records(1) == [1]
        with psycopg.connect(again.postgres.dsn):
            began = time.monotonic()
            again.stop()
            assert time.monotonic() - began < 10, "an open connection must not delay the end"
    assert children_in(tmp_path) == []


def children_in(home: Path) -> list[int]:
    """Processes that work in or with a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(home) in word for word in words):
            found.append(process.pid)
    return found


def wait_for_children(home: Path) -> None:
    """Wait until a component of a stack is being prepared."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not list((home / "run").glob("kafka.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
