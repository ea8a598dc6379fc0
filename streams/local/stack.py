"""Kafka, schema registry and PostgreSQL together, with one owner and one data directory."""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.local.errors import DiskTooFull
from streams.local.kafka import Kafka
from streams.local.owner import Ownership
from streams.local.parts import Parts, fetch_parts
from streams.local.ports import StackPorts
from streams.local.postgres import Postgres
from streams.local.process import START_SECONDS, STOP_SECONDS
from streams.local.registry import Registry

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called when a part is ready, with its name and the seconds it took; from several threads."""

_NEEDED_BYTES: Final = 500_000_000


def _log_ready(part: str, seconds: float) -> None:
    log.info("%s is ready (%.1f s)", part, seconds)


class LocalStack:
    """The parts of one data directory; a context manager that starts and stops them.

    Nothing outlives the process that started it, however that ends. The data do, and the next
    start on the same directory goes on with them.

    Args:
        data_dir: Data, logs (`logs/`) and process records (`run/`) of the stack.
        ports: Where the parts listen; default: the environment's.
        parts: Verified parts; default: fetched at the start.
        kafka_properties: Broker settings that replace or complete the stack's own.
        progress: Told about each part that is ready; default: a log line.
        start_seconds: Longest time a part may take to become ready.

    Attributes:
        data_dir: The data directory, absolute.
        ports: Where the parts listen.
        kafka: The broker; may be stopped, killed and started again while the others run.
        registry: The schema registry; likewise.
        postgres: PostgreSQL; likewise.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: StackPorts | None = None,
        *,
        parts: Parts | None = None,
        kafka_properties: Mapping[str, str] | None = None,
        progress: Progress = _log_ready,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.ports = ports or StackPorts.from_environment()
        self._progress = progress
        self._start_seconds = start_seconds
        self._ownership = Ownership(self.data_dir)
        found = parts or fetch_parts()
        self.kafka = Kafka(self.data_dir, found, self.ports, kafka_properties)
        self.registry = Registry(self.data_dir, found, self.ports)
        self.postgres = Postgres(self.data_dir, self.ports)

    def start(self) -> None:
        """Start all parts at once; return when all are ready, or stop all and raise.

        Raises:
            DataDirectoryInUse: a living process runs a stack on this directory.
            PortInUse: a port is taken.
            DiskTooFull: there is too little room for the data.
            PartFailed: a part ended by itself, or was not ready in time (`StartTimeout`).
        """
        self._ownership.take()
        try:
            for part in self._parts():
                part.process.end_orphan()
            self.ports.require_free()
            free = shutil.disk_usage(self.data_dir).free
            if free < _NEEDED_BYTES:
                raise DiskTooFull(self.data_dir, _NEEDED_BYTES, free, "DATA_DIR")
            self._start_parts()
        except BaseException:
            self._ownership.release()
            raise

    def stop(self) -> None:
        """Stop all parts at once, killing what takes longer than `STOP_SECONDS`; idempotent."""
        with ThreadPoolExecutor(len(self._parts())) as pool:
            jobs = [pool.submit(part.stop, STOP_SECONDS) for part in self._parts()]
        self._ownership.release()
        for job in jobs:
            job.result()

    def kill(self) -> None:
        """End all parts at once, as a crash would."""
        for part in self._parts():
            part.kill()
        self._ownership.release()

    def require_running(self) -> None:
        """Check that no part has ended by itself; cheap, for a supervising loop.

        Raises:
            PartFailed: one has; the message shows the end of its log.
        """
        for part in self._parts():
            part.process.require_running()

    def environment(self) -> dict[str, str]:
        """Settings that point a child process to this stack."""
        return {
            "KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "SCHEMA_REGISTRY_URL": self.registry.url,
            "POSTGRES_DSN": self.postgres.dsn,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _parts(self) -> tuple[Kafka, Registry, Postgres]:
        return self.kafka, self.registry, self.postgres

    def _start_parts(self) -> None:
        def start(part: Kafka | Registry | Postgres) -> None:
            began = time.monotonic()
            part.start(self._start_seconds)
            self._progress(part.process.part, time.monotonic() - began)

        with ThreadPoolExecutor(len(self._parts())) as pool:
            jobs = [pool.submit(start, part) for part in self._parts()]
            try:
                done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
                for job in done:
                    job.result()
            except BaseException:
                # A part may be between its preparation and its start: kill until none is left.
                while wait(jobs, timeout=0.1).not_done:
                    for part in self._parts():
                        part.kill()
                for part in self._parts():
                    part.kill()
                raise
