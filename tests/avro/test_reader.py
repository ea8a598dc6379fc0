"""The compiled reader gives the values that fastavro gives, and one error for any other bytes."""

import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.avro.contracts import contract, contract_names
from streams.avro.reader import AvroError, compile_reader
from streams.avro.writer import compile_writer
from tests.avro.values import values

BOUNDED = settings(max_examples=60, deadline=None, derandomize=True)
HUGE = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
"""2**63 - 1, the largest length or count there is."""

NULLABLE = ["null", "string"]
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
DAY = {"type": "int", "logicalType": "date"}
FUEL = {"type": "enum", "name": "Fuel", "symbols": ["gas", "hydro"]}
PAIR = {"type": "fixed", "name": "Pair", "size": 2}
NODE = {
    "type": "record",
    "name": "Node",
    "fields": [
        {"name": "value", "type": "long"},
        {"name": "next", "type": ["null", "Node"]},
        {"name": "children", "type": {"type": "array", "items": "Node"}},
    ],
}


def toy(*kinds: Any) -> Any:
    fields = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(kinds)]
    return parse_schema({"type": "record", "name": "Toy", "fields": fields}, named_schemas={})


EVERY_TYPE = toy(
    *("null", "boolean", "int", "long", "float", "double", "bytes", "string"),
    *(MILLIS, ["null", MILLIS], DAY, FUEL, ["null", "Fuel"], PAIR, "Pair", NODE, ["null", "Node"]),
    *(NULLABLE, ["string", "null"], ["null", "string", "double", "long", DAY]),
    {"type": "array", "items": NULLABLE},
    {"type": "array", "items": {"type": "array", "items": "double"}},
    {"type": "map", "values": {"type": "map", "values": "Pair"}},
)


def by_fastavro(schema: Any, body: bytes) -> Any:
    return schemaless_reader(BytesIO(body), schema, None)


def written(schema: Any, record: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, schema, record)
    return out.getvalue()


def example(schema: Any) -> bytes:
    """Bytes of a record of every type."""
    node = {"value": -1, "next": {"value": 2**40, "next": None, "children": []}, "children": []}
    names = (field["name"] for field in schema["fields"])
    fields = (
        *(None, True, -(2**31), 2**63 - 1, 0.5, 1.5, b"\x00\xff", "é" * 40),
        datetime(2026, 3, 29, 1, 0, 0, 123_000, UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        *(date(1, 1, 1), "hydro", "gas", b"ab", b"cd"),
        {"value": 7, "next": node, "children": [node, node]},
        *(node, "x" * 9000, None, date(2026, 1, 1), ["a", None]),
        *([[1.0, 2.0], []], {"a": {"b": b"ef"}, "c": {}}),
    )
    return written(schema, dict(zip(names, fields, strict=True)))


@pytest.mark.parametrize("name", contract_names())
def test_every_contract_is_read_as_fastavro_reads_it(name: str) -> None:
    schema = contract(name).parsed()
    read, write = compile_reader(schema), compile_writer(schema)

    @BOUNDED
    @given(values(schema, {}), st.binary(max_size=6))
    def same_record(record: Any, before: bytes) -> None:
        body = write(record)
        assert repr(read(before + body, len(before))) == repr(by_fastavro(schema, body))

    same_record()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((kind, value) for kind in ("int", "long") for value in (0, -1, 63, 64, -64, -65, 8191)),
        *(
            (kind, value)
            for kind in ("int", "long")
            for value in (8192, -8193, 2**31 - 1, -(2**31))
        ),
        *(("long", value) for value in (2**62, 2**63 - 1, -(2**63))),
        *((kind, "y" * size) for kind in ("string", NULLABLE) for size in (0, 63, 64, 8191, 8192)),
        *(("bytes", b"\xff" * size) for size in (0, 63, 64, 8191, 8192)),
        ("float", 0.1),
        ("double", float("nan")),
        (FUEL, "hydro"),
        (PAIR, b"\x00\xff"),
        *((DAY, day) for day in (date.min, date(1969, 12, 31), date(1970, 1, 1), date.max)),
        *((MILLIS, datetime(year, 1, 1, tzinfo=UTC)) for year in (1, 1900, 1970, 2026, 2040, 9999)),
        (MILLIS, datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
        ({"type": "array", "items": "int"}, list(range(70))),
        ({"type": "map", "values": NULLABLE}, {"": None, "a": "b"}),
        ({"type": "string", "logicalType": "of-another-kind"}, "x"),
        ([{"type": "fixed", "name": f"F{size}", "size": size} for size in range(1, 70)], b"x" * 68),
    ],
)
def test_every_type_is_read_as_fastavro_reads_it(kind: Any, value: object) -> None:
    schema = toy(kind)
    body = written(schema, {"f0": value})
    record = compile_reader(schema)(body, 0)
    assert repr(record) == repr(by_fastavro(schema, body))
    assert repr(record["f0"]) == repr(value) or kind == "float"


def test_logical_types_without_a_reader_of_their_own_are_fastavros() -> None:
    schema = toy(
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
        {"type": "string", "logicalType": "uuid"},
    )
    body = b"\x02\x04\x04\xd2\x48" + b"0b2f7d0e-7b0c-4e57-a5c8-0e8c6b4c1a11"
    record = compile_reader(schema)(body, 0)
    assert record == by_fastavro(schema, body)
    assert str(record["f1"]) == "12.34"
    with pytest.raises(AvroError):
        compile_reader(schema)(body[:-1] + b"?", 0)


