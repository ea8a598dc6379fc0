"""The process is killed while it inserts."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.serve.client import free_port
from tests.serve.feed_copy import Copy, follow
from tests.sink.loading_process import BATCH_RECORDS

pytestmark = pytest.mark.integration

BATCHES_PER_KILL = 8
CATCH_UP_SECONDS = 30.0


@pytest.mark.fault
def test_killed_at_any_moment_the_tables_end_equal(
    tmp_path: Path, kills: int, request: pytest.FixtureRequest
) -> None:
    """Killed with signal 9 while batches are loaded; each restart begins at the last batch that was
    confirmed, as the consumer's committed offset makes it. A client that follows the feed of
    changes meanwhile has every version once.
    """
    if not request.config.getoption("--soak"):
        kills = 1  # killed more often in `tests/fault`, without a client
    port = free_port()
    batches = BATCHES_PER_KILL * kills
    undisturbed = _run(tmp_path / "undisturbed", 0, batches)[-1]
    moment = random.Random(3)
    confirmed = -1
    follower = Follower(port)
    follower.start()
    for _ in range(kills):
        lines = _run(
            tmp_path / "killed",
            confirmed + 1,
            batches,
            kill_after=moment.randrange(1, 4),
            delay=moment.uniform(0, 0.05),
            port=port,
        )
        confirmed = max(
            [confirmed, *(int(line.split()[1]) for line in lines if line[:6] == "loaded")]
        )
    assert confirmed < batches - 1
    # One batch more than needed: it was confirmed, its offset was not committed.
    versions = batches * BATCH_RECORDS
    last = _run(
        tmp_path / "killed",
        max(confirmed, 0),
        batches,
        port=port,
        until=lambda: follower.has(versions),
    )
    assert last[-1] == undisturbed
    follower.stop()
    assert follower.copy.seen == versions


class Follower(threading.Thread):
    """Keeps a copy by the feed of changes of whichever process serves it."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.copy = Copy()
        self._url = f"http://127.0.0.1:{port}"
        self._more = threading.Condition()
        self._stopped = False

    def run(self) -> None:
        """Connect again and again, each time from where the copy is."""
        with httpx.Client(base_url=self._url, trust_env=False, timeout=5) as client:
            while not self._stopped:
                # Killed, or not started yet.
                with suppress(httpx.TransportError):
                    follow(client, self.copy, most=100)
                with self._more:
                    self._more.notify_all()
                    self._more.wait(0.05)

    def has(self, versions: int) -> bool:
        """Whether it has seen so many, by a deadline."""
        with self._more:
            return self._more.wait_for(lambda: self.copy.seen >= versions, CATCH_UP_SECONDS)

    def stop(self) -> None:
        """End."""
        self._stopped = True
        self.join(CATCH_UP_SECONDS)


def _run(
    directory: Path,
    first: int,
    end: int,
    *,
    kill_after: int | None = None,
    delay: float = 0.0,
    port: int | None = None,
    until: Callable[[], bool] = lambda: True,
) -> list[str]:
    """Lines the loading process printed until its end or until it was killed.

    One that serves the API ends when something holds.
    """
    command = [sys.executable, "-m", "tests.sink.loading_process"]
    arguments = [str(directory), str(first), str(end), *([str(port)] if port else [])]
    with subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if kill_after is not None and len(lines) == kill_after:
                # Not a wait for anything: the kill shall hit another point of a batch each time.
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
            if line.startswith("content"):
                assert until()
                process.stdin.close()
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return lines
