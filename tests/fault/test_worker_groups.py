"""Several workers, kept state directories, deletions and compaction between."""

import pytest

from streams.engine.store import PartitionStore
from streams.topics import RECORD_OUTCOMES
from streams.topology import changelogs
from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.load import CONNECTOR, STAGES
from tests.fault.snapshot import take_snapshot
from tests.fault.test_worker_faults import assert_same, finish

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]


def test_two_workers_share_the_load_and_one_is_killed(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    parts = undisturbed.load.split(3)
    grown = cluster.growth(RECORD_OUTCOMES.name)
    cluster.load(parts[0])
    first = cluster.pipeline("first")
    cluster.wait_for_growth(grown, 500)
    second = cluster.pipeline("second")
    cluster.wait_for(lambda: cluster.assigned(first) > 0 and cluster.assigned(second) > 0)
    cluster.load(parts[1])
    first.process.kill()
    third = cluster.pipeline("third")
    cluster.wait_for(lambda: cluster.assigned(third) > 0)
    cluster.load(parts[2])
    second.process.stop(15)
    finish(cluster, undisturbed)


@pytest.mark.soak
def test_workers_of_different_stages_end_as_one_of_all_would(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    """Faust assigns by subscription: no worker gets partitions of a stage it does not run."""
    cluster.load(undisturbed.load)
    normalize, *others = STAGES
    cluster.pipeline("normalizes", STAGES=normalize)
    cluster.pipeline("goes-on", STAGES=",".join(others))
    finish(cluster, undisturbed)


@pytest.mark.soak
def test_a_then_b_then_a_with_kept_state_deletions_and_compaction(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    """A's kept copy must not bring back what B deleted while A was away."""
    topics = changelogs(cluster.settings.app_id, [CONNECTOR])
    cluster.compact_eagerly(topics)
    for part, name in zip(undisturbed.load.split(3), ("a", "b", "a"), strict=True):
        most, tail = part.but_last(300)
        cluster.load(most)
        worker = cluster.pipeline(name)
        cluster.wait_drained()
        # The broker closes a segment only when something is written after it.
        cluster.load(tail)
        cluster.wait_drained()
        worker.process.stop(15)
        cluster.wait_compacted(topics[0])
    found = take_snapshot(cluster.settings)
    assert_same(found, undisturbed.snapshot)
    assert held_by(cluster, "a") == found.state


def held_by(cluster: Cluster, name: str) -> dict[tuple[str, bytes], bytes]:
    """Everything in a stopped worker's state directory, by changelog partition and key."""
    found: dict[tuple[str, bytes], bytes] = {}
    tables = next(cluster.state_dir(name).glob("*/tables"))
    for table in tables.iterdir():
        for partition in table.iterdir():
            store = PartitionStore(partition)
            topic = f"{cluster.settings.app_id}-{table.name}-changelog"
            found |= {(f"{topic}/{partition.name}", key): value for key, value in store.items()}
            store.close()
    return found
