"""Kafka, schema registry and PostgreSQL together, with one owner and one data directory."""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.folders import writable_folder
from streams.local.components import Components, fetch_components
from streams.local.errors import DiskTooFullError
from streams.local.kafka import Kafka
from streams.local.kept_classes import kept_classes
from streams.local.owner import DataDirectoryLock
from streams.local.ports import StackPorts
from streams.local.postgres import Postgres
from streams.local.process import START_SECONDS, STOP_SECONDS, all_at_once
from streams.local.registry import RegistryServer

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called when a component is ready, with its name and the seconds it took; from several threads."""

_NEEDED_BYTES: Final = 500_000_000

_RESERVED_BYTES: Final = 100_000_000
"""With less, everything is stopped while it still can be in order."""


def _log_ready(component: str, seconds: float) -> None:
    log.info("%s is ready (%.1f s)", component, seconds)


class LocalStack:
    """The components of one data directory; a context manager that starts and stops them.

    Nothing outlives the process that started it, however that ends. The data do, and the next
    start on the same directory goes on with them.

    Args:
        data_dir: Data, logs (`logs/`) and process records (`run/`) of the stack.
        ports: Where the components listen; default: the environment's.
        components: Verified components; default: fetched at the start.
        kafka_properties: Broker settings that replace or complete the stack's own.
        registry_certificate_file: With it the registry speaks HTTPS alone, see `RegistryServer`.
        progress: Called with each component that is ready; default: a log line.
        start_seconds: Longest time a component may take to become ready.

    Attributes:
        data_dir: The data directory, absolute.
        ports: Where the components listen.
        kafka: The broker; may be stopped, killed and started again while the others run.
        registry: The schema registry; likewise.
        postgres: PostgreSQL; likewise.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: StackPorts | None = None,
        *,
        components: Components | None = None,
        kafka_properties: Mapping[str, str] | None = None,
        registry_certificate_file: Path | None = None,
        progress: Progress = _log_ready,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.data_dir = writable_folder(data_dir.absolute(), "DATA_DIR")
        self.ports = ports or StackPorts.from_environment()
        self._progress = progress
        self._start_seconds = start_seconds
        self._lock = DataDirectoryLock(self.data_dir)
        found = components or fetch_components()
        classes = kept_classes(found)
        self.kafka = Kafka(self.data_dir, found, self.ports, kafka_properties, classes.kafka)
        self.registry = RegistryServer(
            self.data_dir, found, self.ports, classes.registry, registry_certificate_file
        )
        self.postgres = Postgres(self.data_dir, self.ports)

    def start(self) -> None:
        """Start all components at once; return when all are ready, or stop all and raise.

        Raises:
            DataDirectoryInUseError: a living process runs a stack on this directory.
            PortInUseError: a port is taken.
            DiskTooFullError: there is too little room for the data.
            ComponentFailedError: a component ended by itself, or was not ready by the deadline
                (`StartTimeoutError`).
        """
        self._lock.take()
        try:
            for component in self._components():
                component.process.end_orphan()
            self.ports.require_free()
            self._require_room(_NEEDED_BYTES)
            self._start_parts()
        except BaseException:
            self._lock.release()
            raise

    def clear(self) -> None:
        """Delete the data of a stack that does not run, and what a killed process left running.

        Raises:
            DataDirectoryInUseError: a living process runs a stack on this directory.
        """
        self._lock.take()
        try:
            for component in self._components():
                component.process.end_orphan()
            for path in self.data_dir.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
        finally:
            self._lock.release()

    def stop(self) -> None:
        """Stop all at once, killing what takes longer than `STOP_SECONDS`; idempotent."""
        with ThreadPoolExecutor(len(self._components())) as pool:
            jobs = [pool.submit(component.stop, STOP_SECONDS) for component in self._components()]
        self._lock.release()
        for job in jobs:
            job.result()

    def kill(self) -> None:
        """End all components at once, as a crash would."""
        for component in self._components():
            component.kill()
        self._lock.release()

    def require_running(self) -> None:
        """Check that there is room and no component has ended by itself; cheap, for a loop.

        Raises:
            DiskTooFullError: the disk is nearly full; that may be why a component has ended.
            ComponentFailedError: one has; the message shows the end of its log.
        """
        self._require_room(_RESERVED_BYTES)
        for component in self._components():
            component.process.require_running()

    def environment(self) -> dict[str, str]:
        """Settings that point a process to this stack, whatever the user's own point to."""
        return {
            "KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "SCHEMA_REGISTRY_URL": self.registry.url,
            "POSTGRES_DSN": self.postgres.dsn,
            # It encrypts nothing and asks nobody.
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "KAFKA_USERNAME": "",
            "KAFKA_CERTIFICATE_FILE": "",
            "KAFKA_KEY_FILE": "",
            "SERVICES_CA_FILE": "",
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

    def _components(self) -> tuple[Kafka | RegistryServer | Postgres, ...]:
        return self.kafka, self.registry, self.postgres

    def _require_room(self, free_bytes: int) -> None:
        free = shutil.disk_usage(self.data_dir).free
        if free < free_bytes:
            raise DiskTooFullError(self.data_dir, _NEEDED_BYTES, free, "DATA_DIR")

    def _start_parts(self) -> None:
        def start(component: Kafka | RegistryServer | Postgres) -> None:
            began = time.monotonic()
            component.start(self._start_seconds)
            self._progress(component.process.component, time.monotonic() - began)

        all_at_once(self._components(), start)
