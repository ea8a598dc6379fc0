"""How canonical records differ: in words that a dry run and a rebuild share."""

from typing import cast

from streams.core import contract_types as avro
from streams.core.differences import EXAMPLES, ChangedField, Differences, is_news
from tests.sink.records import plant, plant_with

CAPACITY = ChangedField("power_plant", "capacity_mw")


def record(
    number: int, *, version: int = 1, status: str = "current", **payload: object
) -> avro.InfrastructureRecord:
    found = plant_with(number, version=version, status=status, **payload)
    return cast(avro.InfrastructureRecord, found)


def with_members(
    number: int, *record_ids: str, status: str = "current"
) -> avro.InfrastructureRecord:
    found = record(number, status=status)
    (member,) = found["members"]
    members: list[avro.Member] = [{**member, "record_id": name} for name in record_ids]
    return {**found, "members": members}


def test_another_version_and_time_alone_are_no_difference() -> None:
    found = Differences()
    later = cast(avro.InfrastructureRecord, plant(1, version=9, known_at=record(1)["observed_at"]))
    found.add(record(1), later)
    assert found.count == 0
    assert found.unchanged == {"power_plant": 1}


def test_a_changed_field_is_counted_with_its_first_examples() -> None:
    found = Differences()
    for number in range(EXAMPLES + 2):
        found.add(record(number, capacity_mw=100.0), record(number, version=2, capacity_mw=None))
    assert found.changed == {"power_plant": EXAMPLES + 2}
    assert found.fields == {CAPACITY: EXAMPLES + 2}
    examples = found.examples[CAPACITY]
    assert [(one.record_id, one.before, one.after) for one in examples] == [
        (f"plant-{number}", 100.0, None) for number in range(EXAMPLES)
    ]


def test_what_becomes_current_is_added_and_what_no_longer_is_gone() -> None:
    found = Differences()
    found.add(None, record(1))
    found.add(record(2, status="withdrawn"), record(2, version=2))
    found.add(record(3), record(3, version=2, status="withdrawn"))
    found.add(record(4), None)
    found.add(record(5, status="withdrawn"), None)
    assert (found.added, found.gone) == ({"power_plant": 2}, {"power_plant": 2})
    assert found.count == 4


def test_a_source_record_in_another_asset_has_moved() -> None:
    found = Differences()
    found.add(with_members(1, "a", "b"), with_members(1, "a"))
    found.add(with_members(2, "c"), with_members(2, "b", "c"))
    found.add(with_members(3, "d"), None)
    assert found.moved == 1
    assert found.fields[ChangedField("power_plant", "members")] == 2


def test_readers_are_told_what_differs_and_nothing_they_have() -> None:
    current, withdrawn = record(1), record(1, version=9, status="withdrawn")
    assert not is_news(current, record(1, version=9))
    assert is_news(current, record(1, version=9, capacity_mw=250.5))
    assert is_news(current, withdrawn)
    assert is_news(withdrawn, record(1, version=10))
    assert not is_news(withdrawn, record(1, version=10, status="withdrawn"))
    assert is_news(None, current)
    assert not is_news(None, withdrawn)
