"""The log that was read is compared with the one that is there; outcomes count there only."""

from dataclasses import replace

import pytest

from streams.core.audit import Audit, AuditCounts
from streams.core.inputs import InputPartition
from streams.core.records import RawCoordinates

TOPIC = "raw.wri_powerplants"
TOPICS = {TOPIC: "wri_powerplants"}
READ = InputPartition(TOPIC, 0, "id-2", 0, 10, "id-2", 9, True, 1)


def at(offset: int) -> RawCoordinates:
    return RawCoordinates(TOPIC, 0, offset)


def audit(log: InputPartition, raw: range, decided: range, generation: int = 1) -> Audit:
    counts = AuditCounts({at(offset): "wri_powerplants" for offset in raw})
    for offset in decided:
        counts.add_outcome(at(offset), "power_plant", "changed", generation)
    return counts.close(TOPICS, [log])


def test_log_that_was_read_closes() -> None:
    assert audit(READ, range(10), range(10)).problems == ()


def test_recreated_topic_does_not_hide_behind_outcomes_of_the_earlier_one() -> None:
    recreated = replace(READ, read_topic_id="id-1")
    found = audit(recreated, range(10), range(10))
    said, unread = found.problems
    assert "was recreated since it was read (topic id id-2, read was id-1)" in said
    assert unread.startswith("10 raw records without an outcome")
    assert found.sources[0].outcomes == {}


def test_log_that_was_never_read_does_not_hide_behind_outcomes_of_an_earlier_one() -> None:
    (unread,) = audit(InputPartition(TOPIC, 0, "id-2", 0, 10), range(10), range(10)).problems
    assert unread.startswith("10 raw records without an outcome")


def test_outcomes_before_a_rebuild_do_not_stand_for_those_after_it() -> None:
    rebuilt = replace(READ, generation=2)
    (unread,) = audit(rebuilt, range(10), range(10), generation=1).problems
    assert unread.startswith("10 raw records without an outcome")
    assert audit(rebuilt, range(10), range(10), generation=2).problems == ()


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (replace(READ, read_offset=14), "ends at offset 10, but 14 was read: the log lost its end"),
        (replace(READ, is_same_record=False), "has another record at offset 9"),
    ],
)
def test_log_that_lost_its_end_is_named_and_its_outcomes_do_not_count(
    log: InputPartition, said: str
) -> None:
    first, unread = audit(log, range(10), range(15)).problems
    assert said in first
    assert unread.startswith("10 raw records without an outcome")


def test_read_records_that_retention_deleted_are_no_problem() -> None:
    assert audit(replace(READ, low=6), range(6, 10), range(10)).problems == ()


def test_unread_records_that_retention_deleted_are_counted_and_named() -> None:
    log = replace(READ, low=8, deleted_unread=((3, 5),), read_offset=4, high=10)
    found = audit(log, range(8, 10), range(3)).problems
    assert found[:2] == (
        f"2 records of {TOPIC}/0 deleted by retention before anybody read them: offsets 3 to 4",
        f"3 records of {TOPIC}/0 deleted by retention before anybody read them: offsets 5 to 7",
    )
