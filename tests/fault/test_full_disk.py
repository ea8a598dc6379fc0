"""A disk that fills up while everything runs: it is said, and the run goes on when there is room.

Part of `make soak`, on Linux as root: a disk of a test's own can be made nowhere else.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.settings import EXIT_FAILED
from tests.fault.runbook import Runbook
from tests.integration.commands.test_run import home_of_its_own

pytestmark = [
    pytest.mark.fault,
    pytest.mark.integration,
    pytest.mark.soak,
    pytest.mark.timeout(900),
]

_ROOM = "size=900m"
_ENLARGE = (
    "kubectl patch pvc/data-kafka-0 --patch "
    """'{"spec":{"resources":{"requests":{"storage":"200Gi"}}}}'"""
)
_START = "kubectl rollout restart statefulset/kafka statefulset/pipeline deployment/sink"
MOST_SECONDS = 40.0
"""Until all is stopped; a poll alone would wait a minute for the broker."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a run."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", _ROOM, "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{size}", disk], check=True)


def fill(disk: Path) -> None:
    resize(disk, f"size={shutil.disk_usage(disk).used // 1024 + 512}k")


if sys.platform == "linux" and os.geteuid() == 0:

    def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_when_there_is_room(
        disk: Path,
    ) -> None:
        home = home_of_its_own(disk / "data")
        environment = os.environ | home.variables
        environment |= {"DATA_DIR": str(home.data_dir), "COLUMNS": "300"}
        command = [sys.executable, "-m", "streams", "run"]
        for moment in ("Polled alsi_lng", "Everything runs."):
            with subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as run:
                assert run.stdout is not None
                shown = []
                for line in run.stdout:
                    shown.append(line)
                    if moment in line:
                        fill(disk)
                        filled_at = time.monotonic()
                assert run.wait(60) == EXIT_FAILED, shown
                assert time.monotonic() - filled_at < MOST_SECONDS, "also in the middle of a poll"
            said = "".join(shown)
            assert "Too little disk space" in said, said
            assert "DATA_DIR=<path>" in said
            assert "Traceback" not in said
            resize(disk, _ROOM)
        runbook = Runbook(home.data_dir / "clone", home.environment())
        fill(disk)

        def started_again() -> None:
            run = home.start()
            home.wait_for_line(run, "Every record is accounted for.")
            home.wait_for_line(run, "Everything runs.")

        try:
            runbook.follow(
                "Broker disk full",
                {_ENLARGE: lambda: resize(disk, _ROOM), _START: started_again},
            )
        finally:
            home.end()