def test_references_and_nested_types_are_read_as_fastavro_reads_them() -> None:
    body = example(EVERY_TYPE)
    assert compile_reader(EVERY_TYPE)(body, 0) == by_fastavro(EVERY_TYPE, body)


def test_blocks_with_sizes_and_several_blocks_are_one_array() -> None:
    read = compile_reader(toy({"type": "array", "items": "int"}))
    assert read(b"\x03\x04\x02\x04\x02\x06\x00", 0) == {"f0": [1, 2, 3]}


def test_names_are_only_names() -> None:
    schema = toy("int")
    schema["fields"][0]["name"] = "'}, pos\nraise SystemExit #"
    assert compile_reader(schema)(b"\x02", 0) == {"'}, pos\nraise SystemExit #": 1}


def test_every_truncation_and_every_surplus_is_refused() -> None:
    read, body = compile_reader(EVERY_TYPE), example(EVERY_TYPE)
    for end in [*range(500), *range(len(body) - 500, len(body))]:
        with pytest.raises(AvroError):
            read(body[:end], 0)
    with pytest.raises(AvroError):
        read(body + b"\x00", 0)


def array(items: Any) -> Any:
    return {"type": "array", "items": items}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("string", b"\x01"),
        ("string", b"\x03a"),
        ("string", b"\x81\x01"),
        ("string", HUGE),
        ("string", HUGE + b"a"),
        ("string", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"),
        ("string", b"\x80" * 1_000_000),
        ("string", b"\x04\xc3\x28"),
        ("string", b"\x02\xc3"),
        ("string", b"\x06\xed\xa0\x80"),
        ("bytes", b"\x01"),
        ("bytes", HUGE),
        ("boolean", b"\x02"),
        ("int", b"\x80\x80\x80\x80\x10"),
        ("long", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"),
        ("double", b"\x00" * 7),
        (NULLABLE, b"\x01"),
        (NULLABLE, b"\x04\x00"),
        (NULLABLE, b"\xff\x01"),
        (FUEL, b"\x04"),
        (FUEL, b"\x01"),
        (PAIR, b"a"),
        (DAY, b"\xff\xff\xff\xff\x0f"),
        (MILLIS, HUGE),
        (MILLIS, b"\x80\xe0\xee\xe0\xb4\xc9\x73"),
        (["null", MILLIS], b"\x02" + HUGE),
        ([], b"\x00"),
        (array("string"), HUGE),
        (array(PAIR), HUGE + b"abab\x00"),
        (array(PAIR), b"\x06abab\x00"),
        (array("int"), b"\x01\x01\x02\x00"),
        (array("int"), b"\x01\x80\x01\x02\x00"),
        (array("int"), b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x02\x00"),
        (array("null"), HUGE + b"\x00"),
        (array("null"), b"\x02\x00"),
        (array({"type": "record", "name": "Empty", "fields": []}), HUGE + b"\x00"),
        (array({"type": "fixed", "name": "Nothing", "size": 0}), HUGE + b"\x00"),
        ({"type": "map", "values": "null"}, HUGE + b"\x00"),
        ({"type": "map", "values": "int"}, b"\x02\x01\x02\x00"),
        (array("Toy"), b"\x02" * 1_000_000),
        ("Toy", b""),
    ],
)
def test_bytes_that_do_not_fit_are_refused(kind: Any, body: bytes) -> None:
    with pytest.raises(AvroError):
        compile_reader(toy(kind))(body, 0)


FUZZED: dict[str, Callable[[], Any]] = {
    "every type": lambda: EVERY_TYPE,
    **{name: contract(name).parsed for name in contract_names()},
}


@pytest.mark.parametrize("name", FUZZED)
def test_any_bytes_are_a_record_or_refused(name: str) -> None:
    schema = FUZZED[name]()
    read = compile_reader(schema)

    def check(body: bytes) -> None:
        try:
            record = read(body, 0)
        except AvroError:
            return
        assert repr(record) == repr(by_fastavro(schema, body))

    records = (
        st.just(example(schema))
        if schema is EVERY_TYPE
        else values(schema, {}).map(compile_writer(schema))
    )
    edits = st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 3)), max_size=4
    )

    @BOUNDED
    @given(records, edits)
    def mutated(body: bytes, changes: list[tuple[float, bytes, int]]) -> None:
        for place, new, gone in changes:
            at = int(place * len(body))
            body = body[:at] + new + body[at + gone :]
        check(body)

    @BOUNDED
    @given(st.binary(max_size=200))
    def foreign(body: bytes) -> None:
        check(body)

    mutated()
    foreign()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("bytes", HUGE + b"a" * 100_000),
        ("string", b"\xff" * 100_000),
        (array("null"), b"\xfe\xff\x03" * 30_000),
        (array(array("null")), b"\x7e" * 100_000),
        (array(PAIR), b"\xfe\xff\x03" * 30_000),
        (array("string"), b"\x80\xb5\x18" + b"\x00" * 200_000),
        ({"type": "map", "values": "null"}, b"\xfe\xff\x03" * 30_000),
        (array(["null", "Toy"]), b"\x02" * 100_000),
    ],
)
def test_memory_is_bounded_by_the_bytes(kind: Any, body: bytes) -> None:
    read = compile_reader(toy(kind))
    tracemalloc.start()
    try:
        with pytest.raises(AvroError):
            read(body, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * len(body) + 1_000_000
