"""A whole deployment on the secured stack: each role with its own user and only its own rights.

Every secret carries `MARK`, and everything runs at DEBUG: what shows the mark shows a secret.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from rich.console import Console

from producers.connectors import CONNECTORS
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import connector_environment, environment_without_limits
from streams.commands.export_raw import export_raw
from streams.commands.import_raw import import_raw
from streams.commands.rebuild import throw_away
from streams.commands.rights import Right, Role, grants, roles
from streams.commands.sink_reload import reload_sink
from streams.commands.topic_remake import remake
from streams.credentials import use_credentials
from streams.kafka.topic_admin import GroupProgress
from streams.kafka.topic_writer import TopicWriter
from streams.local.ports import HOST
from streams.local.workers import LocalWorker, Program
from streams.settings import PROJECT_ROOT, Settings
from streams.topics import raw_topic
from streams.topology import SINK_TOPICS, pipeline
from tests.free_ports import free_ports
from tests.integration.security.secured_stack import (
    SERVER,
    SecuredStack,
    secured_stack,
    server_context,
)
from tests.integration.security.token_server import serving_tokens

MARK: Final = "m4rked-s3cret"
BY_TOKEN: Final = ("sink", "poll-gem-transmission")
"""Roles that show a token; the others show user and password."""

QUIET: Final = Console(quiet=True)

_READY_SECONDS = 240.0
_ENDED_SECONDS = 120.0
_DRAIN_SECONDS = 240.0
_LOOK_SECONDS = 0.2
_PLANTS = 300

_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command said, and its exit code."""

    code: int
    said: str
    seconds: float


