"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 30.0


def wait_for(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not reached by the deadline"
        time.sleep(0.02)
