"""A raw record as the source said it: nothing rounded, nothing left out."""

from dataclasses import replace
from datetime import UTC, datetime

from streams.core.topic_record import TopicRecord
from streams.serve.page.record_view import envelope, item, unreadable

RECORD = TopicRecord(
    topic="raw.one",
    partition=2,
    offset=17,
    timestamp=datetime(2026, 1, 1, 12, tzinfo=UTC),
    key="r1",
    headers=(),
    schema_id=3,
    subject="raw.one-value",
    value={
        "source_id": "one",
        "fetched_at": datetime(2026, 1, 1, 11, tzinfo=UTC),
        "item": {"capacity": "12.50", "columns": {"Owner": "-", "Year": None}, "units": ["a"]},
    },
    reason=None,
)


def test_fields_are_as_the_source_said_them_nested_ones_by_path() -> None:
    assert item(RECORD) == [
        ("capacity", "12.50"),
        ("columns.Owner", "-"),
        ("columns.Year", "–"),
        ("units", '["a"]'),
    ]
    around = dict(envelope(RECORD))
    assert (around["offset"], around["fetched_at"]) == ("17", "2026-01-01T11:00:00.000Z")
    assert "item" not in around


def test_what_cannot_be_decoded_is_shown_as_bytes() -> None:
    foreign = replace(RECORD, value=b"\x00caf\xc3\xa9", reason="no framing")
    assert unreadable(foreign) == "\\x00caf\\xc3\\xa9"
    assert (item(foreign), unreadable(RECORD)) == ([], "")
