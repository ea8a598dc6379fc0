"""Everything on this machine: started from the broker to the API, polled, drained, watched."""

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import httpx
from rich.console import Console

from producers.connectors import CONNECTORS
from producers.run import RunOptions, RunSummary, Services, run_once
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import (
    SANDBOXED_SOURCES,
    connector_environment,
    environment_without_limits,
)
from streams.clickhouse.client import embedded_path
from streams.commands.deploy import create_topics, register_schemas
from streams.core.errors import InfrastructureError
from streams.credentials import use_credentials
from streams.kafka.topic_admin import GroupProgress
from streams.local.errors import PortInUseError
from streams.local.ports import holder_of, is_free
from streams.local.stack import LocalStack
from streams.local.workers import LocalWorker, Program, faust_worker
from streams.question import Question
from streams.settings import Settings
from streams.topology import SINK_TOPICS, drain_steps, pipeline
from streams.worker_pages import pages

READY_SECONDS: Final = 90.0
_DRAIN_STALL_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 1.0
_DRAIN_LOOK_SECONDS: Final = 0.5
_WORKER_GRACE_SECONDS: Final = 5.0
_PORTS_APART: Final = 10


@dataclass(frozen=True, slots=True)
class LocalRun:
    """What a local run is made of.

    Attributes:
        settings: Addresses as the children see them.
        environment: Variables of the children and of the producers.
        sources: Connectors that are polled.
    """

    settings: Settings
    environment: Mapping[str, str]
    sources: Sequence[str]
    stack: LocalStack
    workers: Sequence[LocalWorker]

    def require_running(self) -> None:
        """Check that nothing has ended by itself.

        Raises:
            ComponentFailedError: something has; the message shows the end of its log.
        """
        self.stack.require_running()
        for worker in self.workers:
            worker.process.require_running()

    def restart(self, name: str) -> None:
        """Stop a worker in order and start it again, by the name of its log.

        Raises:
            ComponentFailedError: it did not become ready.
        """
        (worker,) = (one for one in self.workers if one.program.name == name)
        worker.process.stop(_WORKER_GRACE_SECONDS)
        worker.start(READY_SECONDS)


def start(
    cleanup: ExitStack,
    console: Console,
    *,
    live: bool,
    data_dir: Path,
    variables: Mapping[str, str],
    fresh: bool = False,
    pipeline_workers: int = 1,
) -> LocalRun:
    """Start everything; what is started is stopped by `cleanup`.

    Args:
        cleanup: Stops it.
        console: Says what is ready.
        live: Without the sandbox: the real sources are polled.
        data_dir: Where everything lives.
        variables: The environment of the children and of the polls.
        fresh: Delete first what an earlier run left there.
        pipeline_workers: How many processes share the partitions of the pipeline.

    Raises:
        InfrastructureError: something did not start, see `LocalStack.start` and `LocalWorker`.
    """
    data_dir = data_dir.absolute()
    sources = polled_sources(console, live=live)
    sandbox = SandboxSettings()
    stack = LocalStack(
        data_dir,
        progress=lambda component, seconds: console.print(f"  {component} ({seconds:.1f} s)"),
    )
    if fresh:
        stack.clear()
    console.print(f"Starting the local stack in {data_dir}")
    stack.start()
    cleanup.callback(stack.stop)
    first_port = Settings().worker_port
    ports = [first_port + number * _PORTS_APART for number in range(pipeline_workers)]
    environment = {
        **variables,
        **stack.environment(),
        "DATA_DIR": str(data_dir),
        "WORKER_URL": ",".join(f"http://127.0.0.1:{port}" for port in ports),
    }
    local: dict[str, Any] = {name.lower(): value for name, value in stack.environment().items()}
    settings = Settings(data_dir=data_dir, worker_url=environment["WORKER_URL"], **local)
    use_credentials(settings)
    create_topics(settings)
    register_schemas(settings)
    first, *further = (
        _pipeline_worker(number, port, data_dir, environment)
        for number, port in enumerate(ports, 1)
    )
    workers = [
        first,
        LocalWorker(
            faust_worker(
                "streams.sink.app", "sink", "the sink worker", settings.sink_port, "SINK_PORT"
            ),
            data_dir,
            environment,
        ),
    ]
    api = _api(settings)
    if embedded_path(settings.clickhouse_url()):
        _require_free(api)
    else:
        workers.append(LocalWorker(api, data_dir, environment))
    if not live:
        workers.append(_sandbox(sandbox.port, data_dir, environment))
    _start_workers(workers, cleanup, console)
    for worker in further:
        # One after the other: librdkafka 2.12 aborts a consumer whose partitions are taken away
        # while it is starting to read them, as happens when several join a group at once.
        _start_workers([worker], cleanup, console)
    url = f"http://127.0.0.1:{sandbox.port}"
    upstreams = {} if live else connector_environment(url, sandbox)
    return LocalRun(settings, {**environment, **upstreams}, sources, stack, [*workers, *further])


def polled_sources(console: Console, *, live: bool) -> list[str]:
    """Connectors a run polls; says which ones it leaves out because they have no sandbox."""
    polled = [name for name in CONNECTORS if live or name in SANDBOXED_SOURCES]
    for name in CONNECTORS:
        if name not in polled:
            console.print(f"{name} has no sandbox: left out; `make run ARGS=--live` polls it")
    return polled


