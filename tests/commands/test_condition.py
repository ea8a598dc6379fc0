"""What `--where` understands, what it refuses, and what a missing field means."""

from datetime import UTC, datetime

import pytest

from streams.commands.condition import Condition, ConditionError
from streams.core.topic_record import TopicRecord

VALUE = {
    "kind": "power_plant",
    "flags": ["start_year_conflict"],
    "observed_at": datetime(2026, 5, 3, 10, tzinfo=UTC),
    "power_plant": {"name": "One", "capacity_mw": 1734.0, "owner": None},
    "lng_terminal": None,
    "members": [{"source_id": "wri_powerplants"}, {"source_id": "gem_transmission"}],
    "key": "of the value",
}


def record(value: object = VALUE) -> TopicRecord:
    time = datetime(2026, 5, 3, tzinfo=UTC)
    return TopicRecord("t", 2, 7, time, "of the record", (), 5, "t-value", value, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "power_plant.capacity_mw > 1000",
        "kind == 'power_plant' and not lng_terminal",
        "'start_year_conflict' in flags",
        "power_plant.name in ['One', 'Two']",
        "observed_at >= '2026-05-03' and observed_at < '2026-05-04'",
        "len(members) == 2",
        "any([member.source_id == 'gem_transmission' for member in members])",
        "key == 'of the value' and partition == 2 and offset == 7 and schema_id == 5",
        "subject.startswith('t-') and timestamp.startswith('2026-05-03T00')",
        "power_plant['name'] == 'One'",
    ],
)
def test_it_holds(text: str) -> None:
    assert Condition(text).holds(record())


@pytest.mark.parametrize(
    "text",
    [
        "power_plant.capacity_mw > 2000",
        "lng_terminal.capacity_mtpa > 0",
        "power_plant.owner > 'A'",
        "power_plant.nothing == 1",
        "nothing == 1",
        "members[5].source_id == 'x'",
        "kind > 5",
    ],
)
def test_what_is_missing_null_or_of_another_type_does_not_hold(text: str) -> None:
    assert not Condition(text).holds(record())


@pytest.mark.parametrize("value", [None, b"\x00\x01"])
def test_a_record_without_fields_has_those_of_the_record(value: bytes | None) -> None:
    assert not Condition("kind == 'power_plant'").holds(record(value))
    assert Condition("key == 'of the record'").holds(record(value))


@pytest.mark.parametrize("text", ["", "a b", "a = 1", "a; b", "import os", "lambda: 1"])
def test_what_is_no_expression_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConditionError, match="Write it like"):
        Condition(text).holds(record())


@pytest.mark.parametrize(
    "text",
    [
        "open('/etc/passwd')",
        "__import__('os')",
        "kind.__class__",
        "(lambda: 1)()",
        "9 ** 9 ** 9",
        "'x' * 10000000",
        "kind.format(1)",
    ],
)
def test_it_reaches_nothing_but_the_record(text: str) -> None:
    with pytest.raises(ConditionError):
        Condition(text).holds(record())


def test_a_field_that_no_record_has_is_named() -> None:
    condition = Condition("capacty_mw > 1")
    assert not condition.holds(record())
    with pytest.raises(ConditionError, match="capacty_mw"):
        condition.check_that_names_exist()


def test_a_condition_that_holds_of_no_record_is_fine() -> None:
    condition = Condition("power_plant.owner > 'A'")
    condition.holds(record())
    condition.check_that_names_exist()
    Condition("nothing == 1").check_that_names_exist()
