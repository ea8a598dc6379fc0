"""Many records to many topics in one Kafka transaction, from outside the workers: all or none."""

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from streams.core.errors import BrokerError
from streams.kafka.broker import PartitionId, is_refusal
from streams.kafka.clients import client_settings, not_allowed

logger = logging.getLogger(__name__)

ANY_PARTITION = -1

TRANSACTION_SECONDS = 600
"""Longest time from the first record to the commit; the broker then aborts it."""

_ANSWER_SECONDS = 60.0
_POLL_SECONDS = 0.1
_RECORDS_BETWEEN_POLLS = 64


class Written(NamedTuple):
    """Offsets of the first and the last record that were written to a partition."""

    first: int
    last: int


class TransactionWriter:
    """One transaction. Use it as a context manager: leaving it without `commit` aborts it.

    Entering it aborts what an earlier writer of the same id has left open.

    Args:
        bootstrap: Kafka bootstrap servers.
        transactional_id: Whoever uses it last writes; earlier ones cannot any more.

    Raises:
        BrokerError: no answer, or the broker refuses.
    """

    def __init__(self, bootstrap: str, transactional_id: str) -> None:
        self._bootstrap = bootstrap
        self._transactional_id = transactional_id
        self._failure: str | None = None
        self._sent = 0
        self._committed = False
        self.written: dict[PartitionId, Written] = {}
        self._producer = Producer(
            {
                **client_settings(bootstrap),
                "transactional.id": transactional_id,
                "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                # What was taken once is taken with a header more.
                "message.max.bytes": 1_048_588,
                "queue.buffering.max.messages": 50_000,
                "queue.buffering.max.kbytes": 65_536,
            },
            logger=logger,
        )

    def __enter__(self) -> Self:
        try:
            self._producer.poll(0)  # gives the client its token, where it shows one
            self._producer.init_transactions(_ANSWER_SECONDS)
            self._producer.begin_transaction()
        except KafkaException as exception:
            right = f"write transactional id {self._transactional_id}"
            raise _refused("begin", right, exception) from exception
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._committed:
            return
        self._producer.purge()
        try:
            self._producer.abort_transaction(_ANSWER_SECONDS)
        except KafkaException as exception:
            logger.warning("The transaction is left to its time limit: %s", exception.args[0])

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int = ANY_PARTITION,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Queue one record; waits while the queue is full.

        Raises:
            BrokerError: it cannot be sent, or an earlier record has failed.
        """
        while True:
            self._require_working()
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery=self._delivered,
                    headers=list(headers),
                )
            except BufferError:
                self._producer.poll(_POLL_SECONDS)
                continue
            except KafkaException as exception:
                raise _refused(
                    f"write to {topic}", f"write topic {topic}", exception
                ) from exception
            break
        self._sent += 1
        if self._sent % _RECORDS_BETWEEN_POLLS == 0:
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has every record; `written` then says where.

        Raises:
            BrokerError: it lacks one.
        """
        # In slices, so that Ctrl-C is noticed.
        while self._producer.flush(_POLL_SECONDS) > 0:
            self._require_working()
        self._require_working()

    def commit(self, group: str, offsets: Mapping[PartitionId, int]) -> None:
        """Make every record visible, and the offsets those that a group has committed.

        Args:
            group: Consumer group without members.
            offsets: Next offset it reads, by partition.

        Raises:
            BrokerError: refused, or no answer: look which generation runs.
        """
        self.flush()
        positions = [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        configuration: dict[str, Any] = {**client_settings(self._bootstrap), "group.id": group}
        consumer = Consumer(configuration, logger=logger)
        try:
            self._producer.send_offsets_to_transaction(
                positions, consumer.consumer_group_metadata(), _ANSWER_SECONDS
            )
            self._producer.commit_transaction(_ANSWER_SECONDS)
        except KafkaException as exception:
            is_group = exception.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED
            what = "group" if is_group else "every topic of group"
            raise _refused("commit", f"read {what} {group}", exception) from exception
        finally:
            consumer.close()
        self._committed = True

    def _require_working(self) -> None:
        if self._failure is not None:
            raise BrokerError(self._failure)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or _not_taken(message.topic(), error)
            return
        partition = PartitionId(message.topic(), message.partition())
        offset = message.offset()
        known = self.written.get(partition, Written(offset, offset))
        self.written[partition] = Written(min(known.first, offset), max(known.last, offset))


def _not_taken(topic: str, error: KafkaError) -> str:
    if is_refusal(error):
        return not_allowed(f"write topic {topic}")
    return f"Kafka did not take a record ({topic}: {error.str()}). Run it again."


def _refused(what: str, right: str, exception: KafkaException) -> BrokerError:
    error: KafkaError = exception.args[0]
    if is_refusal(error):
        return BrokerError(not_allowed(right))
    return BrokerError(f"Kafka could not {what} (transaction): {error.str()}. Run it again.")
