"""Fixtures of the fault tests: sizes, an undisturbed run to compare with, a fresh deployment."""

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from streams.local.stack import LocalStack
from tests.fault.changed_project import change_project
from tests.fault.cluster import Cluster, fresh_cluster
from tests.fault.load import STAGES, Load
from tests.fault.runbook import Runbook
from tests.fault.snapshot import Snapshot, clickhouse_content, take_snapshot


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What an undisturbed run of the load leaves behind."""

    load: Load
    snapshot: Snapshot


@pytest.fixture(scope="session")
def load(request: pytest.FixtureRequest) -> Load:
    """The load of the fault tests: 200,000 records in full size."""
    records = 200_000 if request.config.getoption("--soak") else 4_000
    return Load(records, plants=records // 4)


_Made = TypeVar("_Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], _Made]) -> _Made:
    """What the first process of this test run that asks for it has made, in a folder of its own."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / f"{name}.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make(factory.mktemp(name))))
        made: _Made = pickle.loads(kept.read_bytes())
        return made


@pytest.fixture(scope="session")
def undisturbed(
    stack: LocalStack, load: Load, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """One run of all stages without any fault; every other is compared with it."""

    def make(folder: Path) -> Snapshot:
        with fresh_cluster(stack, folder) as cluster:
            cluster.load(load)
            cluster.pipeline()
            cluster.wait_drained()
            cluster.stop_all()
            snapshot = take_snapshot(cluster.settings)
            assert snapshot.problems == ()
            assert snapshot.published_twice() == 0
            return snapshot

    return Undisturbed(load, made_once(tmp_path_factory, "undisturbed", make))


@pytest.fixture(scope="session")
def undisturbed_clickhouse(
    stack: LocalStack, load: Load, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What ClickHouse has after a run without any fault."""

    def make(folder: Path) -> dict[str, str]:
        with fresh_cluster(stack, folder, ",".join(STAGES)) as cluster:
            cluster.load(load)
            cluster.pipeline()
            cluster.sink()
            cluster.wait_drained(sink=True)
            cluster.stop_all()
            return clickhouse_content(cluster.clickhouse_dir)

    return made_once(tmp_path_factory, "undisturbed_clickhouse", make)


@pytest.fixture
def cluster(stack: LocalStack, tmp_path: Path) -> Iterator[Cluster]:
    """A fresh deployment whose workers run the stages that the load passes through."""
    with fresh_cluster(stack, tmp_path, ",".join(STAGES)) as running:
        yield running


@pytest.fixture
def changed_project(tmp_path: Path) -> Path:
    """The project with another mapping: plants of 200 MW have 250, those of 300 are rejected."""
    return change_project(tmp_path / "changed")


@pytest.fixture
def runbook(cluster: Cluster) -> Runbook:
    """The procedures of the runbook, for this deployment."""
    variables = {**cluster.stack.environment(), "DATA_DIR": str(cluster.home)}
    return Runbook(cluster.home / "clone", variables)
