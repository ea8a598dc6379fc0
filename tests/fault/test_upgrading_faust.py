"""A worker with the base of Faust before works beside one with today's, and is replaced by it.

The base is mode-streaming: Faust 0.13, the release before, ends in a rebalance with an error of its
own tracing. Part of `make soak`: the package index is asked for the version before.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.topics import RECORD_OUTCOMES
from tests.fault.cluster import Cluster
from tests.fault.conftest import Undisturbed
from tests.fault.runbook import Runbook
from tests.fault.test_worker_faults import finish

pytestmark = [
    pytest.mark.fault,
    pytest.mark.integration,
    pytest.mark.soak,
    pytest.mark.timeout(900),
]

BEFORE = "0.7.0"


@pytest.fixture
def mode_before(tmp_path: Path) -> Path:
    """A folder with the version before, to be looked into first."""
    folder = tmp_path / "mode-before"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, f"mode-streaming=={BEFORE}"], check=True, timeout=300)
    used = [sys.executable, "-c", "import mode; print(mode.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    printed = subprocess.run(used, env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.startswith(str(folder))
    return folder


def test_a_worker_of_the_faust_before_and_one_of_today_work_together(
    cluster: Cluster, undisturbed: Undisturbed, runbook: Runbook, mode_before: Path
) -> None:
    first, second, third = undisturbed.load.split(3)
    cluster.load(first)
    grown = cluster.growth(RECORD_OUTCOMES.name)
    before = cluster.pipeline("before", PYTHONPATH=str(mode_before))
    cluster.wait_for_growth(grown, first.records // 4)

    def replaced_one_after_the_other() -> None:
        cluster.load(second)
        today = cluster.pipeline("today")
        cluster.wait_for(lambda: cluster.assigned(before) > 0 and cluster.assigned(today) > 0)
        cluster.wait_drained()
        before.process.stop(15)
        cluster.load(third)

    runbook.follow(
        "Upgrading Faust",
        {"kubectl rollout restart statefulset/pipeline": replaced_one_after_the_other},
        before={"make audit": cluster.wait_drained},
    )
    finish(cluster, undisturbed)
