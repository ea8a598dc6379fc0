"""The sandbox server as a process of its own, for tests."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import connector_environment

KEY = "sandbox-key"
PLANTS = 2000
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    url: str

    def control(self, action: str, **body: object) -> dict[str, object]:
        """Ask for a revision, a new release, or a reset."""
        response = httpx.post(f"{self.url}/control/{action}", json=body, timeout=30)
        assert response.status_code == httpx.codes.OK, response.text
        answer = response.json()
        assert isinstance(answer, dict)
        return answer

    def environment(self) -> dict[str, str]:
        """Variables that point the connectors here; few days and plants are enough for tests."""
        return {
            **connector_environment(self.url, SandboxSettings(alsi_key=KEY, nlr_key=KEY)),
            "ALSI_GRANULARITY": "eu",
            "WRI_MINIMUM_ROWS": "1000",
        }


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_sandbox(data_dir: Path, requests_per_minute: int = 0) -> Iterator[Sandbox]:
    """Start `python -m producers sandbox`, wait until it answers, stop it at the end."""
    port = free_port()
    environment = os.environ | {
        "SANDBOX_PORT": str(port),
        "SANDBOX_DATA_DIR": str(data_dir),
        "SANDBOX_ALSI_KEY": KEY,
        "SANDBOX_ALSI_REQUESTS_PER_MINUTE": str(requests_per_minute),
        "SANDBOX_PLANTS": str(PLANTS),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "producers", "sandbox"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sandbox = Sandbox(f"http://127.0.0.1:{port}")
        _wait_until_healthy(sandbox, process)
        yield sandbox
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _wait_until_healthy(sandbox: Sandbox, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the sandbox ended with {process.returncode}"
        try:
            if httpx.get(f"{sandbox.url}/healthz").status_code == httpx.codes.OK:
                return
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError("the sandbox did not answer by the deadline")
