"""Workers whose local state is damaged end up with what an undisturbed run has."""

import shutil
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.test_worker_faults import finish

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.soak,
    pytest.mark.timeout(900),
]


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


DAMAGES = (flip_bytes, lose_current, lose_tables, put_a_file_in_the_way)


def damage_each_in_another_way(stores: list[Path]) -> None:
    for store, damage in zip(stores, cycle(DAMAGES), strict=False):
        damage(store)


def damage_all(damage: Callable[[Path], None], stores: list[Path]) -> None:
    for store in stores:
        damage(store)


def swap_two(stores: list[Path]) -> None:
    """Each gets the store of another partition."""
    one, other = (
        store for store in stores if store.parent.name == "reconcile" and store.name in "01"
    )
    kept = one.with_name("kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


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
    cluster: Cluster, undisturbed: Undisturbed, request: pytest.FixtureRequest
) -> None:
    rounds: list[Callable[[list[Path]], None]] = [damage_each_in_another_way, swap_two]
    if request.config.getoption("--soak"):
        rounds += [partial(damage_all, damage) for damage in DAMAGES]
    *load, last = undisturbed.load.split(len(rounds) + 1)
    for part, damage in zip(load, rounds, strict=True):
        cluster.load(part)
        run_to_the_end(cluster)
        damage(cluster.stores())
    cluster.load(last)
    run_to_the_end(cluster)
    (tables,) = cluster.state_dir("a").glob("*/tables")
    set_aside = {path.name.partition(".")[0] for path in tables.glob("reconcile/*.damaged-*")}
    assert set_aside == {"0", "1", "2", "3"}
    finish(cluster, undisturbed)
