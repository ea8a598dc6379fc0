"""The product's own processes on the local stack: sandbox, pipeline worker and sink."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from streams.local.errors import PortInUseError
from streams.local.ports import holder_of, is_free
from streams.local.process import ManagedProcess
from streams.worker_pages import pages

_ANSWER_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Program:
    """How one process is started and asked whether it is ready.

    Attributes:
        component: Name for people.
        name: Name of its log file.
        arguments: Arguments after the Python interpreter.
        port: Where it answers.
        variable: Environment variable that chooses another port.
        ready_path: Page that answers 200 when it is ready.
    """

    component: str
    name: str
    arguments: tuple[str, ...]
    port: int
    variable: str
    ready_path: str


def faust_worker(app: str, name: str, component: str, port: int, variable: str) -> Program:
    """A Faust worker, started as a user would start it by hand."""
    arguments = ("-m", "faust", "-A", app, "worker", "-l", "info")
    return Program(component, name, arguments, port, variable, "/ready")


class LocalWorker:
    """A started program; ends with the process that owns it."""

    def __init__(self, program: Program, home: Path, environment: Mapping[str, str]) -> None:
        self.program = program
        self.process = ManagedProcess(program.component, program.name, home)
        self._environment = environment

    def spawn(self) -> None:
        """Start it; returns before it is ready.

        Raises:
            PortInUseError: its port is taken.
        """
        port = self.program.port
        if not is_free(port):
            raise PortInUseError(
                port, self.program.component, self.program.variable, holder_of(port)
            )
        self.process.end_orphan()
        self.process.spawn([sys.executable, *self.program.arguments], environment=self._environment)

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until it answers that it is ready.

        Raises:
            ComponentFailedError: it ended by itself, or was not ready by the deadline
                (`StartTimeoutError`, which says what it waits for).
        """
        self.process.wait_until(self._is_ready, timeout_seconds, self._stuck)

    def start(self, timeout_seconds: float) -> None:
        """Start it and wait until it is ready; errors as in `spawn` and `wait_ready`."""
        self.spawn()
        self.wait_ready(timeout_seconds)

    @property
    def url(self) -> str:
        """Address of its pages."""
        return f"http://127.0.0.1:{self.program.port}"

    def _is_ready(self) -> bool:
        answer = self._ask()
        return answer is not None and answer.status_code == httpx.codes.OK

    def _stuck(self) -> str:
        """What it says that it waits for."""
        answer = self._ask()
        if answer is None:
            return f"{self.url}{self.program.ready_path} does not answer"
        try:
            page: Mapping[str, Any] = answer.json()
        except ValueError:
            return f"{self.url}{self.program.ready_path} answers {answer.status_code}"
        said = [page["starting"]] if page.get("starting") else []
        reasons = ("stuck", "waiting", "paused")
        said += [f"{what} {why}" for name in reasons for what, why in page.get(name, {}).items()]
        return "; ".join(said)

    def _ask(self) -> httpx.Response | None:
        """Its page; None while it does not answer."""
        url = self.url + self.program.ready_path
        try:
            return pages().get(url, timeout=_ANSWER_SECONDS)
        except httpx.TransportError:
            return None
