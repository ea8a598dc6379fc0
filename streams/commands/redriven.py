"""Redriving a raw record: a copy in its own topic and partition that names its original."""

from streams.core.record_times import clamped_ms
from streams.core.records import RawCoordinates
from streams.core.redrive import REDRIVEN_FROM
from streams.kafka.topic_reader import Record
from streams.kafka.topic_writer import TopicWriter


def copy_of(record: Record) -> Record:
    """A raw record as it comes when it is redriven; its offset is any one behind the original."""
    original = RawCoordinates(record.topic, record.partition, record.offset)
    headers = (*record.headers, (REDRIVEN_FROM, original.key.encode()))
    return record._replace(offset=record.offset + 1, headers=headers)


def send_copy(writer: TopicWriter, record: Record) -> None:
    """Publish a raw record once more, so that the stage that owns its state decides on it again.

    Raises:
        RecordTooLargeError, BrokerError: it cannot be sent.
    """
    copy = copy_of(record)
    writer.send(
        copy.topic,
        copy.key,
        copy.value,
        partition=copy.partition,
        # Unreadable records are dated by it: they keep their window.
        timestamp_ms=clamped_ms(copy.timestamp),
        headers=copy.headers,
    )
