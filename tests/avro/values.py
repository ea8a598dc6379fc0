"""Strategy for values that fit an Avro schema."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

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
