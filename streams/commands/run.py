"""`make run`: everything on this machine, from the broker to the rows in ClickHouse."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import httpx
from rich.console import Console

from producers.connectors import CONNECTORS
from producers.errors import ProducerError
from producers.run import RunOptions, RunSummary, Services, run_once
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import (
    SANDBOXED_SOURCES,
    connector_environment,
    environment_without_limits,
)
from streams.clickhouse.client import embedded_path
from streams.commands.audit import print_audit, run_audit
from streams.commands.deploy import create_topics, register_schemas
from streams.commands.stored_records import compare_stored
from streams.core.errors import InfrastructureError, SettingsError
from streams.kafka.topic_admin import lag
from streams.local.errors import PortInUseError
from streams.local.ports import holder_of, is_free
from streams.local.stack import LocalStack
from streams.local.workers import LocalWorker, Program, faust_worker
from streams.question import Question
from streams.serve.addresses import PREFIX
from streams.settings import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_INTERRUPTED, Settings
from streams.topology import SINK_TOPICS, drain_steps, pipeline

log = logging.getLogger(__name__)

READY_SECONDS: Final = 90.0
_DRAIN_STALL_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 1.0
_WORKER_GRACE_SECONDS: Final = 5.0

EXIT_OK: Final = 0
EXIT_NOT_CLOSED: Final = 1


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


def run(*, once: bool, live: bool, console: Console) -> int:
    """Start everything, poll every source, wait for the end of the flow, print the audit.

    Returns the exit code: 0 when every record is accounted for, 1 when the audit does not close,
    2 when a setting is wrong, 3 when a component or a source failed, 130 after Ctrl-C before the
    audit.
    """
    began = time.monotonic()
    reached = False
    with ExitStack() as cleanup:
        cleanup.enter_context(_terminate_as_interrupt())
        cleanup.callback(console.print, "Stopped.")
        try:
            local = _start(cleanup, console, live=live)
            summaries, failures = _poll_all(local, console)
            _drain(local, console)
            closed = _audit(local, summaries, console, time.monotonic() - began)
            reached = True
            for failure in failures:
                console.print(failure, style="red", markup=False)
            code = EXIT_FAILED if failures else EXIT_OK if closed else EXIT_NOT_CLOSED
            if not once:
                console.print("Everything runs. Ctrl-C stops it; the data stay.")
                _say_what_to_open(local.settings, console)
                _watch(local)
        except KeyboardInterrupt:
            return EXIT_OK if reached else EXIT_INTERRUPTED
        except InfrastructureError as error:
            console.print(str(error), style="red", markup=False)
            return EXIT_CONFIGURATION if isinstance(error, SettingsError) else EXIT_FAILED
        return code


def _start(cleanup: ExitStack, console: Console, *, live: bool) -> LocalRun:
    base = Settings()
    data_dir = base.data_dir.absolute()
    sources = polled_sources(console, live=live)
    sandbox = SandboxSettings()
    stack = LocalStack(
        data_dir,
        progress=lambda component, seconds: console.print(f"  {component} ({seconds:.1f} s)"),
    )
    console.print(f"Starting the local stack in {data_dir}")
    stack.start()
    cleanup.callback(stack.stop)
    environment = {
        **os.environ,
        **stack.environment(),
        "DATA_DIR": str(data_dir),
    }
    settings = Settings(
        data_dir=data_dir,
        kafka_bootstrap=environment["KAFKA_BOOTSTRAP"],
        schema_registry_url=environment["SCHEMA_REGISTRY_URL"],
        postgres_dsn=environment["POSTGRES_DSN"],
    )
    create_topics(settings)
    register_schemas(settings)
    workers = [
        LocalWorker(program, data_dir, environment)
        for program in (
            faust_worker(
                "streams.app",
                "pipeline",
                "the pipeline worker",
                settings.worker_port,
                "WORKER_PORT",
            ),
            faust_worker(
                "streams.sink.app", "sink", "the sink worker", settings.sink_port, "SINK_PORT"
            ),
        )
    ]
    api = _api(settings)
    if embedded_path(settings.clickhouse_url()):
        _require_free(api)
    else:
        workers.append(LocalWorker(api, data_dir, environment))
    if not live:
        workers.append(_sandbox(sandbox.port, data_dir, environment))
    _start_workers(workers, cleanup, console)
    url = f"http://127.0.0.1:{sandbox.port}"
    upstreams = {} if live else connector_environment(url, sandbox)
    return LocalRun(settings, {**environment, **upstreams}, sources, stack, workers)


def polled_sources(console: Console, *, live: bool) -> list[str]:
    """Connectors a run polls; says which ones it leaves out because they have no sandbox."""
    polled = [name for name in CONNECTORS if live or name in SANDBOXED_SOURCES]
    for name in CONNECTORS:
        if name not in polled:
            console.print(f"{name} has no sandbox: left out; `make run ARGS=--live` polls it")
    return polled


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


def _say_what_to_open(settings: Settings, console: Console) -> None:
    url = f"http://127.0.0.1:{settings.api_port}"
    console.print(f"Open {url}/ in a browser, or ask:", markup=False, soft_wrap=True)
    console.print(
        f"  curl '{url}{PREFIX}/power-plants?fuel_type=wind&min_capacity_mw=100&limit=5'",
        markup=False,
        soft_wrap=True,
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


def _poll_all(local: LocalRun, console: Console) -> tuple[list[RunSummary], list[str]]:
    services = Services(
        local.settings.kafka_bootstrap,
        local.settings.schema_registry_url,
        local.settings.postgres_dsn,
    )
    summaries, failures = [], []
    for name in local.sources:
        with console.status(f"Polling {name}"):
            try:
                summary = _poll(local, name, services)
            except InfrastructureError as error:
                local.require_running()  # what has ended is the reason
                if not isinstance(error, ProducerError):
                    raise
                failures.append(f"{name}: {error}")
                continue
        summaries.append(summary)
        what = "unchanged since the last run" if summary.unchanged else f"{summary.polled:,} items"
        gone = f", {summary.delisted:,} no longer listed" if summary.delisted else ""
        gone += f", {sum(summary.left_out.values()):,} left out" if summary.left_out else ""
        console.print(f"Polled {name}: {what}{gone} in {summary.elapsed_seconds:.1f} s")
    return summaries, failures


def _poll(local: LocalRun, name: str, services: Services) -> RunSummary:
    """Poll a source; whatever a poll waits for, what has ended meanwhile is said at once."""
    poll = partial(run_once, name, RunOptions(), services, local.environment)
    question = Question(poll, f"poll of {name}")
    began = time.monotonic()
    question.begin()
    while question.unanswered_seconds(time.monotonic() - began + _POLL_SECONDS) is not None:
        local.require_running()
    summary = question.answer(0)
    assert summary is not None  # else its thread has shown why
    return summary


def _drain(local: LocalRun, console: Console) -> None:
    """Wait until nothing is left to read, step by step in the order the data flow."""
    settings = local.settings
    steps = [
        (settings.app_id, [stage.input.name for stage in step])
        for step in drain_steps(pipeline(CONNECTORS))
    ]
    steps.append((settings.sink_app_id, [topic.name for topic in SINK_TOPICS]))
    with console.status("Waiting for the pipeline") as status:
        for group, topics in steps:
            left = sum(lag(settings.kafka_bootstrap, group, topics).values())
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
                time.sleep(_POLL_SECONDS)
                left = sum(lag(settings.kafka_bootstrap, group, topics).values())


def _require_flowing(settings: Settings) -> None:
    paused = _said_by_workers(settings, "paused")
    if paused:
        raise InfrastructureError(f"Paused: {' '.join(paused)}")


def _said_by_workers(settings: Settings, what: str) -> list[str]:
    """Reasons why partitions are `paused` or `waiting`, as the workers say at `/ready`."""
    reasons: list[str] = []
    for port in (settings.worker_port, settings.sink_port):
        url = f"http://127.0.0.1:{port}/ready"
        try:
            answer: dict[str, Any] = httpx.get(url, timeout=60, trust_env=False).json()
        except httpx.TransportError:
            continue  # starting, or ended: that is found elsewhere
        reasons += answer.get(what, {}).values()
    return reasons


def _audit(local: LocalRun, summaries: list[RunSummary], console: Console, elapsed: float) -> bool:
    settings = local.settings
    sources = {name: connector.source_id for name, connector in CONNECTORS.items()}
    audit = run_audit(settings, sources)
    polled = {sources[summary.source]: summary.polled for summary in summaries}
    print_audit(audit, polled, settings, console)
    rows: dict[str, Any] = httpx.get(
        f"http://127.0.0.1:{settings.sink_port}/rows", timeout=60, trust_env=False
    ).json()
    compared = compare_stored(settings, audit.published)
    problems = [
        *audit.problems,
        *compared.problems,
        *clickhouse_problems(rows, audit.published.current, audit.decided_kinds),
    ]
    if compared.not_compared is not None:
        problems.append(f"ClickHouse was not compared: {compared.not_compared}")
    for kind in sorted(audit.published.current):
        console.print(f"ClickHouse, current {kind}: {rows['current'].get(kind, 0):,}")
    if rows["rejects"]:
        console.print(f"ClickHouse refused {rows['rejects']:,} records: `make dlq` shows them.")
    console.print(f"Elapsed: {elapsed:.1f} s")
    for problem in problems:
        console.print(f"Not accounted for: {problem}", style="red", markup=False)
    if not problems:
        console.print("[green]Every record is accounted for.[/green]")
    return not problems


def clickhouse_problems(
    rows: Mapping[str, Any], current: Mapping[str, int], decided: int
) -> list[str]:
    """Where ClickHouse has other numbers of rows than the topics, with what to do.

    Args:
        rows: What the sink's `/rows` says.
        current: Current canonical records by kind, as published.
        decided: Pairs of raw record and output kind that have an outcome.
    """
    pairs = [
        *(
            (f"current {kind}", rows["current"].get(kind, 0), expected)
            for kind, expected in sorted(current.items())
        ),
        ("outcomes", rows["outcomes"], decided),
    ]
    problems = [
        f"ClickHouse holds {stored:,} {what}, {expected:,} published"
        for what, stored, expected in pairs
        if stored != expected
    ]
    if any(stored < expected for _, stored, expected in pairs):
        problems.append(
            "ClickHouse lacks records: if its directory was lost, or it is a new server, stop this "
            "and run `make sink-reload`"
        )
    return problems


def _watch(local: LocalRun) -> None:
    while True:
        local.require_running()
        time.sleep(_POLL_SECONDS)


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
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