@dataclass(slots=True)
class Deployment:
    """The running deployment.

    Attributes:
        admin: Asks Kafka as its superuser, by the listener of the stack itself.
        plain: Settings of that.
        said: Everything that commands have said.
        process_arguments: Command lines of everything that was started.
    """

    secured: SecuredStack
    home: Path
    token_url: str
    clickhouse_port: int
    sources: Mapping[str, str]
    admin: AdminClient
    plain: Settings
    roles: dict[str, Role]
    said: list[str] = field(default_factory=list)
    process_arguments: list[str] = field(default_factory=list)
    workers: dict[str, LocalWorker] = field(default_factory=dict)

    def environment(self, role: str) -> dict[str, str]:
        """Variables of a process of a role."""
        found = {
            "KAFKA_BOOTSTRAP": f"{SERVER}:{self.secured.sasl_port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_USERNAME": role,
            "KAFKA_PASSWORD": password(role),
            "SERVICES_CA_FILE": str(self.secured.ca_file),
            "SCHEMA_REGISTRY_URL": self.secured.registry_url.replace(
                "://", f"://{role}:{password('registry')}@"
            ),
            # Everything is on this machine, so nobody asks by it.
            "HTTPS_PROXY": f"http://{role}:{password('proxy')}@127.0.0.1:9",
            # Users that lack a right at Kafka have none at PostgreSQL; none of them gets that far.
            "POSTGRES_DSN": self.postgres_dsn(role.partition("-without-")[0]),
            "CLICKHOUSE_DSN": f"clickhouses://reader:{password('clickhouse')}"
            f"@{SERVER}:{self.clickhouse_port}/default",
            "API_KEYS": f"tester:{password('api-key')}:1000",
            "DATA_DIR": str(self.home / role),
            "LOG_LEVEL": "DEBUG",
        }
        if role in BY_TOKEN:
            found |= {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_TOKEN_URL": self.token_url}
        return found

    def postgres_dsn(self, role: str) -> str:
        place = f"{SERVER}:{self.secured.postgres_port}/infrastructure"
        return f"postgresql://{role}:{password('postgres')}@{place}"

    def run(self, role: str, *arguments: str, **variables: str) -> Ended:
        """Run a command of the product as a role, to its end."""
        began = time.monotonic()
        command = [sys.executable, "-m", *arguments]
        self.process_arguments.append(" ".join(command))
        done = subprocess.run(
            command,
            env=_inherited() | self.environment(role) | dict(self.sources) | variables,
            capture_output=True,
            text=True,
            timeout=_READY_SECONDS,
        )
        said = done.stdout + done.stderr
        self.said.append(said)
        return Ended(done.returncode, said, time.monotonic() - began)

    def start(self, role: str, program: Program, **variables: str) -> LocalWorker:
        """Start a process of a role; it may not be ready yet."""
        environment = self.environment(role) | {program.variable: str(program.port)} | variables
        worker = LocalWorker(program, self.home, environment)
        worker.spawn()
        self.process_arguments.append(" ".join(program.arguments))
        self.workers[program.name] = worker
        return worker

    @contextlib.contextmanager
    def acting_as(self, role: str, **variables: str) -> Iterator[Settings]:
        """Settings of a command of a role that runs in this process, which saves its start."""
        environment = self.environment(role) | variables
        values: dict[str, Any] = {name.lower(): value for name, value in environment.items()}
        settings = Settings(**values)
        use_credentials(settings)
        try:
            yield settings
        finally:
            use_credentials(Settings())

    def grant(self, user: str, rights: Iterator[Right] | tuple[Right, ...]) -> None:
        """Give a user rights."""
        for future in self.admin.create_acls([_binding(user, right) for right in rights]).values():
            future.result()

    def user_without(self, role: str, right: Right) -> str:
        """A new user with the rights of a role but one."""
        found = self.roles[role].rights
        assert right in found
        user = f"{role}-without-{right.operation}-{right.name}".lower()
        _make_users(self.admin, [user])
        self.grant(user, tuple(one for one in found if one != right))
        return user

    def ended(self, user: str, program: Program) -> Ended:
        """Start a worker that must end by itself, and what it says."""
        began = time.monotonic()
        process = LocalWorker(program, self.home, self.environment(user)).process
        variables = self.environment(user) | {program.variable: str(program.port)}
        child = process.spawn([sys.executable, *program.arguments], environment=variables)
        try:
            code = child.wait(_ENDED_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            process.kill()
        return Ended(code, process.log_path.read_text(), time.monotonic() - began)

    def wait_drained(self) -> None:
        """Wait until pipeline and sink have read everything."""
        steps = [
            (self.plain.app_id, [stage.input.name for stage in pipeline(CONNECTORS)]),
            (self.plain.sink_app_id, [topic.name for topic in SINK_TOPICS]),
        ]
        for group, topics in steps:
            progress = GroupProgress(self.plain.kafka_bootstrap, group, topics)
            self.wait_for(lambda progress=progress: not progress.left())  # type: ignore[misc]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, with a deadline."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while not condition():
            for worker in self.workers.values():
                worker.process.require_running()
            assert time.monotonic() < deadline, f"not reached; logs in {self.home / 'logs'}"
            time.sleep(_LOOK_SECONDS)

    def logs(self) -> dict[str, str]:
        """Text of every log, by its name."""
        paths = [*self.home.rglob("*.log"), *self.home.rglob("*.log.1")]
        return {
            str(path.relative_to(self.home)): path.read_text("utf-8", "replace") for path in paths
        }

    def asked(self) -> tuple[set[str], set[tuple[str, Right]]]:
        """What the broker's authorizer says: what it refused, and which rights were used."""
        log = (self.secured.stack.data_dir / "logs" / "kafka.log").read_text()
        refused = {line for line in log.splitlines() if " is Denied " in line}
        used = {
            (found["user"], _right(found))
            for found in map(_USED.search, log.splitlines())
            if found is not None
        }
        return refused, used


_USED = re.compile(
    r"is Allowed .*StandardAcl\[resourceType=(?P<resource>\w+), resourceName=(?P<name>[^,]+), "
    r"patternType=(?P<pattern>\w+), principal=User:(?P<user>[^,]+), host=\*, "
    r"operation=(?P<operation>\w+)"
)


def _right(found: re.Match[str]) -> Right:
    operation = next(name for name, one in _OPERATIONS.items() if one.name == found["operation"])
    resource = next(name for name, one in _RESOURCES.items() if one.name == found["resource"])
    return Right(resource, found["name"], operation, found["pattern"] == "PREFIXED")  # type: ignore[arg-type]


def password(what: str) -> str:
    """A secret that is recognised wherever it turns up."""
    return f"{MARK}-{what}"


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _binding(user: str, right: Right) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL
    return AclBinding(
        _RESOURCES[right.resource],
        right.name,
        pattern,
        f"User:{user}",
        "*",
        _OPERATIONS[right.operation],
        AclPermissionType.ALLOW,
    )


def _make_users(admin: AdminClient, names: list[str]) -> None:
    changes = [
        UserScramCredentialUpsertion(
            name,
            ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
            password(name).encode(),
        )
        for name in names
    ]
    for future in admin.alter_user_scram_credentials(changes).values():
        future.result()


def _open_postgres(secured: SecuredStack, found: dict[str, Role]) -> None:
    """Users with passwords, who are asked for them."""
    postgres = secured.stack.postgres
    access = secured.stack.data_dir / "postgres" / "cluster" / "pg_hba.conf"
    access.write_text(f"local all all trust\nhost all all {HOST}/32 scram-sha-256\n")
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        for name in found:
            connection.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{password('postgres')}'")
        connection.execute("SELECT pg_reload_conf()")
    from producers.checkpoint import open_store

    with open_store(postgres.dsn):
        pass  # makes the tables, as their owner
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        for role in found.values():
            for statement in grants(role):
                connection.execute(statement)


def faust_program(app: str, name: str) -> Program:
    """A worker that says as much as it can."""
    variable = "SINK_PORT" if "sink" in app else "WORKER_PORT"
    arguments = ("-m", "faust", "-A", app, "worker", "-l", "debug")
    return Program(name, name, arguments, next(free_ports()), variable, "/ready")


@contextlib.contextmanager
def deployed(home: Path) -> Iterator[Deployment]:
    """Everything started, every source polled, everything read."""
    with services(home) as deployment:
        _deploy_and_poll(deployment)
        yield deployment


@contextlib.contextmanager
def services(home: Path) -> Iterator[Deployment]:
    """Kafka, registry, PostgreSQL, ClickHouse and the sandbox, each role a user; no topics."""
    with contextlib.ExitStack() as opened:
        secured = opened.enter_context(secured_stack(home))
        secrets = {name: password(name) for name in BY_TOKEN}
        tokens = opened.enter_context(serving_tokens(server_context(secured.server_file), secrets))
        clickhouse = next(free_ports())
        sandbox = SandboxSettings(
            port=next(free_ports()),
            alsi_key=password("alsi"),
            nlr_key=password("nlr"),
            plants=_PLANTS,
            data_dir=home / "none",
        )
        bootstrap = secured.stack.kafka.bootstrap
        plain = Settings(kafka_bootstrap=bootstrap)
        admin = AdminClient({"bootstrap.servers": bootstrap})
        deployment = Deployment(
            secured,
            home,
            tokens.url,
            clickhouse,
            connector_environment(f"http://{HOST}:{sandbox.port}", sandbox)
            | {
                "WRI_MINIMUM_ROWS": "100",
                "ALSI_BACKFILL_FROM": "2026-01-01",
                "ALSI_DETAIL_BACKFILL_DAYS": "2",
                "GEM_STREAMS": "lng_terminals power_units",
                "NLR_POINTS_FROM_PLANTS": "true",
            },
            admin,
            plain,
            {role.name: role for role in roles(plain, CONNECTORS)},
        )
        _make_users(admin, list(deployment.roles))
        for name, role in deployment.roles.items():
            deployment.grant(name, role.rights)
        opened.callback(_stop, deployment)
        deployment.start(
            "sandbox",
            Program(
                "sandbox",
                "sandbox",
                ("-m", "producers", "sandbox"),
                sandbox.port,
                "SANDBOX_PORT",
                "/healthz",
            ),
            SANDBOX_ALSI_KEY=sandbox.alsi_key,
            SANDBOX_NLR_KEY=sandbox.nlr_key,
            SANDBOX_PLANTS=str(_PLANTS),
            SANDBOX_DATA_DIR=str(sandbox.data_dir),
            **environment_without_limits(),
        )
        server = ("-m", "tests.integration.security.clickhouse_server")
        deployment.start(
            "clickhouse",
            Program(
                "clickhouse",
                "clickhouse",
                (*server, str(home / "clickhouse"), str(clickhouse), str(secured.server_file)),
                clickhouse,
                "_",
                "/ping",
            ),
            CLICKHOUSE_PASSWORD=password("clickhouse"),
            PYTHONPATH=str(PROJECT_ROOT),
        )
        _open_postgres(secured, deployment.roles)
        yield deployment


def deploy(deployment: Deployment) -> None:
    """Topics and contracts, by the role that is for it."""
    for command in ("topics", "schemas-register"):
        done = deployment.run("deploy", "streams", command)
        assert done.code == 0, done.said


def _deploy_and_poll(deployment: Deployment) -> None:
    deploy(deployment)
    # So that there is a dead letter.
    poisoned = raw_topic("wri_powerplants").name
    with TopicWriter(deployment.plain.kafka_bootstrap, [poisoned]) as writer:
        writer.send(poisoned, b"poison", b"no record")
        writer.finish()
    with deployment.acting_as("administrator") as settings:
        assert remake(settings, poisoned).records == 1
    with deployment.acting_as("operator") as settings:
        reload_sink(settings, QUIET)
    deployment.start("pipeline", faust_program("streams.app", "pipeline"))
    deployment.start("sink", faust_program("streams.sink.app", "sink"))
    worker_url = deployment.workers["pipeline"].url
    deployment.start(
        "api",
        Program("api", "api", ("-m", "streams", "api"), next(free_ports()), "API_PORT", "/ready"),
        WORKER_URL=worker_url,
    )
    # Of the one raw record that there is: a generation of all takes long.
    done = deployment.run("rebuilder", "streams", "rebuild", "--diff")
    assert done.code == 0, done.said
    with deployment.acting_as("rebuilder") as settings:
        throw_away(settings, QUIET)

    def poll(name: str) -> Ended:
        return deployment.run(f"poll-{name.replace('_', '-')}", "producers", name)

    with ThreadPoolExecutor(len(CONNECTORS)) as pool:
        for done in pool.map(poll, CONNECTORS):
            assert done.code == 0, done.said
    for name, worker in deployment.workers.items():
        if name != "clickhouse":  # sink and API are not ready without it
            worker.wait_ready(_READY_SECONDS)
    deployment.wait_drained()
    _look_and_repair(deployment)


def _look_and_repair(deployment: Deployment) -> None:
    """What people do, and a worker that has lost its state, each with the rights of the role."""
    pipeline_worker = deployment.workers["pipeline"]
    pipeline_worker.process.stop(15)
    deployment.start(
        "pipeline", pipeline_worker.program, STATE_DIR=str(deployment.home / "another-state")
    )
    pair = ("wri_powerplants:SBX0000001", "wri_powerplants:SBX0000002")
    commands = [
        ("auditor", "audit"),
        ("operator", "replay"),
        ("operator", "resume", "wri_powerplants"),
        ("operator", "decide", "cannot-link", "power_plant", *pair),
        ("operator", "dlq-redrive", "--rule", "bad_avro"),
    ]

    def run(command: tuple[str, ...]) -> Ended:
        role, *arguments = command
        return deployment.run(role, "streams", *arguments)

    with ThreadPoolExecutor(2) as pool:
        for command, done in zip(commands, pool.map(run, commands), strict=True):
            assert done.code == 0, f"{command}: {done.said}"
    backup, kept = deployment.home / "backup", raw_topic("reexplorer")
    with deployment.acting_as("auditor") as settings:
        (exported,) = export_raw(settings, [kept], backup, QUIET)
    with deployment.acting_as("administrator") as settings:
        (imported,) = import_raw(settings, backup, QUIET)
    assert imported.already_there == exported.records > 0
    deployment.workers["pipeline"].wait_ready(_READY_SECONDS)
    deployment.wait_drained()
    for name, path in _PAGES:
        answer = page(deployment, name, path, **{"X-API-Key": password("api-key")})
        assert answer.status_code == 200, f"{path}: {answer.text}"
        deployment.said.append(answer.text)


_API = "/infrastructure/api/v1/infrastructure"
_PAGES = [
    ("api", f"{_API}/power-plants?limit=5"),
    ("api", f"{_API}/pipeline"),
    ("api", f"{_API}/sources"),
    ("api", f"{_API}/candidates"),
    ("api", "/pipeline"),
    ("api", "/metrics"),
    ("pipeline", "/metrics"),
    ("pipeline", "/ready"),
    ("sink", "/metrics"),
]
"""What people and Prometheus look at; the worker asks Kafka and PostgreSQL for some of it."""


def _stop(deployment: Deployment) -> None:
    for worker in deployment.workers.values():
        worker.process.stop(15)


def page(deployment: Deployment, name: str, path: str, **headers: str) -> httpx.Response:
    """A page of a worker or of the API."""
    url = deployment.workers[name].url + path
    return httpx.get(url, headers=headers, trust_env=False, timeout=30)
