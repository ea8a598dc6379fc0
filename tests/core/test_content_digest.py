"""Texts of values are unambiguous, digests add up in any order, and a difference is named."""

from datetime import UTC, date, datetime

import pytest

from streams.core.content_digest import (
    Digests,
    bucket_of,
    difference,
    row_digest,
    text_of,
)

STRINGS = {"type": "array", "items": "string"}


@pytest.mark.parametrize(
    ("avro", "value", "text"),
    [
        ("string", "Łódź", "7:Łódź"),
        (["null", "string"], None, "~"),
        (["null", "string"], "~", "1:~"),
        ("boolean", True, "1"),
        ("long", -(2**40), "-1099511627776"),
        ("double", 1.0, "4607182418800017408"),
        ("float", 1.0, "1065353216"),
        ({"type": "int", "logicalType": "date"}, date(1969, 12, 31), "-1"),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC),
            "1767225600123",
        ),
        (STRINGS, ["a|b", ""], "2[3:a|b|0:]"),
        (["null", STRINGS], None, "0[]"),
        (
            {
                "type": "record",
                "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}],
            },
            {"b": 2, "a": 1},
            "1|2",
        ),
    ],
)
def test_text_of_a_value(avro: object, value: object, text: str) -> None:
    assert text_of(avro)(value) == text


def test_a_type_without_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        text_of("bytes")


def test_digests_add_up_in_any_order_and_differ_where_a_row_does() -> None:
    rows = {f"id {number}": row_digest([str(number), "x"]) for number in range(1_000)}
    one, other = Digests(), Digests()
    for record_id, digest in rows.items():
        one.add(bucket_of(record_id), digest)
    for record_id, digest in reversed(rows.items()):
        other.add(bucket_of(record_id), digest)
    assert one == other
    assert one.records == 1_000
    assert one.differing(other) == []
    other.add(bucket_of("id 7"), row_digest(["7", "y"]) - rows["id 7"], 0)
    assert one.differing(other) == [bucket_of("id 7")]


def test_each_way_to_differ_is_named() -> None:
    published = {"a": (1, 10), "b": (2, 20), "c": (3, 30), "same": (1, 1)}
    stored = {"b": (1, 19), "c": (3, 31), "d": (1, 1), "same": (1, 1)}
    assert difference("power_plant", published, stored, 1) == (
        "ClickHouse differs from market.infrastructure in power_plant: a is missing, b has version "
        "1 instead of 2, c has another content at version 3 …"
    )
    only_stored = difference("power_plant", {}, {"d": (1, 1)}, 1)
    assert only_stored.endswith("power_plant: d is published nowhere")
