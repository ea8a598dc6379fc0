"""Whether what a checkpoint says was published is still in the raw topic."""

import pytest

from producers.raw_log import RawLog, known_part, lost_since

BEFORE = RawLog("a", (3, 0, 5))


@pytest.mark.parametrize("now", [BEFORE, RawLog("a", (4, 0, 9)), RawLog("a", (3, 0, 5, 0))])
def test_a_log_that_has_grown_has_lost_nothing(now: RawLog) -> None:
    assert lost_since("raw.x", BEFORE, now) is None


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (BEFORE, RawLog("b", (9, 9, 9)), "raw.x was recreated"),
        (BEFORE, RawLog("a", (9, 9, 4)), "raw.x lost its end"),
        (RawLog(None, ()), RawLog("b", (0, 0, 0)), "raw.x is empty"),
    ],
)
def test_a_log_without_what_was_published_is_named(before: RawLog, now: RawLog, said: str) -> None:
    assert said in (lost_since("raw.x", before, now) or "")


def test_a_checkpoint_of_an_earlier_version_is_taken_for_one_of_the_topic() -> None:
    assert lost_since("raw.x", RawLog(None, ()), RawLog("b", (0, 1, 0))) is None


@pytest.mark.parametrize(
    ("before", "now", "known"),
    [
        (BEFORE, RawLog("a", (4, 0, 9)), (3, 0, 5)),
        (None, RawLog("a", (4, 0, 9)), (0, 0, 0)),
        (BEFORE, RawLog("b", (4, 0, 9)), (0, 0, 0)),
        (BEFORE, RawLog("a", (4, 0, 4)), (0, 0, 0)),
        (RawLog(None, ()), RawLog("b", (4, 0, 9)), (4, 0, 9)),
    ],
    ids=["grown", "first_run", "recreated", "lost_end", "earlier_version"],
)
def test_what_finished_runs_know_of_a_log(
    before: RawLog | None, now: RawLog, known: tuple[int, ...]
) -> None:
    assert known_part("raw.x", before, now).ends == known
