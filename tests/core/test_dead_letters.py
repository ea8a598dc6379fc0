"""Which dead letters are open, chosen and redriven."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from streams.core import contract_types as avro
from streams.core.audit import AuditCounts
from streams.core.dead_letters import Choice, Group, dead_letters, groups
from streams.core.errors import Rejected
from streams.core.records import Outcome, RawCoordinates
from streams.core.redrive import REDRIVEN_FROM, original_of, without_redrive_header

DAY = datetime(2026, 5, 3, 12, tzinfo=UTC)
TOPIC = "raw.wri_powerplants"


def at(offset: int) -> RawCoordinates:
    return RawCoordinates(TOPIC, 1, offset)


def dead(offset: int, rule_id: str = "bad_avro", **changes: Any) -> avro.DeadLetter:
    known = {
        "raw": at(offset).to_avro(),
        "source_id": "wri_powerplants",
        "record_id": None,
        "key": b"k",
        "value": b"v",
        "headers": [{"name": "run", "value": b"1"}],
        "cuts": [],
        "record_time": DAY,
        "stage": "normalize",
        "rule_id": rule_id,
        "message": "Broken.",
    }
    return cast(avro.DeadLetter, known | changes)


def test_the_newest_rejection_of_a_record_is_its_dead_letter() -> None:
    (dead_letter,) = dead_letters([dead(1), dead(1, "missing_name")], {})
    assert (dead_letter.rule_id, dead_letter.attempts, dead_letter.resolved) == (
        "missing_name",
        2,
        False,
    )
    assert dead_letter.content.headers == (("run", b"1"),)


@pytest.mark.parametrize(
    ("outcomes", "resolved"),
    [
        ({"unknown": "rejected"}, False),
        ({"unknown": "rejected", "power_plant": "changed"}, True),
        ({"power_plant": "superseded"}, True),
        ({"unknown": "rejected", "power_plant": "rejected"}, False),
    ],
)
def test_an_accepted_record_is_resolved(outcomes: dict[str, Outcome], resolved: bool) -> None:
    (dead_letter,) = dead_letters([dead(1)], {at(1): outcomes})
    assert dead_letter.resolved is resolved


@pytest.mark.parametrize(
    ("choice", "offsets"),
    [
        (Choice(), [1, 2]),
        (Choice(resolved=True), [1, 2, 3]),
        (Choice(rule="missing_name"), [2]),
        (Choice(source="reexplorer"), []),
        (Choice(since=DAY), [1, 2]),
        (Choice(since=DAY + timedelta(seconds=1)), [2]),
        (Choice(until=DAY + timedelta(hours=1)), [1]),
    ],
)
def test_dead_letters_are_chosen(choice: Choice, offsets: list[int]) -> None:
    later = dead(2, "missing_name", record_time=DAY + timedelta(hours=1))
    found = dead_letters([dead(3), later, dead(1)], {at(3): {"power_plant": "changed"}})
    assert [one.raw.offset for one in found if choice.has(one)] == offsets


def test_dead_letters_are_grouped_by_rule_and_day() -> None:
    found = dead_letters([dead(1), dead(2), dead(3, record_time=DAY + timedelta(days=1))], {})
    first = Group("wri_powerplants", "normalize", "bad_avro", DAY.date(), False)
    assert [(group.day.day, count) for group, count in groups(found)] == [(3, 2), (4, 1)]
    assert groups(found)[0] == (first, 2)


def test_a_copy_names_an_earlier_record_of_its_partition() -> None:
    header = (REDRIVEN_FROM, at(7).key.encode())
    assert original_of(at(9), [("run", b"1"), header]) == at(7)
    assert original_of(at(9), []) is None
    assert without_redrive_header([("run", b"1"), header]) == [("run", b"1")]


@pytest.mark.parametrize(
    "text",
    [
        b"raw.wri_powerplants:2:7",
        b"raw.alsi_lng:1:7",
        b"raw.wri_powerplants:1:x",
        b"raw.wri_powerplants:1:9",
        b"raw.wri_powerplants:1:" + b"9" * 5000,
        b"\xff",
        None,
    ],
)
def test_a_header_that_names_no_such_record_is_a_rejection(text: bytes | None) -> None:
    found = original_of(at(9), [(REDRIVEN_FROM, text)])
    assert isinstance(found, Rejected)
    assert found.rule_id == "bad_redrive"


def audit_counts(*outcomes: tuple[str, Outcome, bool]) -> AuditCounts:
    found = AuditCounts({at(1): "wri_powerplants"})
    for kind, outcome, again in outcomes:
        found.add_outcome(at(1), kind, outcome, again=again)
    found.dead_letters.add(at(1))
    return found


@pytest.mark.parametrize("kind", ["power_plant", "unknown"])
def test_a_rejection_gives_way_to_what_follows_it(kind: str) -> None:
    audit = audit_counts((kind, "rejected", False), ("power_plant", "changed", True)).close(
        {TOPIC: "wri_powerplants"}
    )
    assert audit.problems == ()
    assert audit.sources[0].outcomes == {"changed": 1}
    assert audit.sources[0].dead_letters == 1
    assert audit.decided_kinds == (2 if kind == "unknown" else 1)


def test_what_was_accepted_stays_as_it_was_counted() -> None:
    found = AuditCounts({at(1): "wri_powerplants"})
    found.add_outcome(at(1), "power_plant", "unchanged")
    found.add_outcome(at(1), "power_plant", "changed", again=True)
    audit = found.close({TOPIC: "wri_powerplants"})
    assert audit.problems == ()
    assert audit.sources[0].outcomes == {"unchanged": 1}


def test_a_second_outcome_that_is_no_repetition_is_still_named() -> None:
    found = audit_counts(("power_plant", "rejected", False), ("power_plant", "changed", False))
    (problem,) = found.close({TOPIC: "wri_powerplants"}).problems
    assert "several outcomes" in problem
