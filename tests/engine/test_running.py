"""A batch that hangs is named with its offsets, how long it takes, and why."""

import pytest

from streams.engine.running import RunningBatches
from streams.kafka.batch import Batch
from streams.kafka.topic_reader import Record

BATCH = Batch(
    "raw.alsi_lng", 3, [Record("raw.alsi_lng", 3, offset, 0, None, None, ()) for offset in (7, 9)]
)


def test_a_batch_is_stuck_when_it_takes_too_long_and_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("streams.engine.running.time.monotonic", lambda: now)
    batches = RunningBatches()
    assert batches.oldest_seconds() == 0
    with batches.running(BATCH) as running:
        assert batches.stuck() == {}
        now = 125.0
        assert batches.oldest_seconds() == 25
        assert batches.stuck() == {"raw.alsi_lng/3": "offsets 7 to 9 have been in work for 25 s"}
        running.trouble = "ClickHouse does not answer."
        assert batches.stuck()["raw.alsi_lng/3"].endswith("25 s: ClickHouse does not answer.")
    assert batches.stuck() == {}
    assert batches.oldest_seconds() == 0
