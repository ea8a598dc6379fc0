"""After a rebuild: what only the generation before had current ends, below the new versions."""

from datetime import date
from typing import cast

from streams.core import contract_types as avro
from streams.core.left_behind import LeftBehind
from streams.core.versions import first_version, generation_of, next_version
from tests.sink.records import gas_day, plant_with

OLD, NEW = first_version(1, 3) + 7, first_version(2, 0)


def record(
    number: int, version: int, *members: str, status: str = "current"
) -> avro.InfrastructureRecord:
    found = cast(avro.InfrastructureRecord, plant_with(number, version=version, status=status))
    (member,) = found["members"]
    return {**found, "members": [{**member, "record_id": name} for name in members]}


def last_versions(*records: avro.InfrastructureRecord) -> list[avro.InfrastructureRecord]:
    found = LeftBehind()
    for one in records:
        if generation_of(one["version"]) == 1:
            found.leave(one)
        else:
            found.keep(one)
    return list(found.ended())


def ended(*records: avro.InfrastructureRecord) -> dict[str, tuple[str, str | None]]:
    found = last_versions(*records)
    return {one["record_id"]: (one["status"], one.get("replaced_by")) for one in found}


def test_what_the_new_generation_has_stays() -> None:
    assert ended(record(1, NEW, "a"), record(2, OLD, "b", status="withdrawn")) == {}


def test_a_record_of_which_no_member_is_anywhere_now_is_withdrawn() -> None:
    assert ended(record(1, OLD, "a"), record(2, NEW, "b")) == {"plant-1": ("withdrawn", None)}


def test_an_asset_whose_members_are_in_one_other_is_merged_into_it() -> None:
    assert ended(record(1, OLD, "a", "gone"), record(2, NEW, "a", "b")) == {
        "plant-1": ("merged", "plant-2")
    }


def test_an_asset_whose_members_are_in_several_is_withdrawn() -> None:
    found = ended(record(1, OLD, "a", "b"), record(2, NEW, "a"), record(3, NEW, "b"))
    assert found == {"plant-1": ("withdrawn", None)}


def test_a_gas_day_is_withdrawn() -> None:
    day = cast(avro.InfrastructureRecord, gas_day(date(2026, 1, 1), version=OLD))
    assert [status for status, _ in ended(day).values()] == ["withdrawn"]


def test_its_version_is_above_its_last_and_below_any_of_the_new_generation() -> None:
    (last,) = last_versions(record(1, OLD, "a"))
    assert OLD < last["version"] < next_version(last["version"], 2, 0)
    assert generation_of(last["version"]) == 1
    assert generation_of(next_version(last["version"], 2, 0)) == 2
    assert last_versions(last) == []
