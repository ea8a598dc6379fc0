"""Kafka transactions of one input partition: fence, then one commit for each batch.

The transactional id is made of app, topic and partition, so whoever initialises it last owns the
partition: an earlier owner that does not know yet can write nothing any more.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.core.errors import FencedError, TransactionError
from streams.engine.failpoints import failpoint
from streams.kafka.clients import client_settings, not_allowed

logger = logging.getLogger(__name__)

ANY_PARTITION = -1
"""Let the key decide."""

TRANSACTION_TIMEOUT_SECONDS = 60.0
_MAX_ATTEMPTS = 5
_PROBE_KEY = b"\x00probe"
_PROBE_SECONDS = 2.0
_FENCED_CODES = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
    }
)


def transactional_id(group: str, topic: str, partition: int) -> str:
    """Of an input partition of a consumer group: whoever uses it last is the only writer."""
    return f"{group}-{topic}-{partition}"


class Outgoing(NamedTuple):
    """One record to publish. Without a partition the key chooses it (murmur2)."""

    topic: str
    key: bytes
    value: bytes | None
    partition: int = ANY_PARTITION


@dataclass(frozen=True, slots=True)
class Changelog:
    """Where the changelog entries of a batch go."""

    topic: str
    partition: int
    entries: Mapping[bytes, bytes | None] = field(default_factory=dict)


class PartitionTransactions:
    """The transactional producer of one input partition. Blocking: call it in an executor.

    Args:
        bootstrap: Kafka bootstrap servers.
        transactional_id: Of app, topic and partition.
        names: What topics are called that outputs go to, where they have another name.
    """

    def __init__(
        self, bootstrap: str, transactional_id: str, names: Mapping[str, str] | None = None
    ) -> None:
        self._names = names or {}
        self._transactional_id = transactional_id
        self._producer = Producer(
            {
                **client_settings(bootstrap),
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(TRANSACTION_TIMEOUT_SECONDS * 1000),
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 2,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 524_288,
            }
        )
        self._last_offset: int | None = None

    def fence(self) -> None:
        """Become the only writer of this partition; an open transaction of another is aborted.

        Raises:
            FencedError: yet another owner came in between.
            TransactionError: the broker did not answer.
        """
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            self._producer.poll(0)  # gives the client its token, where it shows one
            try:
                self._producer.init_transactions(TRANSACTION_TIMEOUT_SECONDS)
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if not error.retriable() or attempt == _MAX_ATTEMPTS:
                    raise self._failure("initialise", error) from exception
            else:
                return

    def commit(self, outputs: Sequence[Outgoing], changelog: Changelog) -> int:
        """Publish a batch in one transaction; returns the offset of the last changelog entry.

        The changelog must not be empty. After an error that the broker asks to abort, the whole
        batch is tried again; nothing of an aborted try is ever visible to read-committed readers.

        Raises:
            FencedError: another worker owns the partition now.
            TransactionError: it failed for good; nothing was published.
        """
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                self._publish(outputs, changelog)
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if not error.txn_requires_abort() or attempt == _MAX_ATTEMPTS:
                    raise self._failure("commit", error) from exception
                logger.warning("%s: aborted (%s), trying again", self._transactional_id, error)
                self._abort()
            else:
                assert self._last_offset is not None
                return self._last_offset
        raise AssertionError("unreachable")

    def prove_ownership(self, topic: str, partition: int) -> None:
        """Find out whether another owner came meanwhile, by a write that is never visible.

        Says nothing when the broker does not answer by the deadline.

        Args:
            topic: A topic this producer writes to.
            partition: A partition of it.

        Raises:
            FencedError: another worker owns the partition now.
        """
        try:
            self._producer.begin_transaction()
            self._produce([(topic, _PROBE_KEY, None, partition)])
            self._producer.flush(_PROBE_SECONDS)
            self._producer.abort_transaction(_PROBE_SECONDS)
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if error.code() in _FENCED_CODES:
                raise self._failure("end", error) from exception
            logger.warning("%s: ownership not confirmed (%s)", self._transactional_id, error)

    def close(self) -> None:
        """Forget unsent records; an open transaction is left to the next owner's fencing."""
        self._producer.purge()
        try:
            self._producer.flush(1.0)
        except KafkaException as error:
            # A fenced producer says so again; whoever commits with it has raised it already.
            logger.info("%s: ended after %s", self._transactional_id, error.args[0])

    def _publish(self, outputs: Sequence[Outgoing], changelog: Changelog) -> None:
        self._last_offset = None
        self._producer.begin_transaction()
        topic, partition = changelog.topic, changelog.partition
        *entries, last = changelog.entries.items()
        names = self._names
        self._produce(
            (one._replace(topic=names[one.topic]) for one in outputs) if names else outputs
        )
        self._produce((topic, key, value, partition) for key, value in entries)
        self._produce([(topic, *last, partition)], self._remember)
        # Delivery reports are served by flush; commit alone would wait for them for ever.
        self._producer.flush(TRANSACTION_TIMEOUT_SECONDS)
        failpoint("before_commit")
        self._commit()

    def _produce(
        self,
        records: Iterable[tuple[str, bytes, bytes | None, int]],
        on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None:
        produce = self._producer.produce
        for topic, key, value, partition in records:
            while True:
                try:
                    # By position: keywords take a third of the time of this call.
                    produce(topic, value, key, partition, on_delivery)
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    break

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(TRANSACTION_TIMEOUT_SECONDS)
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if not error.retriable():
                    raise
                logger.warning("%s: commit not answered (%s)", self._transactional_id, error)
            else:
                return

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(TRANSACTION_TIMEOUT_SECONDS)
        except KafkaException as exception:
            raise self._failure("abort", exception.args[0]) from exception

    def _remember(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._last_offset = message.offset()

    def _failure(self, what: str, error: KafkaError) -> FencedError | TransactionError:
        if error.code() in _FENCED_CODES:
            return FencedError(
                f"{self._transactional_id}: another worker owns this partition now; this process "
                f"ends so that a fresh one can take its share ({error})."
            )
        if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return TransactionError(not_allowed(f"write transactional id {self._transactional_id}"))
        return TransactionError(
            f"{self._transactional_id}: could not {what} the transaction: {error}. The batch was "
            "not acknowledged and is repeated after a restart; check that the broker is reachable."
        )
