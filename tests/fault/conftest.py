"""Fixtures of the fault tests: sizes, an undisturbed run to compare with, a fresh deployment."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@pytest.fixture(scope="session")
def undisturbed(
    stack: LocalStack, load: Load, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """One run of all stages without any fault; every other is compared with it."""
    with fresh_cluster(stack, tmp_path_factory.mktemp("undisturbed")) as cluster:
        cluster.load(load)
        cluster.pipeline()
        cluster.wait_drained()
        cluster.stop_all()
        snapshot = take_snapshot(cluster.settings)
        assert snapshot.problems == ()
        assert snapshot.published_twice() == 0
        return Undisturbed(load, snapshot)


@pytest.fixture(scope="session")
def undisturbed_clickhouse(
    stack: LocalStack, load: Load, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What ClickHouse has after a run without any fault."""
    folder = tmp_path_factory.mktemp("undisturbed_clickhouse")
    with fresh_cluster(stack, folder, ",".join(STAGES)) as cluster:
        cluster.load(load)
        cluster.pipeline()
        cluster.sink()
        cluster.wait_drained(sink=True)
        cluster.stop_all()
        return clickhouse_content(cluster.clickhouse_dir)


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
