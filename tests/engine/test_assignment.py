"""Which worker reads which partitions when workers join one after another."""

from types import SimpleNamespace

import pytest
from faust.assignor.partition_assignor import PartitionAssignor

from streams.engine.app import BatchApp

APP = BatchApp("workers", broker="batch://127.0.0.1:1")
"""What both workers are made of; importing them would add their metrics to this process."""
PARTITIONS = {"raw.alsi_lng": 4, "market.infrastructure": 4, "quality.counts": 1}


def joined(workers: int) -> list[set[tuple[str, int]]]:
    """What each of some workers reads, in the order in which they joined."""
    cluster = SimpleNamespace(
        topics=lambda: set(PARTITIONS),
        partitions_for_topic=lambda topic: set(range(PARTITIONS[topic])),
    )
    members: dict[str, PartitionAssignor] = {}
    for number in range(workers):
        assignor = PartitionAssignor(APP, replicas=APP.conf.table_standby_replicas)
        members[f"worker-{number}"] = assignor
        leader = next(iter(members.values()))
        metadata = {name: one.metadata(set(PARTITIONS)) for name, one in members.items()}
        for name, assignment in leader.assign(cluster, metadata).items():
            members[name].on_assignment(assignment)
    return [set(one.assigned_actives()) for one in members.values()]


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_a_worker_that_joins_gets_its_share(workers: int) -> None:
    """Two workers with two of four partitions each would keep them when a third comes."""
    read = joined(workers)
    for topic, partitions in PARTITIONS.items():
        shares = sorted(sum(tp[0] == topic for tp in one) for one in read)
        assert sum(shares) == partitions
        assert shares[-1] - shares[0] <= 1
