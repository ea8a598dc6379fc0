"""`make run` as a user starts it: how long it takes, and what each process and stage spends.

Processor time is sampled while processes run: of one that ends, the last moment may be missing.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

import psutil
from prometheus_client.parser import text_string_to_metric_families

from producers.connectors import CONNECTORS
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import connector_environment
from streams.core.payloads import ASSET_KINDS
from streams.kafka.topic_admin import end_offsets
from streams.settings import PROJECT_ROOT, Settings
from streams.topics import MARKET_INFRASTRUCTURE, raw_topic
from streams.topology import RECONCILE
from streams.worker_pages import pages
from tests.bench.measure import VoidRunError

_LOOK_SECONDS = 0.25
_DEADLINE_SECONDS = 900.0
_MEGABYTE = 1_000_000
_READY = "the sandbox: http"
_CLOSED = "Every record is accounted for."
_PROGRAMS = {
    "streams.app": "pipeline worker",
    "streams.sink.app": "sink worker",
    "kafka.Kafka": "Kafka",
    "quarkus": "registry",
    "postgres": "PostgreSQL",
    "producers sandbox": "sandbox",
    "streams run": "polls, waiting and audit",
}
"""What a process is called, by a part of its command line."""

_SQL = ("streams", "sql", "--format", "csv", "--")
_IF_SAID_ONCE = """
SELECT sum(versions) / count()
FROM (SELECT record_id, count() AS versions FROM changes GROUP BY record_id) AS published
JOIN (SELECT record_id FROM assets WHERE JSONLength(body, 'members') = 1) AS said USING record_id"""


@dataclass(slots=True)
class Used:
    """What one process has used so far.

    Attributes:
        seconds: Processor time.
        most_megabytes: Largest sample of its memory.
    """

    seconds: float = 0.0
    most_megabytes: float = 0.0


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A first run in an empty folder, and a second one beside what the first has left.

    Attributes:
        raw: Raw records of the first run.
        start_seconds: From the command to the first poll.
        first_seconds: From the first poll to the sentence that every record is accounted for.
        stop_seconds: From Ctrl-C to the end.
        again_seconds: From the first poll of the second run to its sentence.
        audit_seconds: Of `make audit` beside it.
        versions_per_asset: Canonical versions of assets for each current one, after the first run.
        versions_if_said_once: The same of assets that one record of one source makes.
        used: What each process had used when the first sentence was said.
        stages: Seconds in which each stage of the pipeline computed until then.
        memory_curve: Largest megabytes of the pipeline worker and of the sink worker, after the
            first run and after each further poll of everything.
    """

    raw: int
    start_seconds: float
    first_seconds: float
    stop_seconds: float
    again_seconds: float
    audit_seconds: float
    versions_per_asset: float
    versions_if_said_once: float
    used: Mapping[str, Used]
    stages: Mapping[str, float]
    memory_curve: Sequence[tuple[float, float]]


def whole_run(home: Path, data_dir: Path, polls: int) -> WholeRun:
    """Run everything on the default ports, twice.

    Args:
        home: Made empty first.
        data_dir: What the sandbox serves; what it lacks is made up.
        polls: Further polls of every source in the second run.

    Raises:
        VoidRunError: a run did not close, or took longer than a quarter of an hour.
    """
    shutil.rmtree(home, ignore_errors=True)
    environment = {**os.environ, "DATA_DIR": str(home), "SANDBOX_DATA_DIR": str(data_dir)}
    with _run(environment) as run:
        start_seconds = run.seconds_until(_READY)
        first_seconds = run.seconds_until(_CLOSED)
        used = {name: Used(one.seconds, one.most_megabytes) for name, one in run.used.items()}
        raw, versions_per_asset, stages = _raw_records(), _versions_per_asset(), _stage_seconds()
        versions_if_said_once = float(_command(environment, *_SQL, _IF_SAID_ONCE).split()[-1])
        stop_seconds = run.seconds_to_stop()
    with _run(environment) as run:
        run.seconds_until(_READY)
        again_seconds = run.seconds_until(_CLOSED)
        began = time.monotonic()
        _command(environment, "streams", "audit")
        audit_seconds = time.monotonic() - began
        curve = [_memory(run.used)]
        for _ in range(polls):
            for name in CONNECTORS:
                _command({**environment, **_upstreams()}, "producers", name)
            curve.append(_memory(run.used))
        run.seconds_to_stop()
    return WholeRun(
        raw,
        start_seconds,
        first_seconds,
        stop_seconds,
        again_seconds,
        audit_seconds,
        versions_per_asset,
        versions_if_said_once,
        used,
        stages,
        curve,
    )


