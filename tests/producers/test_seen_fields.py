"""The fields of an item by the names that its source uses."""

from typing import Any

import pytest

from producers.connectors import CONNECTORS
from producers.seen_fields import FieldCounts, contract_fields, field_reader, item_schema
from streams.avro.contracts import contract
from tests.avro.examples import examples, to_record

TEXT = ["null", "string"]
MAP = {"type": "map", "values": "string"}
INNER = {"type": "record", "name": "Inner", "fields": [{"name": "size", "type": TEXT}]}
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string"},
    {"name": "name", "type": TEXT},
    {"name": "extra", "type": MAP},
    {"name": "request", "type": MAP},
    {"name": "inner", "type": ["null", INNER]},
    {"name": "parts_of", "type": {"type": "array", "items": INNER}},
    {"name": "count", "type": ["null", "long"]},
]


def names(**item: Any) -> set[str]:
    return set(field_reader(FIELDS)({"id": "a", **item})) - {"id"}


def test_null_and_missing_are_no_field() -> None:
    assert names() == names(name=None, inner=None, extra={}) == set()


def test_what_the_contract_keeps_in_a_map_is_called_as_the_source_calls_it() -> None:
    assert names(name="x", extra={"owner_lei": "1", "x": "2"}, count=3) == {
        "name",
        "owner_lei",
        "x",
        "count",
    }


def test_a_value_that_became_an_object_is_another_field() -> None:
    assert names(name='{"en": "x"}', extra={"b": "[1]"}) == {"name (object)", "b (object)"}


def test_fields_inside_others_have_their_place_and_own_parameters_do_not_count() -> None:
    assert names(inner={"size": "1"}, request={"radius": "1"}) == {"inner.size"}


def test_items_are_counted_by_stream_and_field() -> None:
    counts = FieldCounts(FIELDS)
    parts = [{"size": "1"}, {"size": "2"}]
    for item in ({"name": "x"}, {"name": None}, {"name": "y", "parts_of": parts}):
        counts.add("one", {"id": "a", **item})
    counts.add("other", {"id": "a", "inner": {"size": "1"}})
    assert counts.items == {"one": 3, "other": 1}
    assert counts.of("one") == {"id": 3, "name": 2, "parts_of.size": 1}
    assert counts.of("other") == {"id": 1, "inner.size": 1}


def test_the_contract_names_every_field_that_it_has_a_place_for() -> None:
    assert set(contract_fields(FIELDS)) == {"id", "name", "inner.size", "parts_of.size", "count"}


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_example_of_a_raw_contract_has_its_fields(name: str) -> None:
    raw = contract(f"raw.{name}")
    fields = item_schema(raw.latest)
    expected = set(contract_fields(fields))
    items = [
        to_record(raw.latest, one.value, complete=True)["item"]
        for one in examples("valid")
        if one.contract == raw.name
    ]
    read = field_reader(fields)
    found = [set(read(item)) for item in items if item is not None]
    assert found
    assert all(found)
    beside = {
        key for item in items if item for key in (item.get("extra") or item.get("columns", ()))
    }
    for one in found:
        plain = {field.removesuffix(" (object)") for field in one}
        assert plain <= expected | beside
