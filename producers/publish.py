"""Publishing to a raw topic: idempotent, every record confirmed by all in-sync replicas."""

import logging
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producers.errors import BrokerUnavailableError, DeliveryError
from streams.avro.codec import Encoder
from streams.core.records import RawRecord
from streams.topics import Topic

log = logging.getLogger(__name__)

_METADATA_SECONDS = 10.0
_POLL_SECONDS = 0.2
_CLOSE_SECONDS = 1.0
_RECORDS_BETWEEN_POLLS = 64


class Publisher:
    """Writes raw records of one source. Use it as a context manager.

    Key: record id. Partition: murmur2 of the key, as the Java client chooses. Leaving the context
    without `flush` drops what is still queued: the checkpoint has not moved, so the next run reads
    it again.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Raw topic; it must exist.
        encoder: Encoder of the topic's values.
        delivery_seconds: How long a broker may be away before a record counts as failed.

    Raises:
        BrokerUnavailableError: no broker answers, or there is no such topic.
    """

    def __init__(
        self, bootstrap: str, topic: Topic, encoder: Encoder, delivery_seconds: float = 60.0
    ) -> None:
        self._topic = topic.name
        self._encoder = encoder
        self._sent = 0
        self._confirmed = 0
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.messages": 50_000,
                "queue.buffering.max.kbytes": 65_536,
                "delivery.timeout.ms": int(delivery_seconds * 1000),
                "allow.auto.create.topics": False,
                "error_cb": _log_error,
            },
            logger=log,
        )
        self._check_topic(bootstrap)

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

    def publish(self, record: RawRecord) -> None:
        """Queue one record; waits while the queue is full.

        Raises:
            DeliveryError: an earlier record has failed.
        """
        value = self._encoder.encode(record.to_avro())
        key = record.record_id.encode()
        while True:
            if self._failure is not None:
                raise self._error()
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(_POLL_SECONDS)
                continue
            break
        self._sent += 1
        if self._sent % _RECORDS_BETWEEN_POLLS == 0:
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has confirmed every record.

        Raises:
            DeliveryError: at least one record was not confirmed.
        """
        # In slices, so that Ctrl-C is noticed.
        while self._producer.flush(_POLL_SECONDS) > 0 and self._failure is None:
            pass
        if self._failure is not None or self._confirmed != self._sent:
            raise self._error()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._confirmed += 1
        elif self._failure is None:
            self._failure = error

    def _error(self) -> DeliveryError:
        return DeliveryError(
            f"The broker confirmed {self._confirmed} of {self._sent} records on {self._topic}: "
            f"{self._failure or 'no report for the rest'}. The checkpoint has not moved; check the "
            "broker (KAFKA_BOOTSTRAP), then run again."
        )

    def _check_topic(self, bootstrap: str) -> None:
        try:
            found = self._producer.list_topics(self._topic, timeout=_METADATA_SECONDS)
        except KafkaException as error:
            raise BrokerUnavailableError(
                f"No Kafka broker answers at {bootstrap}: {error.args[0].str()}. Start it with "
                "`make run`, or set KAFKA_BOOTSTRAP."
            ) from error
        problem = found.topics[self._topic].error
        if problem is not None:
            raise BrokerUnavailableError(
                f"Topic {self._topic} cannot be used: {problem.str()}. Create the declared topics "
                "with `make topics`."
            )


def _log_error(error: KafkaError) -> None:
    log.debug("librdkafka: %s", error.str())
