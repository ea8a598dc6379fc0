"""Fixtures of the producers' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from tests.producers.sandbox_server import Sandbox, running_sandbox


@pytest.fixture(autouse=True)
def _without_waiting() -> Iterator[None]:
    """Retries follow at once, as many as configured."""
    with stamina.set_testing(True, attempts=1000, cap=True):
        yield


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox with made-up data and no limit, for the whole run."""
    nowhere: Path = tmp_path_factory.mktemp("no-real-data")
    with running_sandbox(nowhere) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The sandbox, as freshly started."""
    sandbox_process.control("reset")
    return sandbox_process
