import pytest

from streams.clickhouse.types import clickhouse_type

RECORD = {
    "type": "record",
    "name": "Pair",
    "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": ["null", "double"]}],
}


@pytest.mark.parametrize(
    ("avro", "expected"),
    [
        ("string", "String"),
        ("bytes", "String"),
        ("int", "Int32"),
        ("long", "Int64"),
        ("double", "Float64"),
        ({"type": "string"}, "String"),
        (["null", "int"], "Nullable(Int32)"),
        (["int", "null"], "Nullable(Int32)"),
        ({"type": "int", "logicalType": "date"}, "Date32"),
        (
            ["null", {"type": "long", "logicalType": "timestamp-millis"}],
            "Nullable(DateTime64(3, 'UTC'))",
        ),
        ({"type": "array", "items": "string"}, "Array(String)"),
        (["null", {"type": "array", "items": "string"}], "Array(String)"),
        (RECORD, "Tuple(a String, b Nullable(Float64))"),
        ({"type": "array", "items": RECORD}, "Array(Tuple(a String, b Nullable(Float64)))"),
        (["null", RECORD], "Nullable(Tuple(a String, b Nullable(Float64)))"),
    ],
)
def test_every_avro_type_of_the_contracts_has_a_clickhouse_type(
    avro: object, expected: str
) -> None:
    assert clickhouse_type(avro) == expected


@pytest.mark.parametrize("avro", [["null", "int", "string"], {"type": "map", "values": "int"}])
def test_a_type_without_counterpart_is_named(avro: object) -> None:
    with pytest.raises(ValueError, match="No ClickHouse type"):
        clickhouse_type(avro)
