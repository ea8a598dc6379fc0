"""The compiled writer gives the bytes that fastavro gives."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given, settings

from streams.avro.contracts import contract, contract_names
from streams.avro.writer import compile_writer
from tests.avro.values import EPOCH, values


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
