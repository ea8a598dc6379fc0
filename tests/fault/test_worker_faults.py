"""The pipeline worker under faults; each test ends by comparing with an undisturbed run."""

import os
import signal
from random import Random

import pytest

from streams.engine.failpoints import Failpoint
from streams.topics import MARKET_INFRASTRUCTURE, NORMALIZED_ASSETS, RECORD_OUTCOMES
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.snapshot import Snapshot, take_snapshot

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]

KILLS = 5
STEPS: dict[Failpoint, int] = {
    "after_fence": 3,
    "after_restore": 1,
    "after_compute": 2,
    "before_commit": 2,
    "after_commit": 2,
    "after_local_write": 2,
    "after_acknowledge": 2,
}
"""Each step with the passage at which the worker is killed."""


def assert_same(found: Snapshot, expected: Snapshot) -> None:
    """Equal topics and state, nothing lost, nothing published twice."""
    assert found.problems == ()
    assert found.published_twice() == 0
    assert found.outcomes == expected.outcomes
    assert found.published == expected.published
    assert found.normalized == expected.normalized
    assert found.dead_letters == expected.dead_letters
    assert found.state == expected.state


def finish(cluster: Cluster, undisturbed: Undisturbed) -> None:
    cluster.wait_drained()
    cluster.stop_all()
    assert_same(take_snapshot(cluster.settings), undisturbed.snapshot)


def test_killed_at_random_moments(cluster: Cluster, undisturbed: Undisturbed) -> None:
    random = Random(5)
    cluster.load(undisturbed.load)
    for _ in range(KILLS):
        worker = cluster.pipeline()
        topic = random.choice([NORMALIZED_ASSETS, MARKET_INFRASTRUCTURE, RECORD_OUTCOMES])
        share = undisturbed.load.records // (KILLS * 3)
        cluster.wait_for_progress(topic.name, random.randrange(1, share))
        worker.process.kill()
    cluster.pipeline()
    finish(cluster, undisturbed)


def test_killed_at_random_moments_with_empty_state_each_time(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    random = Random(6)
    cluster.load(undisturbed.load)
    for _ in range(KILLS):
        worker = cluster.pipeline()
        share = undisturbed.load.records // (KILLS * 3)
        cluster.wait_for_progress(RECORD_OUTCOMES.name, random.randrange(1, share))
        worker.process.kill()
        cluster.forget_state()
    cluster.pipeline()
    finish(cluster, undisturbed)


def test_crash_between_every_pair_of_steps(cluster: Cluster, undisturbed: Undisturbed) -> None:
    cluster.load(undisturbed.load)
    for step, passage in STEPS.items():
        worker = cluster.pipeline(FAILPOINT=f"{step}:{passage}")
        cluster.wait_ended(worker)
    cluster.pipeline()
    finish(cluster, undisturbed)


def test_broker_restart_in_the_middle(cluster: Cluster, undisturbed: Undisturbed) -> None:
    cluster.load(undisturbed.load)
    worker = cluster.pipeline()
    cluster.wait_for_progress(RECORD_OUTCOMES.name, 1000)
    cluster.stack.kafka.kill()
    cluster.stack.kafka.start(READY_SECONDS)
    if worker.process.pid is None:
        cluster.pipeline()
    finish(cluster, undisturbed)


def test_stopped_worker_is_fenced_and_ends_when_it_wakes(
    cluster: Cluster, undisturbed: Undisturbed
) -> None:
    cluster.load(undisturbed.load)
    sleeper = cluster.pipeline("sleeper")
    cluster.wait_for_progress(RECORD_OUTCOMES.name, 1000)
    pid = sleeper.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    cluster.pipeline("successor")
    cluster.wait_drained()
    os.kill(pid, signal.SIGCONT)
    cluster.wait_ended(sleeper)
    finish(cluster, undisturbed)
