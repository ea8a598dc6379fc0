"""A raw record as people read it: every field with what the source said, nothing rounded."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from streams.core.topic_record import TopicRecord, iso_time, json_line

_MOST_BYTES: Final = 2000


def envelope(record: TopicRecord) -> Sequence[tuple[str, str]]:
    """What the producer says of it, and where it is."""
    around = [
        ("topic", record.topic),
        ("partition", str(record.partition)),
        ("offset", str(record.offset)),
        ("Kafka time", iso_time(record.timestamp)),
        ("key", _text(record.key)),
        ("schema", f"{record.schema_id} of {record.subject}" if record.schema_id else "–"),
    ]
    said = [(name, _text(value)) for name, value in record.content.items() if name != "item"]
    return around + said


def item(record: TopicRecord) -> Sequence[tuple[str, str]]:
    """The fields of the source's own item, nested ones by path; empty: it has none."""
    return list(_flat("", record.content.get("item") or {}))


def unreadable(record: TopicRecord) -> str:
    """The beginning of bytes that cannot be decoded; empty: they can."""
    if not isinstance(record.value, bytes):
        return ""
    return repr(record.value[:_MOST_BYTES])[2:-1]


def _flat(path: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{path}{name}.", value)
        else:
            yield f"{path}{name}", _text(value)


def _text(value: Any) -> str:
    match value:
        case None:
            return "–"
        case str():
            return value
        case bytes():
            return repr(value)[2:-1]
        case datetime():
            return iso_time(value)
    return json_line(value)
