"""A record of a topic as people see it: decoded, with what its framing and its headers name."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from streams.core.errors import Rejected
from streams.core.records import RawCoordinates
from streams.core.redrive import original_of

# Damaged texts hold them, terminals obey them, and JSON does not ask to escape them.
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """One record, decoded as far as possible.

    Attributes:
        timestamp: Kafka time, UTC, from 1900 to 2299.
        schema_id: Registry id in the framing; None when there is none.
        subject: Registry subject of that schema; None when the registry has none.
        value: The decoded record; the bytes when they cannot be decoded; None for a tombstone.
        reason: Why the value could not be decoded; None when it could.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: str | bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    schema_id: int | None
    subject: str | None
    value: Mapping[str, Any] | bytes | None
    reason: str | None

    @property
    def coordinates(self) -> RawCoordinates:
        """Topic, partition and offset."""
        return RawCoordinates(self.topic, self.partition, self.offset)

    @property
    def copy_of(self) -> RawCoordinates | None:
        """Coordinates of the raw record that was redriven as this one; None for an original."""
        found = original_of(self.coordinates, self.headers)
        return None if isinstance(found, Rejected) else found

    @property
    def content(self) -> Mapping[str, Any]:
        """The decoded record; empty for a tombstone and where decoding failed."""
        return self.value if isinstance(self.value, Mapping) else {}

    def to_json(self) -> str:
        """One line of JSON; see `json_line`."""
        return json_line(asdict(self))


def json_line(value: object) -> str:
    """One line of JSON. Times are ISO 8601; bytes are text, a character for each byte."""
    return json.dumps(value, default=_json_value, ensure_ascii=False).translate(_CONTROLS)


def iso_time(time: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, datetime):
        return iso_time(value)
    assert isinstance(value, date)
    return value.isoformat()
