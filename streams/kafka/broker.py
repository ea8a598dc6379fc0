"""Questions to a Kafka broker, asked again while it says that it is not ready.

Every question raises BrokerError when there is no answer within `PATIENCE_SECONDS`.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import stamina
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    ConfigResource,
    OffsetSpec,
    TopicDescription,
)

from streams.core.errors import BrokerError, TopicMismatchError
from streams.kafka.clients import client_settings, not_allowed, reader_settings, refusal
from streams.topics import SCHEMA_IDS

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 30.0
"""How long a call waits for a broker that is starting or busy."""

_REQUEST_SECONDS = 10.0
_REFUSAL_SECONDS = 0.5
"""How often a call that waits is asked whether the broker has refused the connection."""

_PULSE_SECONDS = 1.0

_REFUSED_CODES = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)

_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})

# What a broker says while it is starting, or of a topic that has just been created elsewhere.
_TRANSIENT = _MISSING | {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._NOENT,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
}

# A look at the next record of a partition needs no large fetch, and at the end no waiting.
_PEEK_BYTES = 65_536
_PEEK_WAIT_MS = 10
_PEEK_SECONDS = 0.1


class PartitionId(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


def _transient(error: Exception) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _TRANSIENT


_retry = stamina.retry(
    on=_transient,
    attempts=None,
    timeout=PATIENCE_SECONDS,
    wait_initial=0.05,
    wait_jitter=0.05,
    wait_max=1.0,
)

_Answer = TypeVar("_Answer")


def connect(bootstrap: str) -> AdminClient:
    """An administration client whose complaints go to the log.

    Raises:
        BrokerError: this process is not let in.
    """
    return AdminClient(client_settings(bootstrap), logger=logger)


def answer_of(admin: AdminClient, future: "Future[_Answer]") -> _Answer:
    """The answer that a call of a client waits for.

    Raises:
        BrokerError: the broker and this process do not let each other in.
        KafkaException: any other error.
    """
    since = time.monotonic()
    while True:
        try:
            return future.result(_REFUSAL_SECONDS)
        except TimeoutError:
            # Serves the events; until then nobody hears of them.
            admin.poll(0)
            if (refused := refusal(since)) is not None:
                raise BrokerError(refused) from None


def is_refusal(error: KafkaError) -> bool:
    """Whether the broker says that this process lacks a right."""
    return error.code() in _REFUSED_CODES


def failure(what: str, exception: KafkaException) -> BrokerError:
    """The error for a call the broker refused."""
    error: KafkaError = exception.args[0]
    if is_refusal(error):
        return BrokerError(not_allowed(what))
    return BrokerError(
        f"Kafka could not {what}: {error.str()}. Check that the broker runs, and that "
        "KAFKA_BOOTSTRAP names it and KAFKA_SECURITY_PROTOCOL is how it is spoken to there."
    )


class BrokerPulse:
    """Whether Kafka answers at all; one connection for the life of a process."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: AdminClient | None = None

    def feel(self) -> None:
        """Return when Kafka has answered, however long that takes."""
        if self._admin is None:
            self._admin = connect(self._bootstrap)
        while True:
            try:
                # Gives the client its token, where it shows one: this call would wait for ever.
                self._admin.poll(0)
                # Not `describe_cluster`: librdkafka 2.12 aborts the process when a broker answers
                # that names no broker, as one does that has just been away for a while.
                # Of a topic that every role reads: a refusal would fill the broker's log.
                self._admin.list_topics(SCHEMA_IDS.name, timeout=_REQUEST_SECONDS)
            except KafkaException as exception:
                logger.debug("Kafka does not answer: %s", exception.args[0].str())
                time.sleep(_PULSE_SECONDS)
            else:
                return


