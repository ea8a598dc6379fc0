"""The compiled writer gives the bytes that fastavro gives."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.avro_writer import compile_writer
from streams.contracts import contract, contract_names

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLIS = st.integers(-(10**13), 10**13).map(lambda millis: EPOCH + timedelta(milliseconds=millis))
SCALARS: dict[tuple[str, str | None], st.SearchStrategy[Any]] = {
    ("null", None): st.none(),
    ("string", None): TEXTS,
    ("bytes", None): st.binary(max_size=40),
    ("boolean", None): st.booleans(),
    ("int", None): st.integers(-(2**31), 2**31 - 1),
    ("long", None): st.integers(-(2**63), 2**63 - 1),
    ("double", None): st.floats(allow_nan=False),
    ("int", "date"): st.dates(date(1700, 1, 1), date(2400, 1, 1)),
    ("long", "timestamp-millis"): MILLIS,
}


def values(schema: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Values that fit a parsed schema."""
    if isinstance(schema, list):
        return st.one_of([values(branch, named) for branch in schema])
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in named:
        return named[kind]
    if kind == "record":
        fields = {field["name"]: values(field["type"], named) for field in schema["fields"]}
        named[schema["name"]] = st.fixed_dictionaries(fields)
        return named[schema["name"]]
    if kind == "array":
        return st.lists(values(schema["items"], named), max_size=3)
    if kind == "map":
        return st.dictionaries(TEXTS, values(schema["values"], named), max_size=3)
    logical = None if isinstance(schema, str) else schema.get("logicalType")
    return SCALARS[(kind, logical)]


def by_fastavro(schema: Any, record: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, schema, record)
    return out.getvalue()


@pytest.mark.parametrize("name", contract_names())
def test_every_contract_is_written_as_fastavro_writes_it(name: str) -> None:
    schema = contract(name).parsed()
    encode = compile_writer(schema)

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(values(schema, {}))
    def same_bytes(record: Any) -> None:
        assert encode(record) == by_fastavro(schema, record)

    same_bytes()


def test_texts_longer_than_the_table_of_lengths_are_written_whole() -> None:
    schema = contract("raw.wri_powerplants").parsed()
    record = {
        "source_id": "é" * 5000,
        "stream": "",
        "record_id": "x" * 4096,
        "fetched_at": datetime(2024, 3, 31, tzinfo=UTC),
        "release": "y" * 4096,
        "run_id": "z" * 4095,
        "origin": "",
        "licence": "",
        "attribution": "",
    }
    assert compile_writer(schema)(record) == by_fastavro(schema, record)


def parsed(*fields: dict[str, Any]) -> Any:
    return parse_schema({"type": "record", "name": "Toy", "fields": list(fields)}, named_schemas={})


def test_missing_keys_become_the_defaults_of_their_fields() -> None:
    schema = parsed(
        {"name": "event", "type": "string", "default": "observed"},
        {"name": "flags", "type": {"type": "array", "items": "string"}, "default": []},
        {"name": "release", "type": ["null", "string"], "default": None},
    )
    assert compile_writer(schema)({}) == by_fastavro(schema, {})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 1),
        ("string", None),
        (["null", "string"], 1),
        ("double", "1"),
        ("double", None),
        ("int", True),
        ("int", "1"),
        ("boolean", 1),
        ({"type": "long", "logicalType": "timestamp-millis"}, EPOCH.replace(tzinfo=None)),
        ({"type": "int", "logicalType": "date"}, "2024-01-01"),
        (["null", "string", "double"], b"bytes"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: Any, value: object) -> None:
    encode = compile_writer(parsed({"name": "field", "type": kind}))
    with pytest.raises(ValueError, match="does not fit Toy"):
        encode({"field": value})
