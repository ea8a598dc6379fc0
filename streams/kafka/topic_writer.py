"""Writing to topics from outside the workers: every record confirmed, or an error."""

import logging
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AclOperation

from streams.core.errors import BrokerError, RecordTooLargeError
from streams.kafka.broker import Broker
from streams.kafka.clients import client_settings, hear

logger = logging.getLogger(__name__)

ANY_PARTITION = -1

_DELIVERY_SECONDS = 60.0
_POLL_SECONDS = 0.2
_CLOSE_SECONDS = 1.0
_RECORDS_BETWEEN_POLLS = 64

_MAX_MESSAGE_BYTES = "max.message.bytes"
_DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
# What a batch adds to the bytes of its only record; the broker measures batches.
_BATCH_BYTES = 512
# The least that the client takes as its limit.
_LEAST_BYTES = 1_000


class TopicWriter:
    """Publishes records; they are stored for sure once `finish` has returned.

    Idempotent; partition: murmur2 of the key, as the Java client chooses. Use it as a context
    manager: leaving it without `finish` drops what is still queued.

    Args:
        bootstrap: Kafka bootstrap servers.
        topics: Names of the topics that are written to.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        names = tuple(topics)
        broker = Broker(bootstrap)
        broker.require_rights(AclOperation.WRITE, names)
        self._largest = _largest_message(broker, names)
        self._sent = 0
        self._confirmed = 0
        self._failure: str | None = None
        self._producer = Producer(
            {
                **client_settings(bootstrap),
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                "message.max.bytes": self._largest,
                "queue.buffering.max.messages": 50_000,
                "queue.buffering.max.kbytes": 65_536,
                "delivery.timeout.ms": int(_DELIVERY_SECONDS * 1000),
                # Errors only: that a starting broker is asked again is no news for anybody.
                "log_level": 3,
                "error_cb": _log_error,
            },
            logger=logger,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._producer.purge()
        self._producer.flush(_CLOSE_SECONDS)

    @property
    def confirmed(self) -> int:
        """Records the broker has confirmed so far."""
        return self._confirmed

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int = ANY_PARTITION,
        timestamp_ms: int = 0,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Queue one record; waits while the queue is full.

        Args:
            topic: Topic.
            key: Chooses the partition unless one is given.
            value: Framed bytes; None is a tombstone.
            partition: Partition.
            timestamp_ms: Kafka time, milliseconds; 0 is now.
            headers: Message headers.

        Raises:
            RecordTooLargeError: the topic takes no record of this size; others can be sent.
            BrokerError: it cannot be sent at all, or an earlier record has failed.
        """
        self._require_size(topic, key, value, headers)
        while True:
            if self._failure is not None:
                raise self._error()
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery=self._delivered,
                    timestamp=timestamp_ms,
                    headers=list(headers),
                )
            except BufferError:
                self._producer.poll(_POLL_SECONDS)
                continue
            except KafkaException as exception:
                self._failure = f"{topic}: {exception.args[0].str()}"
                raise self._error() from exception
            break
        self._sent += 1
        if self._sent % _RECORDS_BETWEEN_POLLS == 0:
            self._producer.poll(0)

    def finish(self) -> None:
        """Wait until the broker has confirmed every record.

        Raises:
            BrokerError: at least one record was not confirmed.
        """
        # In slices, so that Ctrl-C is noticed.
        while self._producer.flush(_POLL_SECONDS) > 0 and self._failure is None:
            pass
        if self._failure is not None:
            raise self._error()

    def _require_size(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> None:
        texts = [key, value, *(text for name, content in headers for text in (name, content))]
        size = sum(len(text) for text in texts if text is not None)
        if size + _BATCH_BYTES > self._largest:
            raise RecordTooLargeError(
                f"A record has {size:,} bytes, {topic} takes {self._largest - _BATCH_BYTES:,} "
                "before compression. Raise its limit: `kafka-configs --alter --topic "
                f"{topic} --add-config {_MAX_MESSAGE_BYTES}=…`."
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._confirmed += 1
        elif self._failure is None:
            self._failure = f"{message.topic()}/{message.partition()}: {error.str()}"

    def _error(self) -> BrokerError:
        return BrokerError(
            f"Kafka confirmed {self._confirmed:,} of {self._sent:,} records ({self._failure}). "
            "Check the broker that KAFKA_BOOTSTRAP names, then run it again."
        )


def _largest_message(broker: Broker, topics: Sequence[str]) -> int:
    try:
        settings = broker.settings(topics)
    except BrokerError:  # not everybody may ask
        return _DEFAULT_MAX_MESSAGE_BYTES
    return max(_LEAST_BYTES, min(int(found[_MAX_MESSAGE_BYTES]) for found in settings))


def _log_error(error: KafkaError) -> None:
    hear(error)
    logger.debug("librdkafka: %s", error.str())