def _pipeline_worker(
    number: int, port: int, data_dir: Path, environment: Mapping[str, str]
) -> LocalWorker:
    """The first one is where one alone would be; each has its own port and state."""
    name, component, own = "pipeline", "the pipeline worker", {"WORKER_PORT": str(port)}
    if number > 1:
        name, component = f"{name}-{number}", f"{component} {number}"
        own["STATE_DIR"] = str(data_dir / "state" / name)
    program = faust_worker("streams.app", name, component, port, "WORKER_PORT")
    return LocalWorker(program, data_dir, {**environment, **own})


def _api(settings: Settings) -> Program:
    """The API as a process of its own; where ClickHouse is embedded, the sink serves it."""
    return Program(
        "the API", "api", ("-m", "streams", "api"), settings.api_port, "API_PORT", "/ready"
    )


def _require_free(program: Program) -> None:
    if not is_free(program.port):
        raise PortInUseError(
            program.port, program.component, program.variable, holder_of(program.port)
        )


def _sandbox(port: int, data_dir: Path, environment: Mapping[str, str]) -> LocalWorker:
    program = Program(
        "the sandbox",
        "sandbox",
        ("-m", "producers", "sandbox"),
        port,
        "SANDBOX_PORT",
        "/healthz",
    )
    unlimited = {"SANDBOX_PORT": str(port), **environment_without_limits()}
    return LocalWorker(program, data_dir, {**environment, **unlimited})


def _start_workers(workers: list[LocalWorker], cleanup: ExitStack, console: Console) -> None:
    for worker in workers:
        worker.spawn()
    cleanup.callback(_stop_workers, workers)
    for worker in workers:
        worker.wait_ready(READY_SECONDS)
        console.print(f"  {worker.program.component}: {worker.url}")


def _stop_workers(workers: list[LocalWorker]) -> None:
    threads = [
        threading.Thread(target=worker.process.stop, args=(_WORKER_GRACE_SECONDS,))
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def poll(local: LocalRun, name: str, present: datetime | None = None) -> RunSummary:
    """Poll a source; whatever a poll waits for, what has ended meanwhile is said at once.

    Args:
        local: What runs.
        name: The source.
        present: When it is polled, for a simulation; None: now.

    Raises:
        InfrastructureError: see `run_once`.
    """
    settings = local.settings
    services = Services(
        settings.kafka_bootstrap, settings.schema_registry_url, settings.postgres_dsn
    )
    options = RunOptions(present=present)
    run = partial(run_once, name, options, services, local.environment)
    question = Question(run, f"poll of {name}")
    began = time.monotonic()
    question.begin()
    while question.unanswered_seconds(time.monotonic() - began + _POLL_SECONDS) is not None:
        local.require_running()
    summary = question.answer(0)
    assert summary is not None  # else its thread has shown why
    return summary


def drain(local: LocalRun, console: Console) -> None:
    """Wait until nothing is left to read, step by step in the order the data flow."""
    settings = local.settings
    steps = [
        (settings.app_id, [stage.input.name for stage in step])
        for step in drain_steps(pipeline(CONNECTORS))
    ]
    steps.append((settings.sink_app_id, [topic.name for topic in SINK_TOPICS]))
    with console.status("Waiting for the pipeline") as status:
        for group, topics in steps:
            progress = GroupProgress(settings.kafka_bootstrap, group, topics)
            left = progress.left()
            lowest, since = left, time.monotonic()
            while left:
                status.update(f"{left:,} records left in {', '.join(topics)}")
                if left < lowest:
                    lowest, since = left, time.monotonic()
                if time.monotonic() - since > _DRAIN_STALL_SECONDS:
                    raise InfrastructureError(
                        f"{left:,} records of {', '.join(topics)} have not moved for "
                        f"{_DRAIN_STALL_SECONDS:.0f} s: see the logs in "
                        f"{settings.data_dir / 'logs'}. "
                        + " ".join(_said_by_workers(settings, "waiting"))
                    )
                local.require_running()
                _require_flowing(settings)
                time.sleep(_DRAIN_LOOK_SECONDS)
                left = progress.left()


def _require_flowing(settings: Settings) -> None:
    paused = _said_by_workers(settings, "paused")
    if paused:
        raise InfrastructureError(f"Paused: {' '.join(paused)}")


def _said_by_workers(settings: Settings, what: str) -> list[str]:
    """Reasons why partitions are `paused` or `waiting`, as the workers say at `/ready`."""
    reasons: list[str] = []
    for url in (*settings.worker_urls(), f"http://127.0.0.1:{settings.sink_port}"):
        try:
            answer: dict[str, Any] = pages().get(f"{url}/ready", timeout=60).json()
        except httpx.TransportError:
            continue  # starting, or ended: that is found elsewhere
        reasons += answer.get(what, {}).values()
    return reasons


def watch(local: LocalRun) -> None:
    """Return never; raise when something has ended by itself, see `require_running`."""
    while True:
        local.require_running()
        time.sleep(_POLL_SECONDS)


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run like Ctrl-C; a second signal while stopping is ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
