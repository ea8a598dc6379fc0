"""Reading a topic from outside the workers: no group, nothing committed, read committed."""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from aiokafka.partitioner import murmur2
from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AclOperation, OffsetSpec

from streams.core.errors import BrokerError, TopicMismatchError
from streams.kafka.arrivals import arrived
from streams.kafka.broker import Broker
from streams.kafka.clients import NO_GROUP, not_allowed, reader_settings
from streams.kafka.topic_admin import end_offsets, offsets_at

logger = logging.getLogger(__name__)

_CHUNK = 10_000
_POLL_SECONDS = 0.1
_STALL_SECONDS = 60.0
_END_WAIT_MS = 10
"""How long the broker waits for more before it says that a partition ends."""


class Record(NamedTuple):
    """One record as read; fits `streams.kafka.batch.ConsumedRecord`.

    Attributes:
        timestamp: Milliseconds since the epoch.
        timestamp_type: Whose time that is, the writer's or the broker's: confluent_kafka's number.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_type: int = TIMESTAMP_CREATE_TIME


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
    from_offset: int | Mapping[int, int] = 0,
    since: datetime | None = None,
    follow: bool = False,
) -> Iterator[Record]:
    """Records of a topic, or of one of its partitions, ordered within a partition.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name.
        partition: Only this one; None for all.
        from_offset: First offset in every partition, or of each; a negative one counts back from
            the end.
        since: Begin with the first record of this Kafka time or later, instead.
        follow: Go on with what is written later, instead of stopping at the ends.

    Raises:
        TopicMismatchError: no such topic or partition.
        BrokerError: no answer, or, unless following, nothing came for a minute.
    """
    broker = Broker(bootstrap)
    broker.require_rights(AclOperation.READ, [topic])
    ends = {
        found.partition: end
        for found, end in broker.offsets(broker.partitions([topic]), OffsetSpec.latest()).items()
        if partition in (None, found.partition)
    }
    if not ends:
        raise TopicMismatchError(f"Topic {topic} has no partition {partition}.")
    starts = _starts(bootstrap, topic, ends, from_offset, since)
    consumer = Consumer(
        {
            **reader_settings(bootstrap),
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100 if follow else _END_WAIT_MS,
            "queued.max.messages.kbytes": 32_768,
        },
        logger=logger,
    )
    try:
        consumer.assign(
            [
                # Beyond the end the broker would send the reader back to the beginning.
                TopicPartition(topic, number, min(end, starts[number]))
                for number, end in ends.items()
            ]
        )
        yield from _records(consumer, ends, follow)
    except KafkaException as exception:
        error: KafkaError = exception.args[0]
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise BrokerError(not_allowed(f"describe group {NO_GROUP}")) from exception
        raise BrokerError(f"Kafka could not serve {topic}: {error.str()}.") from exception
    finally:
        consumer.close()


def read_keys(bootstrap: str, topic: str, keys: Collection[bytes]) -> Iterator[Record]:
    """Records with one of some keys, from the partitions that the keys choose (murmur2).

    A key that has no record there was written by somebody else: then every partition is read.

    Raises:
        TopicMismatchError: no such topic.
        BrokerError: no answer.
    """
    wanted = set(keys)
    count = len(end_offsets(bootstrap, [topic]))
    chosen = {key_partition(key, count) for key in wanted}
    found = set()
    for number in sorted(chosen):
        for record in read(bootstrap, topic, partition=number):
            if record.key in wanted:
                found.add(record.key)
                yield record
    if found == wanted:
        return
    for number in sorted(set(range(count)) - chosen):
        for record in read(bootstrap, topic, partition=number):
            if record.key in wanted - found:
                yield record


def key_partition(key: bytes, partitions: int) -> int:
    """Partition that a key chooses, as the Java client and every writer of the product choose."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions


def _starts(
    bootstrap: str,
    topic: str,
    ends: Mapping[int, int],
    from_offset: int | Mapping[int, int],
    since: datetime | None,
) -> Mapping[int, int]:
    if since is not None:
        return {
            found.partition: offset for found, offset in offsets_at(bootstrap, topic, since).items()
        }
    if not isinstance(from_offset, int):
        return from_offset
    return {
        number: from_offset if from_offset >= 0 else max(0, end + from_offset)
        for number, end in ends.items()
    }


def _records(consumer: Consumer, ends: dict[int, int], follow: bool) -> Iterator[Record]:
    unfinished = set(ends)
    last_progress = time.monotonic()
    while unfinished:
        messages = arrived(consumer, _CHUNK, _POLL_SECONDS)
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
    timestamp_type, timestamp = message.timestamp()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        timestamp,
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        timestamp_type,
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
