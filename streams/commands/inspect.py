"""Looking into a topic: decoded records as JSON lines, with nothing but broker and registry.

Records are read with the schema that wrote them, so any topic can be shown: also changelogs, whose
entries follow different contracts.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TextIO

from streams.avro.codec import AvroRecord, Decoder, Registry, UndecodableError, frame_schema_id
from streams.core.records import EPOCH
from streams.kafka.topic_reader import Record, read

# Damaged texts hold them, terminals obey them, and JSON does not ask to escape them.
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


@dataclass(frozen=True, slots=True)
class Inspected:
    """One record of a topic, decoded as far as possible.

    Attributes:
        timestamp: Kafka time, UTC.
        schema_id: Registry id in the framing; None when there is none.
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
    value: AvroRecord | bytes | None
    reason: str | None

    def to_json(self) -> str:
        """One line of JSON. Times are ISO 8601; bytes are text, a character for each byte."""
        line = json.dumps(asdict(self), default=_json_value, ensure_ascii=False)
        return line.translate(_CONTROLS)


def inspect(
    bootstrap: str,
    registry: Registry,
    topic: str,
    *,
    partition: int | None = None,
    from_offset: int = 0,
    limit: int | None = None,
    follow: bool = False,
) -> Iterator[Inspected]:
    """Records of a topic, ordered within a partition; see `streams.kafka.topic_reader.read`.

    Args:
        bootstrap: Kafka bootstrap servers.
        registry: Where the writers' schemas are.
        topic: Any topic.
        partition: Only this one; None for all.
        from_offset: First offset in every partition; a negative one counts back from the end.
        limit: Stop after so many records; None for all.
        follow: Go on with what is written later.

    Raises:
        TopicMismatchError: no such topic or partition.
        BrokerError, RegistryError: no answer.
    """
    decoder = registry.any_decoder()
    records = read(bootstrap, topic, partition=partition, from_offset=from_offset, follow=follow)
    return (_inspected(record, decoder) for record in islice(records, limit))


def print_records(records: Iterator[Inspected], out: TextIO = sys.stdout) -> int:
    """Write each record as a line of JSON as soon as it comes; returns how many."""
    count = 0
    for record in records:
        out.write(record.to_json() + "\n")
        out.flush()
        count += 1
    return count


def _inspected(record: Record, decoder: Decoder[AvroRecord]) -> Inspected:
    value: AvroRecord | bytes | None = record.value
    reason = None
    if record.value is not None:
        try:
            value = decoder.decode(record.value)
        except UndecodableError as error:
            reason = f"{error.rule_id}: {error}"
    return Inspected(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=EPOCH + timedelta(milliseconds=record.timestamp),
        key=_text(record.key),
        headers=record.headers,
        schema_id=frame_schema_id(record.value),
        value=value,
        reason=reason,
    )


def _text(key: bytes | None) -> str | bytes | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return key


def _json_value(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert isinstance(value, date)
    return value.isoformat()
