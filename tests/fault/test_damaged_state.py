"""Workers whose local state is damaged end up with what an undisturbed run has."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.test_worker_faults import finish

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]


def flip_bytes(partition: Path) -> None:
    """One byte of every file with content."""
    for table in partition.glob("*.sst"):
        content = bytearray(table.read_bytes())
        content[len(content) // 8] ^= 0xFF
        table.write_bytes(content)


def lose_current(partition: Path) -> None:
    (partition / "CURRENT").unlink()


def lose_tables(partition: Path) -> None:
    for table in partition.glob("*.sst"):
        table.unlink()


def put_a_file_in_the_way(partition: Path) -> None:
    shutil.rmtree(partition)
    partition.write_text("not a store")


DAMAGES: tuple[Callable[[Path], None], ...] = (
    flip_bytes,
    lose_current,
    lose_tables,
    put_a_file_in_the_way,
)


def partitions(cluster: Cluster) -> list[Path]:
    """Directories of the stores."""
    (tables,) = cluster.state_dir("a").glob("*/tables")
    return [one for one in tables.glob("*/*") if one.name.isdecimal() and any(one.glob("*.sst"))]


def run_to_the_end(cluster: Cluster) -> None:
    """Let workers run until everything is read; one that finds damage in a batch ends."""
    worker = cluster.pipeline()

    def drained() -> bool:
        nonlocal worker
        if worker.process.pid is None:
            worker = cluster.pipeline()
        return cluster.is_drained()

    cluster.wait_for(drained)
    cluster.stop_all()


def test_damaged_stores_are_set_aside_and_restored(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    *load, last = undisturbed.load.split(len(DAMAGES) + 1)
    for part, damage in zip(load, DAMAGES, strict=True):
        cluster.load(part)
        run_to_the_end(cluster)
        damaged = partitions(cluster)
        assert damaged
        for partition in damaged:
            damage(partition)
    cluster.load(last)
    run_to_the_end(cluster)
    (tables,) = cluster.state_dir("a").glob("*/tables")
    assert len(list(tables.glob("reconcile/*.damaged-*"))) >= len(DAMAGES)
    finish(cluster, undisturbed)


def test_store_of_another_partition_is_not_taken(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    first, second = undisturbed.load.split(2)
    cluster.load(first)
    run_to_the_end(cluster)
    (tables,) = cluster.state_dir("a").glob("*/tables")
    one, other = tables / "reconcile" / "0", tables / "reconcile" / "1"
    one.rename(tables / "kept")
    other.rename(one)
    (tables / "kept").rename(other)
    cluster.load(second)
    run_to_the_end(cluster)
    finish(cluster, undisturbed)
