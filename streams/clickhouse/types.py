"""ClickHouse types of Avro types."""

from typing import Any

UTC_MILLIS = "DateTime64(3, 'UTC')"

_PRIMITIVES = {
    "string": "String",
    "bytes": "String",
    "boolean": "Bool",
    "int": "Int32",
    "long": "Int64",
    "float": "Float32",
    "double": "Float64",
}


def clickhouse_type(avro: Any) -> str:
    """ClickHouse type that holds every value of an Avro type.

    A date becomes Date32, because Date cannot hold what Avro can. Null in a union with an array
    becomes an empty array: ClickHouse has no nullable arrays.

    Args:
        avro: A type as fastavro's parser leaves it, every named type written out once.

    Raises:
        ValueError: a type without counterpart, such as a union of several types.
    """
    match avro:
        case ["null", inner] | [inner, "null"]:
            type_ = clickhouse_type(inner)
            return type_ if type_.startswith("Array(") else f"Nullable({type_})"
        case {"logicalType": "timestamp-millis"}:
            return UTC_MILLIS
        case {"logicalType": "date"}:
            return "Date32"
        case {"type": "array", "items": items}:
            return f"Array({clickhouse_type(items)})"
        case {"type": "record", "fields": fields}:
            names = (f"{field['name']} {clickhouse_type(field['type'])}" for field in fields)
            return f"Tuple({', '.join(names)})"
        case {"type": str() as name} | str(name) if name in _PRIMITIVES:
            return _PRIMITIVES[name]
    raise ValueError(f"No ClickHouse type for the Avro type {avro!r}.")
