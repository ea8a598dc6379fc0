"""A trace put together of what was read: order, redrives, versions, and what it says is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from streams.core.records import RawCoordinates
from streams.core.redrive import REDRIVEN_FROM
from streams.core.topic_record import TopicRecord
from streams.core.trace import Found, Stage, StoredRow, trace

START = datetime(2026, 5, 3, 10, tzinfo=UTC)
RAW = RawCoordinates("raw.alsi_lng", 2, 1234)
IDENTITY = "lng_inventory:alsi_lng_inventory:eu/2025-10-01"
COORDINATES = {"topic": RAW.topic, "partition": RAW.partition, "offset": RAW.offset}


def record(
    topic: str,
    seconds: float,
    value: dict[str, Any] | None,
    *,
    offset: int = 0,
    partition: int = 1,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> TopicRecord:
    time = START + timedelta(seconds=seconds)
    reason = "bad_framing: no id" if value is None else None
    subject = f"{topic}-value"
    return TopicRecord(
        topic, partition, offset, time, "k", headers, 5, subject, value or b"?", reason
    )


def raw(
    offset: int = RAW.offset, *, copy_of: RawCoordinates | None = None, readable: bool = True
) -> TopicRecord:
    value = {
        "source_id": "alsi_lng_inventory",
        "record_id": "eu/2025-10-01",
        "stream": "eu",
        "event": "observed",
        "fetched_at": START - timedelta(seconds=1),
        "source_updated_at": None,
        "release": None,
        "run_id": "run 7",
        "origin": "https://alsi.gie.eu/api",
        "licence": "free",
    }
    headers = ((REDRIVEN_FROM, copy_of.key.encode()),) if copy_of else ()
    return record(
        RAW.topic,
        offset - RAW.offset,
        value if readable else None,
        offset=offset,
        partition=2,
        headers=headers,
    )


def normalized(seconds: float, *, again: bool = False) -> TopicRecord:
    value = {
        "event": "upsert",
        "cause": None,
        "kind": "lng_inventory",
        "entity_id": "eu",
        "flags": ["inventory_jump"],
        "again": again,
        "lineage": COORDINATES,
    }
    return record("normalized.observations", seconds, value)


def outcome(
    seconds: float, said: str, *, version: int | None = None, again: bool = False
) -> TopicRecord:
    published = [] if version is None else [{"record_id": IDENTITY, "version": version}]
    value = {
        "raw": COORDINATES,
        "outcome": said,
        "output_kind": "lng_inventory",
        "stage": "observe",
        "generation": 1,
        "rule_id": "unknown_status" if said == "rejected" else None,
        "flags": [],
        "again": again,
        "canonical": published,
    }
    return record("record.outcomes", seconds, value)


def dead_letter(seconds: float) -> TopicRecord:
    names = ("field", "observed", "limit")
    value = {
        "raw": COORDINATES,
        "rule_id": "unknown_status",
        "message": "What to do.",
        "stage": "normalize",
        "code_version": "1",
        **dict.fromkeys(names),
    }
    return record("dead_letters", seconds, value)


def canonical(seconds: float, version: int) -> TopicRecord:
    member = {"source_id": "alsi_lng_inventory", "record_id": "eu/2025-10-01"}
    value = {
        "record_id": IDENTITY,
        "kind": "lng_inventory",
        "version": version,
        "status": "current",
        "replaced_by": None,
        "observed_at": START,
        "known_at": START,
        "members": [{**member, "lineage": COORDINATES}],
        "flags": [],
    }
    return record("market.infrastructure", seconds, value, offset=version)


def row(version: int, *, current: bool = True) -> StoredRow:
    return StoredRow("lng_inventory", IDENTITY, version, "current", current, START, START, 1, 88)


def test_a_record_goes_through_the_stages_in_order() -> None:
    found = trace(
        Found(
            [raw()],
            [normalized(2)],
            [outcome(2, "changed", version=9)],
            [],
            [canonical(2, 9)],
            [row(9)],
        )
    )
    (one,) = found.raw
    assert (one.source_id, one.record_id) == ("alsi_lng_inventory", "eu/2025-10-01")
    assert [step.stage for step in one.steps] == ["polled", "raw", "normalized", "outcome"]
    polled, published, first, last = one.steps
    assert (polled.time, polled.said) == (
        START - timedelta(seconds=1),
        "run run 7 from https://alsi.gie.eu/api",
    )
    assert published.place == "raw.alsi_lng/2/1234"
    assert published.said == "key k; schema 5 of raw.alsi_lng-value"
    assert "flags inventory_jump" in first.said
    assert last.said == (
        f"changed for lng_inventory, decided by observe; published {IDENTITY} version 9"
    )
    (asset,) = found.canonical
    assert (asset.record_id, asset.kind) == (IDENTITY, "lng_inventory")
    assert [step.stage for step in asset.steps] == ["canonical", "ClickHouse"]
    assert "alsi_lng_inventory:eu/2025-10-01 (raw.alsi_lng/2/1234)" in asset.steps[0].said
    assert "the newest; loaded from 1/88" in asset.steps[1].said
    assert found.notes == ()


def test_a_redrive_is_between_what_was_rejected_and_what_was_decided_again() -> None:
    """Its copy has the Kafka time of the original."""
    copy = raw(2000, copy_of=RAW)
    found = trace(
        Found(
            [raw(), copy],
            [normalized(60, again=True)],
            [outcome(2, "rejected"), outcome(61, "changed", version=9, again=True)],
            [dead_letter(2)],
            [canonical(61, 9)],
            [row(9)],
        )
    )
    (one,) = found.raw
    stages: list[Stage] = [step.stage for step in one.steps]
    assert stages == [
        "polled",
        "raw",
        "dead letter",
        "outcome",
        "redriven",
        "normalized",
        "outcome",
    ]
    assert one.steps[4].place == "raw.alsi_lng/2/2000"
    assert one.steps[4].time is None
    assert found.notes == ()


def test_an_unreadable_record_is_shown_with_the_reason() -> None:
    (one,) = trace(Found([raw(readable=False)], [], [outcome(2, "rejected")], [dead_letter(2)])).raw
    assert (one.source_id, one.record_id) == (None, None)
    assert [step.stage for step in one.steps] == ["raw", "dead letter", "outcome"]
    assert "bad_framing: no id" in one.steps[0].said


def test_raw_records_of_the_same_thing_do_not_mix() -> None:
    found = trace(Found([raw(1300), raw()], [normalized(2)], [outcome(2, "changed")]))
    assert [one.raw.offset for one in found.raw] == [1234, 1300]
    assert [len(one.steps) for one in found.raw] == [4, 2]


def test_what_is_missing_is_said() -> None:
    undecided = trace(Found([raw()]))
    assert "No outcome of raw.alsi_lng/2/1234" in undecided.notes[0]
    (is_open,) = trace(Found([raw()], [], [outcome(2, "rejected")], [dead_letter(2)])).notes
    assert "open" in is_open
    old = trace(Found([raw()], [], [outcome(2, "changed", version=9)], [], [canonical(2, 9)], []))
    assert old.notes == (
        "No normalized record of raw.alsi_lng/2/1234: they are kept for 30 days.",
        f"ClickHouse does not have version 9 of {IDENTITY} yet.",
    )
    decided = [outcome(2, "changed", version=8), outcome(3, "changed", version=9)]
    compacted = trace(Found([raw()], [normalized(2)], decided, [], [canonical(3, 9)], [row(9)]))
    assert [note.partition(" is not")[0] for note in compacted.notes] == [
        f"Version 8 of {IDENTITY}"
    ]
    foreign = record("record.outcomes", 5, None, offset=7)
    (note,) = trace(
        Found([raw()], [normalized(2)], decided[1:], [], [canonical(3, 9)], [row(9)], [foreign])
    ).notes
    assert note == (
        "record.outcomes/1/7 was written by somebody else and is left out: bad_framing: no id"
    )
    not_asked = trace(Found([raw()], [normalized(2)], decided[1:], [], [canonical(3, 9)], None))
    assert not_asked.notes == ()
