"""Records of one partition in an Avro container file: bytes, times and headers as the log has them.

The values stay framed as they are, so the file says nothing of their schemas; any Avro tool reads
it. The same records give the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import fastavro
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from streams.kafka.topic_reader import Record

_SCHEMA: Final = fastavro.parse_schema(
    {
        "type": "record",
        "name": "LoggedRecord",
        "namespace": "infrastructure.export",
        "doc": "One record of a Kafka log, byte for byte.",
        "fields": [
            {"name": "offset", "type": "long", "doc": "Offset it had in its partition."},
            {
                "name": "timestamp",
                "type": "long",
                "doc": "Kafka time, milliseconds since 1970 UTC.",
            },
            {
                "name": "timestamp_type",
                "type": "string",
                "doc": "create_time: its writer's, or log_append_time: the broker's.",
            },
            {"name": "key", "type": ["null", "bytes"], "doc": "Key; null for none."},
            {"name": "value", "type": ["null", "bytes"], "doc": "Value; null is a tombstone."},
            {
                "name": "headers",
                "doc": "Headers in their order; a name may occur twice.",
                "type": {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "Header",
                        "doc": "One header.",
                        "fields": [
                            {"name": "name", "type": "string", "doc": "Its name."},
                            {"name": "value", "type": ["null", "bytes"], "doc": "Null for none."},
                        ],
                    },
                },
            },
        ],
    }
)

_TYPES: Final = {
    TIMESTAMP_CREATE_TIME: "create_time",
    TIMESTAMP_LOG_APPEND_TIME: "log_append_time",
}
_TYPE_NUMBERS: Final = {name: number for number, name in _TYPES.items()}

# A random one would give every copy of the same records other bytes.
_SYNC_MARKER: Final = hashlib.sha256(b"infrastructure.export").digest()[:16]
_SYNC_BYTES: Final = 1 << 20


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records, compressed, in their order; the file is replaced."""
    with path.open("wb") as file:
        fastavro.writer(
            file,
            _SCHEMA,
            map(_to_avro, records),
            codec="deflate",
            sync_interval=_SYNC_BYTES,
            sync_marker=_SYNC_MARKER,
        )


def read_records(path: Path, topic: str, partition: int) -> Iterator[Record]:
    """Every record of a file that `write_records` wrote, whose checksum was verified."""
    with path.open("rb") as file:
        for found in fastavro.reader(file, reader_schema=_SCHEMA):
            one = cast(dict[str, Any], found)
            yield Record(
                topic,
                partition,
                one["offset"],
                one["timestamp"],
                one["key"],
                one["value"],
                tuple((header["name"], header["value"]) for header in one["headers"]),
                _TYPE_NUMBERS[one["timestamp_type"]],
            )


def _to_avro(record: Record) -> dict[str, Any]:
    return {
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestamp_type": _TYPES[record.timestamp_type],
        "key": record.key,
        "value": record.value,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
    }
