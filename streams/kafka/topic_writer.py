"""Writing to a topic from outside the workers: every record confirmed, or an error."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.core.errors import BrokerError

ANY_PARTITION = -1
_FLUSH_SECONDS = 60.0


class TopicWriter:
    """Publishes records; they are there for sure once `finish` has returned."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
            }
        )
        self._failed: list[str] = []

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int = ANY_PARTITION,
        timestamp_ms: int = 0,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Hand one record in.

        Args:
            topic: Topic.
            key: Chooses the partition unless one is given.
            value: Framed bytes; None is a tombstone.
            partition: Partition.
            timestamp_ms: Kafka time, milliseconds; 0 is now.
            headers: Message headers.

        Raises:
            BrokerError: it cannot be sent at all.
        """
        while True:
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
                self._producer.poll(0.1)
            except KafkaException as error:
                raise _error(str(error)) from error
            else:
                return

    def finish(self) -> None:
        """Wait for the confirmations.

        Raises:
            BrokerError: some did not come.
        """
        waiting = self._producer.flush(_FLUSH_SECONDS)
        if waiting or self._failed:
            reason = self._failed[0] if self._failed else "no answer"
            raise _error(f"{waiting + len(self._failed)} records not confirmed ({reason})")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}/{message.partition()}: {error.str()}")


def _error(what: str) -> BrokerError:
    return BrokerError(f"Kafka: {what}. Check the broker and run the command again.")
