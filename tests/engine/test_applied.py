"""What is applied is compared with the input log, which may have lost its end or its beginning."""

from dataclasses import replace

import pytest
from faust.types import TP

from streams.avro.topic_codecs import applied_codec
from streams.core.errors import StateError
from streams.engine.applied import (
    NOTHING_APPLIED,
    Applied,
    InputLog,
    OffsetRange,
    checked,
    require_same_record,
    with_deleted,
)
from tests.stages.chain import OfflineRegistry

HERE = TP("raw.wri_powerplants", 2)
ENTRY = Applied(HERE.topic, "u", 2, 99, 17, 1)


def log(low: int = 0, high: int = 100, topic_uuid: str = "u") -> InputLog:
    return InputLog(topic_uuid, low, high)


def test_state_that_agrees_with_its_log_is_used() -> None:
    assert checked(HERE, ENTRY, log(), 100, 1) == ENTRY
    assert checked(HERE, ENTRY, log(high=500), 40, 1) == ENTRY


def test_new_group_begins_with_nothing_applied() -> None:
    assert checked(HERE, None, log(high=0), None, 4) == Applied(HERE.topic, "u", 2, -1, None, 4)


@pytest.mark.parametrize(
    ("entry", "found", "committed", "why"),
    [
        (None, log(), 5, "state is lost"),
        (ENTRY, log(high=99), 100, "the input log ends at offset 99, but 99 was read already"),
        (ENTRY, log(high=0), None, "the input log ends at offset 0"),
        (ENTRY, log(topic_uuid="other"), 100, "the input topic was recreated"),
        (ENTRY, log(high=200), 101, "the changelog lost its end"),
        (replace(ENTRY, partition=3), log(), 100, "its changelog is one of raw.wri_powerplants/3"),
        (replace(ENTRY, topic="raw.other"), log(), 100, "its changelog is one of raw.other/2"),
    ],
)
def test_contradiction_stops_the_worker_and_names_the_command(
    entry: Applied | None, found: InputLog, committed: int | None, why: str
) -> None:
    with pytest.raises(StateError, match=why) as refused:
        checked(HERE, entry, found, committed, 1)
    assert "`make rebuild`" in str(refused.value)


def test_log_that_lost_its_end_and_has_grown_again_is_refused() -> None:
    require_same_record(HERE, ENTRY, 17)
    with pytest.raises(StateError, match=r"not the one that was read.*make rebuild"):
        require_same_record(HERE, ENTRY, 18)


def test_record_that_is_gone_or_was_never_known_says_nothing() -> None:
    require_same_record(HERE, ENTRY, None)
    require_same_record(HERE, replace(ENTRY, record_crc=None), 18)


def test_unread_records_that_retention_deleted_are_remembered_once() -> None:
    found = checked(HERE, ENTRY, log(low=150, high=200), 100, 1)
    assert found.deleted_unread == (OffsetRange(100, 150),)
    again = checked(HERE, found, log(low=150, high=200), 100, 1)
    assert again == found
    later = checked(HERE, replace(found, offset=170), log(low=180, high=200), 171, 1)
    assert later.deleted_unread == (OffsetRange(100, 150), OffsetRange(171, 180))


def test_read_records_that_retention_deletes_are_no_loss() -> None:
    assert checked(HERE, ENTRY, log(low=100, high=100), 100, 1).deleted_unread == ()


def test_beginning_that_was_deleted_before_the_first_start_is_remembered() -> None:
    found = checked(HERE, None, log(low=30, high=40), None, 1)
    assert found.offset == NOTHING_APPLIED
    assert found.deleted_unread == (OffsetRange(0, 30),)


def test_deleted_while_batches_are_queued_counts_only_what_was_not_fetched() -> None:
    found = with_deleted(replace(ENTRY, offset=120), OffsetRange(150, 160))
    assert found.deleted_unread == (OffsetRange(150, 160),)


def test_entry_survives_its_contract() -> None:
    codec = applied_codec(OfflineRegistry())
    entry = replace(ENTRY, deleted_unread=(OffsetRange(0, 5), OffsetRange(7, 9)))
    framed = codec.encoder.encode(entry.to_avro())
    assert Applied.from_avro(codec.decoder.decode(framed)) == entry