class Broker:
    """One connection for a few questions."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = connect(bootstrap)

    def existing(self, names: Iterable[str], what: str = "describe") -> dict[str, TopicDescription]:
        """Those of the topics that exist; `what` is to be done with them, in one word."""
        wanted = list(names)
        refused: list[str] = []

        @_retry
        def ask() -> dict[str, TopicDescription]:
            found = {}
            futures = self._admin.describe_topics(
                TopicCollection(wanted),
                include_authorized_operations=True,
                request_timeout=_REQUEST_SECONDS,
            )
            refused.clear()
            for name, future in futures.items():
                try:
                    found[name] = answer_of(self._admin, future)
                except KafkaException as exception:
                    code = exception.args[0].code()
                    if code in _REFUSED_CODES:
                        refused.append(name)
                    elif code not in _MISSING:
                        raise
            return found

        try:
            found = ask()
        except KafkaException as exception:
            raise failure("describe topics", exception) from exception
        if refused:
            raise BrokerError(not_allowed(f"{what} topic {', '.join(sorted(refused))}"))
        return found

    def require_rights(self, right: AclOperation, names: Iterable[str]) -> None:
        """Check that this process may do something with topics, before it is in the midst of it."""
        wanted = tuple(names)
        if not wanted:
            return
        what = right.name.lower()
        missing = [
            name
            for name, description in self.described(wanted, what).items()
            if right not in (description.authorized_operations or (right,))
        ]
        if missing:
            raise BrokerError(not_allowed(f"{what} topic {', '.join(missing)}"))

    def require_member(self, group: str) -> None:
        """Check that this process may join a consumer group: its own client would wait for ever."""

        @_retry
        def ask() -> Collection[AclOperation] | None:
            futures = self._admin.describe_consumer_groups(
                [group], include_authorized_operations=True, request_timeout=_REQUEST_SECONDS
            )
            found: Collection[AclOperation] | None
            found = answer_of(self._admin, futures[group]).authorized_operations
            return found

        try:
            allowed = ask()
        except KafkaException as exception:
            if exception.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return  # nobody has joined yet; whoever may not describe it is refused before
            raise failure(f"read group {group}", exception) from exception
        if allowed is not None and AclOperation.READ not in allowed:
            raise BrokerError(not_allowed(f"read group {group}"))

    def described(
        self, names: Iterable[str], what: str = "describe"
    ) -> dict[str, TopicDescription]:
        """All of the topics; `what` as in `existing`."""
        wanted = tuple(dict.fromkeys(names))
        described = self.existing(wanted, what)
        missing = [name for name in wanted if name not in described]
        if missing:
            raise TopicMismatchError(
                f"There is no topic {', '.join(missing)}; `make topics` creates the declared ones."
            )
        return described

    def partitions(self, topics: Iterable[str]) -> tuple[PartitionId, ...]:
        """Every partition of the topics."""
        return tuple(
            PartitionId(name, partition.id)
            for name, description in self.described(topics).items()
            for partition in description.partitions
        )

    def settings(self, names: Collection[str]) -> list[dict[str, str]]:
        """Settings of each topic, in the order asked."""

        @_retry
        def ask() -> list[dict[str, str]]:
            resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
            futures: Mapping[Any, Any] = (
                self._admin.describe_configs(resources) if resources else {}
            )
            return [
                {
                    name: entry.value
                    for name, entry in answer_of(self._admin, futures[resource]).items()
                }
                for resource in resources
            ]

        try:
            return ask()
        except KafkaException as exception:
            raise failure("describe topic settings", exception) from exception

    def offsets(
        self,
        partitions: Collection[PartitionId],
        spec: OffsetSpec,
        isolation_level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> dict[PartitionId, int]:
        """First offsets or high-water marks; waits for the leader of a new partition.

        Read committed, the end is where the first open transaction begins.
        """

        @_retry
        def ask() -> dict[PartitionId, int]:
            futures = self._admin.list_offsets(
                {TopicPartition(*partition): spec for partition in partitions},
                isolation_level=isolation_level,
                request_timeout=_REQUEST_SECONDS,
            )
            try:
                return {
                    PartitionId(key.topic, key.partition): answer_of(self._admin, future).offset
                    for key, future in futures.items()
                }
            except KafkaException:
                # A client that asked for a topic before the broker knew it may say for half a
                # minute that there is none.
                self._admin = connect(self._bootstrap)
                raise

        try:
            return ask() if partitions else {}
        except KafkaException as exception:
            raise failure("list offsets", exception) from exception

    def committed(self, group: str, partitions: Collection[PartitionId]) -> dict[PartitionId, int]:
        """Committed offsets of a group where it has any, asked as a consumer that never joins.

        Not by `AdminClient.list_consumer_group_offsets`: librdkafka 2.12 dereferences a null
        pointer when its coordinator answers with a group error, for instance while it loads.
        """
        consumer = Consumer(
            {
                **client_settings(self._bootstrap),
                "group.id": group,
                "enable.auto.commit": False,
            },
            logger=logger,
        )

        @_retry
        def ask() -> dict[PartitionId, int]:
            consumer.poll(0)  # gives the client its token, where it shows one
            found = consumer.committed(
                [TopicPartition(*partition) for partition in partitions], timeout=_REQUEST_SECONDS
            )
            return {
                PartitionId(one.topic, one.partition): one.offset
                for one in found
                if one.offset >= 0
            }

        try:
            return ask() if partitions else {}
        except KafkaException as exception:
            raise failure(f"describe group {group}", exception) from exception
        finally:
            consumer.close()

    def next_readable(self, positions: Mapping[PartitionId, int]) -> dict[PartitionId, int]:
        """Offset of the next record, or the end of what can be read now where none follows."""
        consumer = Consumer(
            {
                **reader_settings(self._bootstrap),
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": _PEEK_WAIT_MS,
                "fetch.message.max.bytes": _PEEK_BYTES,
            },
            logger=logger,
        )
        readable: dict[PartitionId, int] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            consumer.assign(
                [TopicPartition(*partition, offset) for partition, offset in positions.items()]
            )
            while len(readable) < len(positions):
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"Kafka did not serve {sorted(positions.keys() - readable.keys())} within "
                        f"{PATIENCE_SECONDS:.0f} s; check the broker's log and try again."
                    )
                message = consumer.poll(_PEEK_SECONDS)
                if message is None:
                    continue
                partition = PartitionId(message.topic(), message.partition())
                error = message.error()
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    readable.setdefault(partition, message.offset())
                elif error.code() not in _TRANSIENT:
                    raise failure("read a partition", KafkaException(error))
        finally:
            consumer.close()
        return readable
