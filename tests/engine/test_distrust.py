"""When a local copy of the state is thrown away instead of used."""

import pytest

from streams.engine.restore import (
    MAX_CLOCK_DIFFERENCE_SECONDS,
    MAX_STATE_AGE_SECONDS,
    ChangelogPartition,
    distrust,
)
from streams.engine.store import Position

NOW = 1_800_000_000.0


def log(low: int = 0, high: int = 100) -> ChangelogPartition:
    return ChangelogPartition("changelog", "u", 2, low, high)


def stored(
    next_offset: int = 50,
    *,
    topic: str = "changelog",
    topic_uuid: str = "u",
    partition: int = 2,
    age_seconds: float = 0.0,
) -> Position:
    return Position(topic, topic_uuid, partition, next_offset, NOW - age_seconds)


def test_fresh_copy_inside_the_log_is_used() -> None:
    assert distrust(stored(), log(), NOW) is None


def test_copy_at_the_end_of_the_log_is_used() -> None:
    assert distrust(stored(next_offset=100), log(), NOW) is None


def test_no_copy_needs_no_distrust() -> None:
    assert distrust(None, log(), NOW) is None


def test_copy_of_a_worker_whose_clock_differs_a_little_is_used() -> None:
    assert distrust(stored(age_seconds=-MAX_CLOCK_DIFFERENCE_SECONDS / 2), log(), NOW) is None


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (stored(topic_uuid="other"), "recreated"),
        (stored(topic="another"), "a copy of another/2"),
        (stored(partition=3), "a copy of changelog/3"),
        (stored(next_offset=101), "outside the log"),
        (stored(age_seconds=MAX_STATE_AGE_SECONDS + 60), "older than"),
        (stored(age_seconds=-MAX_CLOCK_DIFFERENCE_SECONDS - 60), "a clock that was ahead"),
    ],
)
def test_copy_that_may_be_wrong_is_thrown_away(position: Position, why: str) -> None:
    assert why in (distrust(position, log(), NOW) or "")


def test_copy_before_the_start_of_the_log_is_thrown_away() -> None:
    assert "outside the log" in (distrust(stored(next_offset=5), log(low=10), NOW) or "")