class _Run:
    """A started `make run`, watched until it is stopped."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.used: dict[str, Used] = {}
        self._process = process
        self._lines: Queue[tuple[float, str]] = Queue()
        self._last = time.monotonic()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._sample)
        ]
        for thread in self._threads:
            thread.start()

    def seconds_until(self, sentence: str) -> float:
        """Seconds from the sentence before to this one."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        said: list[str] = []
        while sentence not in (said[-1] if said else ""):
            try:
                at, line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise VoidRunError(f"`make run` never said {sentence!r}: {said[-3:]}") from None
            if not line:
                raise VoidRunError(f"`make run` ended without {sentence!r}: {said[-3:]}")
            said.append(line)
        seconds, self._last = at - self._last, at
        return seconds

    def seconds_to_stop(self) -> float:
        """Press Ctrl-C; seconds until it has ended."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_DEADLINE_SECONDS)
        return time.monotonic() - began

    def close(self) -> None:
        """End it if it runs, and stop watching."""
        if self._process.poll() is None:
            self.seconds_to_stop()
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put((time.monotonic(), line))
        self._lines.put((time.monotonic(), ""))

    def _sample(self) -> None:
        counted: dict[int, float] = {}
        while not self._ended.wait(_LOOK_SECONDS):
            for process in _family(self._process.pid):
                try:
                    name = _name(process)
                    times, memory = process.cpu_times(), process.memory_info().rss / _MEGABYTE
                except psutil.Error:
                    continue  # has ended
                used = self.used.setdefault(name, Used())
                seconds = times.user + times.system
                used.seconds += seconds - counted.get(process.pid, 0.0)
                counted[process.pid] = seconds
                used.most_megabytes = max(used.most_megabytes, memory)


@contextmanager
def _run(environment: Mapping[str, str]) -> Iterator[_Run]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "run"],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    run = _Run(process)
    try:
        yield run
    finally:
        run.close()


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _name(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    return next((name for part, name in _PROGRAMS.items() if part in words), "other")


def _command(environment: Mapping[str, str], *words: str) -> str:
    command = [sys.executable, "-m", *words]
    ended = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise VoidRunError(f"{' '.join(words)}: {ended.stdout[-500:]}{ended.stderr[-500:]}")
    return ended.stdout


def _upstreams() -> dict[str, str]:
    settings = SandboxSettings()
    return connector_environment(f"http://127.0.0.1:{settings.port}", settings)


def _memory(used: Mapping[str, Used]) -> tuple[float, float]:
    return used["pipeline worker"].most_megabytes, used["sink worker"].most_megabytes


def _raw_records() -> int:
    topics = [raw_topic(name).name for name in CONNECTORS]
    return sum(end_offsets(Settings().kafka_bootstrap, topics).values())


def _stage_seconds() -> dict[str, float]:
    return {
        labels["stage"]: value
        for name, labels, value in _samples()
        if name == "stage_compute_seconds_total"
    }


def _versions_per_asset() -> float:
    wanted = {"stage": RECONCILE.name, "topic": MARKET_INFRASTRUCTURE.name}
    published = sum(
        value
        for name, labels, value in _samples()
        if name == "stage_outputs_total" and labels == wanted
    )
    rows = pages().get(f"http://127.0.0.1:{Settings().sink_port}/rows", timeout=60).json()
    current: Mapping[str, int] = rows["current"]
    return published / sum(count for kind, count in current.items() if kind in ASSET_KINDS)


def _samples() -> Iterator[tuple[str, Mapping[str, str], float]]:
    url = f"http://127.0.0.1:{Settings().worker_port}/metrics"
    text = pages().get(url, timeout=60).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
