"""The process is killed while it inserts."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

BATCHES_PER_KILL = 8


@pytest.mark.fault
def test_killed_at_any_moment_the_tables_end_equal(tmp_path: Path, kills: int) -> None:
    """Killed with signal 9 while batches are loaded; each restart begins at the last batch that was
    confirmed, as the consumer's committed offset makes it.
    """
    batches = BATCHES_PER_KILL * kills
    undisturbed = _run(tmp_path / "undisturbed", 0, batches)[-1]
    moment = random.Random(3)
    confirmed = -1
    for _ in range(kills):
        lines = _run(
            tmp_path / "killed",
            confirmed + 1,
            batches,
            kill_after=moment.randrange(1, 4),
            delay=moment.uniform(0, 0.05),
        )
        confirmed = max(
            [confirmed, *(int(line.split()[1]) for line in lines if line[:6] == "loaded")]
        )
    assert confirmed < batches - 1
    # One batch more than needed: it was confirmed, its offset was not committed.
    assert _run(tmp_path / "killed", max(confirmed, 0), batches)[-1] == undisturbed


def _run(
    directory: Path, first: int, end: int, *, kill_after: int | None = None, delay: float = 0.0
) -> list[str]:
    """Lines the loading process printed until its end or until it was killed."""
    command = [sys.executable, "-m", "tests.sink.loading_process"]
    with subprocess.Popen(
        [*command, str(directory), str(first), str(end)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if kill_after is not None and len(lines) == kill_after:
                # Not a wait for anything: the kill shall hit another point of a batch each time.
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return lines
