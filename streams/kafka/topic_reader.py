"""Reading a topic from outside the workers: no group, nothing committed, read committed."""

import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.core.errors import BrokerError, TopicMismatchError
from streams.kafka.topic_admin import end_offsets

logger = logging.getLogger(__name__)

_CHUNK = 10_000
_POLL_SECONDS = 0.1
_STALL_SECONDS = 60.0


class Record(NamedTuple):
    """One record as read; fits `streams.kafka.batch.ConsumedRecord`.

    Attributes:
        timestamp: Milliseconds since the epoch.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def read_all(bootstrap: str, topic: str) -> Iterator[Record]:
    """Every record of a topic, up to the ends it has when the reading starts.

    Ordered within a partition, not across. An open transaction hides itself and all that comes
    behind it in its partition: where one is met, reading of that partition ends.

    Raises:
        TopicMismatchError: no such topic.
        BrokerError: no answer, or nothing came for a minute.
    """
    return read(bootstrap, topic)


def read(
    bootstrap: str,
    topic: str,
    *,
    partition: int | None = None,
    from_offset: int = 0,
    follow: bool = False,
) -> Iterator[Record]:
    """Records of a topic, or of one of its partitions, ordered within a partition.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name.
        partition: Only this one; None for all.
        from_offset: First offset in every partition; a negative one counts back from the end.
        follow: Go on with what is written later, instead of stopping at the ends.

    Raises:
        TopicMismatchError: no such topic or partition.
        BrokerError: no answer, or, unless following, nothing came for a minute.
    """
    ends = {
        found.partition: end
        for found, end in end_offsets(bootstrap, [topic]).items()
        if partition in (None, found.partition)
    }
    if not ends:
        raise TopicMismatchError(f"Topic {topic} has no partition {partition}.")
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 32_768,
        },
        logger=logger,
    )
    try:
        consumer.assign(
            [
                # Beyond the end the broker would send the reader back to the beginning.
                TopicPartition(topic, number, min(end, _first(from_offset, end)))
                for number, end in ends.items()
            ]
        )
        yield from _records(consumer, ends, follow)
    except KafkaException as exception:
        raise BrokerError(
            f"Kafka could not serve {topic}: {exception.args[0].str()}."
        ) from exception
    finally:
        consumer.close()


def _first(from_offset: int, end: int) -> int:
    return from_offset if from_offset >= 0 else max(0, end + from_offset)


def _records(consumer: Consumer, ends: dict[int, int], follow: bool) -> Iterator[Record]:
    unfinished = set(ends)
    last_progress = time.monotonic()
    while unfinished:
        messages = consumer.consume(_CHUNK, _POLL_SECONDS)
        for message in messages:
            number = message.partition()
            if _is_end(message):
                reached = ends[number]
            else:
                reached = message.offset() + 1
                if follow or reached <= ends[number]:
                    yield _record(message)
            if not follow and reached >= ends[number]:
                unfinished.discard(number)
        if messages or follow:
            last_progress = time.monotonic()
        elif time.monotonic() - last_progress > _STALL_SECONDS:
            raise BrokerError(
                f"Nothing came for {_STALL_SECONDS:.0f} s from partitions {sorted(unfinished)}; "
                "check the broker's log and try again."
            )


def _record(message: Message) -> Record:
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


def _is_end(message: Message) -> bool:
    """True at the end of a partition, False for a record.

    Raises:
        KafkaException: any error librdkafka does not recover from by itself.
    """
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise KafkaException(error)
