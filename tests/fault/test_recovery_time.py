"""How long a worker takes from its start to its first new acknowledgement."""

import time
from functools import partial

import pytest

from streams.kafka.topic_admin import end_offsets
from streams.topics import RECORD_OUTCOMES
from streams.topology import changelogs
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, Load

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.soak,
    pytest.mark.timeout(1800),
]

EMPTY_LIMIT_SECONDS = 25.0
KEPT_LIMIT_SECONDS = 12.0
_LATE_RECORDS = 100


def test_first_acknowledgement_after_a_kill(cluster: Cluster, figures: list[str]) -> None:
    """With an empty state directory, then with a kept one; the group's session wait apart."""
    # Each raw record makes one entry at normalize, and a record and an asset at reconcile.
    load = Load(360_000, plants=100_000_000)
    cluster.load(load)
    worker = cluster.pipeline(STAGES="")
    cluster.wait_drained()
    entries = sum(
        end_offsets(
            cluster.settings.kafka_bootstrap,
            [topic.name for topic in changelogs(cluster.settings.app_id, [CONNECTOR])],
        ).values()
    )
    first = load.records
    for kept, limit in ((False, EMPTY_LIMIT_SECONDS), (True, KEPT_LIMIT_SECONDS)):
        killed = time.monotonic()
        worker.process.kill()
        cluster.wait_group_empty()
        session = time.monotonic() - killed
        if not kept:
            cluster.forget_state()
        cluster.load(Load(_LATE_RECORDS, load.plants, first))
        first += _LATE_RECORDS
        before = _outcomes(cluster)
        started = time.monotonic()
        worker = cluster.pipeline(STAGES="")
        cluster.wait_for(partial(_grown, cluster, before))
        seconds = time.monotonic() - started
        cluster.wait_drained()
        figures.append(
            f"first acknowledgement after a start with {'a kept' if kept else 'an empty'} state "
            f"({entries:,} changelog records): {seconds:.1f} s, and {session:.1f} s session wait"
        )
        assert seconds < limit


def _grown(cluster: Cluster, before: int) -> bool:
    return _outcomes(cluster) > before


def _outcomes(cluster: Cluster) -> int:
    return sum(end_offsets(cluster.settings.kafka_bootstrap, [RECORD_OUTCOMES.name]).values())
