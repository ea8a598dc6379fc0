"""When a local copy of the state is thrown away instead of used."""

import time

import pytest

from streams.engine.restore import MAX_STATE_AGE_SECONDS, distrust
from streams.engine.store import Position


def stored(topic_uuid: str = "u", next_offset: int = 50, age_seconds: float = 0.0) -> Position:
    return Position(topic_uuid, next_offset, time.time() - age_seconds)


def test_fresh_copy_inside_the_log_is_used() -> None:
    assert distrust(stored(), "u", low=0, high=100) is None


def test_copy_at_the_end_of_the_log_is_used() -> None:
    assert distrust(stored(next_offset=100), "u", low=0, high=100) is None


def test_no_copy_needs_no_distrust() -> None:
    assert distrust(None, "u", low=0, high=100) is None


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (stored(topic_uuid="other"), "recreated"),
        (stored(next_offset=101), "outside the log"),
        (stored(age_seconds=MAX_STATE_AGE_SECONDS + 60), "older than"),
    ],
)
def test_copy_that_may_be_wrong_is_thrown_away(position: Position, why: str) -> None:
    assert why in (distrust(position, "u", low=0, high=100) or "")


def test_copy_before_the_start_of_the_log_is_thrown_away() -> None:
    assert "outside the log" in (distrust(stored(next_offset=5), "u", low=10, high=100) or "")
