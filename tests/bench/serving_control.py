"""Starts the served process of the benches, filled before, and says where its time goes."""

import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import psutil

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.schema import ensure_schema
from streams.core.errors import InfrastructureError
from streams.settings import PROJECT_ROOT
from tests.bench.serving_data import Size, fill, parts_of, wait_merged
from tests.serve.client import free_port
from tests.sink.records import WEIGHTS

_FULL: Final = 0.85


@contextmanager
def one_process() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield process


def filled(directory: Path, size: Size) -> str:
    clickhouse = ClickHouse(f"chdb://{directory}")
    try:
        ensure_schema(clickhouse, WEIGHTS)
        versions = fill(clickhouse, size)
        waited = wait_merged(clickhouse)
        return f"{versions:,} versions; parts {waited:.0f} s later: {parts_of(clickhouse)}"
    finally:
        clickhouse.close()


class ServingProcess:
    """The process of the engine, the API and the loader, and what its threads have spent."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "tests.bench.serving_process", str(directory), str(port)]
        self._process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._log = directory.with_suffix(".log")
        self._watched = psutil.Process(self._process.pid)
        self._threads: dict[str, int] = {}
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=60)
        # As wrk and curl ask: tags depend on what is accepted, and compressing takes time.
        del self.client.headers["accept"], self.client.headers["accept-encoding"]

    def __enter__(self) -> Self:
        try:
            self._threads = json.loads(self._answer())
            self._wait_ready()
        except InfrastructureError:
            self._process.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.client.close()
        self._process.communicate()

    def write(self) -> None:
        """Let the sink's loader write from now on."""
        self._say("write")

    def idle(self) -> float:
        """Let it write no more; returns the rows a second that it wrote."""
        self._say("idle")
        return float(json.loads(self._answer()))

    def spent(self) -> dict[str, float]:
        """Processor seconds of each part of the process, of wrk, and of the whole machine."""
        names = {self._threads["api"]: "API", self._threads["loader"]: "loader"}
        spent = dict.fromkeys((*names.values(), "engine"), 0.0)
        for thread in self._watched.threads():
            spent[names.get(thread.id, "engine")] += thread.user_time + thread.system_time
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        machine = psutil.cpu_times()
        return spent | {
            "wrk": children.ru_utime + children.ru_stime,
            "machine": machine.user + machine.nice + machine.system,
        }

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InfrastructureError(f"The process of the API has ended; see {self._log}.")
        return line

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 30
        while self.client.get("/ready").status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise InfrastructureError(f"The API of {self.url} is not ready after 30 s.")
            time.sleep(0.1)


class Spent:
    """Where the time between two looks went."""

    def __init__(self, server: ServingProcess) -> None:
        self._server = server
        self._before, self._began = server.spent(), time.monotonic()

    def limit(self) -> str:
        """What limited the server, and the shares of one processor that say so."""
        seconds = time.monotonic() - self._began
        after = self._server.spent()
        shares = {name: (after[name] - self._before[name]) / seconds for name in after}
        machine = shares.pop("machine")
        own = sum(shares.values())
        shares["clients and other programs"] = machine - own
        if shares["API"] > _FULL:
            limit = "the API's one thread"
        elif machine > _FULL * _processors():
            limit = "the processors" if own > machine / 2 else "clients and other programs"
        else:
            limit = "one answer's own time"
        text = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share > 0.005)
        return f"{limit}: {text}"


def _processors() -> int:
    return psutil.cpu_count() or 1
