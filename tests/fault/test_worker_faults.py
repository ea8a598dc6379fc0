"""The pipeline worker under faults; each test ends by comparing with an undisturbed run."""

import os
import signal
import time
from itertools import cycle
from random import Random

import pytest

from streams.engine.failpoints import Failpoint
from streams.topics import MARKET_INFRASTRUCTURE, NORMALIZED_ASSETS, RECORD_OUTCOMES
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.runbook import Runbook
from tests.fault.snapshot import Snapshot, take_snapshot

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]

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

FEW_STEPS: tuple[Failpoint, ...] = ("after_fence", "before_commit", "after_local_write")
"""Those that are tried when not in full size: before anything, before and after it counts."""


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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """In full size state is kept each time, and then lost each time; otherwise by turns."""
    if "kept" in metafunc.fixturenames:
        whole = {"kept state": [True], "empty state each time": [False]}
        by_turns = {"kept and empty state by turns": [True, False]}
        cases = whole if metafunc.config.getoption("--soak") else by_turns
        metafunc.parametrize("kept", cases.values(), ids=cases.keys())


def test_killed_at_random_moments(
    cluster: Cluster, undisturbed: Undisturbed, kills: int, kept: list[bool]
) -> None:
    random = Random(5)
    *parts, last = undisturbed.load.split(kills + 1)
    for part, is_kept in zip(parts, cycle(kept), strict=False):
        cluster.load(part)
        topic = random.choice([NORMALIZED_ASSETS, MARKET_INFRASTRUCTURE, RECORD_OUTCOMES])
        grown = cluster.growth(topic.name)
        worker = cluster.pipeline()
        cluster.wait_for_growth(grown, random.randrange(1, part.records // 2))
        worker.process.kill()
        if not is_kept:
            cluster.forget_state()
    cluster.load(last)
    cluster.pipeline()
    finish(cluster, undisturbed)


def test_crash_between_every_pair_of_steps(
    cluster: Cluster, undisturbed: Undisturbed, request: pytest.FixtureRequest
) -> None:
    steps = tuple(STEPS) if request.config.getoption("--soak") else FEW_STEPS
    *parts, last = undisturbed.load.split(len(steps) + 1)
    for part, step in zip(parts, steps, strict=True):
        cluster.load(part)
        worker = cluster.pipeline(FAILPOINT=f"{step}:{STEPS[step]}")
        cluster.wait_ended(worker)
    cluster.load(last)
    cluster.pipeline()
    finish(cluster, undisturbed)


@pytest.mark.soak
def test_a_stuck_worker_is_ended_and_its_batch_comes_again(
    cluster: Cluster, undisturbed: Undisturbed, runbook: Runbook
) -> None:
    hold = cluster.home / "hold"
    cluster.load(undisturbed.load)
    worker = cluster.pipeline(FAILPOINT=f"before_commit:2:hold={hold}")
    cluster.wait_for(hold.exists)
    cluster.wait_for(lambda: bool(cluster.stuck(worker)))

    def ended_and_started() -> None:
        worker.process.kill()
        cluster.pipeline()

    runbook.follow(
        "Worker stuck",
        {"kubectl delete pod/pipeline-0 --grace-period=0 --force": ended_and_started},
        before={"make audit": cluster.wait_drained},
    )
    finish(cluster, undisturbed)


@pytest.mark.soak
def test_broker_restart_in_the_middle(cluster: Cluster, undisturbed: Undisturbed) -> None:
    first, second = undisturbed.load.split(2)
    cluster.load(first)
    grown = cluster.growth(RECORD_OUTCOMES.name)
    worker = cluster.pipeline()
    cluster.wait_for_growth(grown, first.records // 4)
    cluster.load(second)
    cluster.stack.kafka.kill()
    cluster.stack.kafka.start(READY_SECONDS)
    if worker.process.pid is None:
        cluster.pipeline()
    finish(cluster, undisturbed)


def test_stopped_worker_is_fenced_and_ends_when_it_wakes(
    cluster: Cluster, undisturbed: Undisturbed, request: pytest.FixtureRequest
) -> None:
    asleep_seconds = 30.0 if request.config.getoption("--soak") else 0.0
    first, second = undisturbed.load.split(2)
    cluster.load(first)
    grown = cluster.growth(RECORD_OUTCOMES.name)
    sleeper = cluster.pipeline("sleeper")
    cluster.wait_for_growth(grown, first.records // 4)
    cluster.load(second)
    pid = sleeper.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    cluster.pipeline("successor")
    cluster.wait_drained()
    cluster.wait_for(lambda: time.monotonic() - stopped >= asleep_seconds)
    os.kill(pid, signal.SIGCONT)
    cluster.wait_ended(sleeper)
    finish(cluster, undisturbed)
