"""Topics on the broker: create the declared ones, tell them apart, say where groups stand.

Blocking; every call opens its own connection and gives up after about 30 s.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

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
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    TopicDescription,
)

from streams.core.errors import BrokerError, TopicMismatchError
from streams.topics import Topic

logger = logging.getLogger(__name__)

_SECONDS = 30.0
_REQUEST_SECONDS = 10.0

# What a broker says while it is starting or has just created a topic.
_TRANSIENT = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._NOENT,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
    }
)
_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})

# A look at the next record of a partition needs no large fetch, and at the end no readable.
_PEEK_BYTES = 65_536
_PEEK_WAIT_MS = 10
_DELETE_LOOK_SECONDS = 0.1
_PEEK_SECONDS = 0.1


class PartitionId(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


def ensure_topics(
    bootstrap: str, topics: Iterable[Topic], replication_factor: int
) -> tuple[str, ...]:
    """Create the declared topics that are missing and check the others; returns what it created.

    Idempotent, also when several processes do it at once. When it returns, every partition has a
    leader that answers. Other settings than the clean-up policy may differ from the declaration:
    an operator's choice, logged as a warning.

    Raises:
        TopicMismatchError: an existing topic has another partition count or clean-up policy.
        BrokerError: no answer, or the broker refuses to create a topic.
    """
    declared = {topic.name: topic for topic in topics}
    admin = _admin(bootstrap)
    known = _describe(admin, declared)
    missing = [topic for name, topic in declared.items() if name not in known]
    created = _create(admin, missing, replication_factor)
    existing = _describe(admin, declared.keys() - created)
    _check_partitions(declared, existing)
    _check_settings(admin, [declared[name] for name in existing])
    _offsets(
        admin,
        [PartitionId(t.name, number) for t in declared.values() for number in range(t.partitions)],
        OffsetSpec.earliest(),
    )
    return created


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics that exist; returns when they are gone.

    Raises:
        BrokerError: no answer, or the broker refuses.
    """
    admin = _admin(bootstrap)
    doomed = list(_describe(admin, names))
    try:
        for future in (admin.delete_topics(doomed) if doomed else {}).values():
            future.result()
    except KafkaException as exception:
        raise _failure("delete topics", exception) from exception
    deadline = time.monotonic() + _SECONDS
    while _describe(admin, doomed):
        if time.monotonic() > deadline:
            raise BrokerError(f"Kafka has not deleted {', '.join(doomed)}; try again.")
        time.sleep(_DELETE_LOOK_SECONDS)


def topic_uuids(bootstrap: str, names: Iterable[str]) -> dict[str, str]:
    """Identity of each topic; a topic that was deleted and created again has another one.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    described = _describe_all(_admin(bootstrap), names)
    return {name: str(description.topic_id) for name, description in described.items()}


def end_offsets(bootstrap: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """High-water mark of every partition: one above its last record or transaction marker.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    admin = _admin(bootstrap)
    return _offsets(admin, _partitions(admin, topics), OffsetSpec.latest())


def committed_offsets(bootstrap: str, group: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """Committed offset of a consumer group, for partitions where it has committed any.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    admin = _admin(bootstrap)
    return _committed(bootstrap, group, _partitions(admin, topics))


def lag(bootstrap: str, group: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """What a group that reads from the beginning has still to read, for every partition.

    Exactly 0 when no record is left, otherwise the distance in offsets from the next record to the
    end, which also counts markers, aborted and compacted records in between. Offsets alone cannot
    tell: committed is the last record + 1, and after that record stands a transaction marker nobody
    ever reads. So where offsets differ, one look is taken at what a read-committed reader would get
    next. Offsets of an open transaction count, since they may become records.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    admin = _admin(bootstrap)
    partitions = _partitions(admin, topics)
    # Committed before ends: what happens in between makes the lag larger, never smaller.
    committed = _committed(bootstrap, group, partitions)
    starts = _offsets(admin, partitions, OffsetSpec.earliest())
    ends = _offsets(admin, partitions, OffsetSpec.latest())
    positions = {
        partition: position
        if starts[partition] <= (position := committed.get(partition, -1)) <= ends[partition]
        else starts[partition]
        for partition in partitions
    }
    behind = {
        partition: position
        for partition, position in positions.items()
        if position < ends[partition]
    }
    readable = _next_readable(bootstrap, behind) if behind else {}
    return {
        partition: max(0, ends[partition] - readable.get(partition, ends[partition]))
        for partition in partitions
    }


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap}, logger=logger)


def _transient(error: Exception) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _TRANSIENT


_retry = stamina.retry(
    on=_transient,
    attempts=None,
    timeout=_SECONDS,
    wait_initial=0.05,
    wait_jitter=0.05,
    wait_max=1.0,
)


def _failure(what: str, exception: KafkaException) -> BrokerError:
    error: KafkaError = exception.args[0]
    return BrokerError(
        f"Kafka could not {what}: {error.str()}. Check that the broker runs and that "
        "KAFKA_BOOTSTRAP names it."
    )


def _describe(admin: AdminClient, names: Iterable[str]) -> dict[str, TopicDescription]:
    """The topics that exist."""

    @_retry
    def ask() -> dict[str, TopicDescription]:
        found = {}
        futures = admin.describe_topics(
            TopicCollection(list(names)), request_timeout=_REQUEST_SECONDS
        )
        for name, future in futures.items():
            try:
                found[name] = future.result()
            except KafkaException as exception:
                if exception.args[0].code() not in _MISSING:
                    raise
        return found

    try:
        return ask()
    except KafkaException as exception:
        raise _failure("describe topics", exception) from exception


def _describe_all(admin: AdminClient, names: Iterable[str]) -> dict[str, TopicDescription]:
    wanted = tuple(dict.fromkeys(names))
    described = _describe(admin, wanted)
    missing = [name for name in wanted if name not in described]
    if missing:
        raise TopicMismatchError(
            f"There is no topic {', '.join(missing)}; `make topics` creates the declared ones."
        )
    return described


def _partitions(admin: AdminClient, topics: Iterable[str]) -> tuple[PartitionId, ...]:
    return tuple(
        PartitionId(name, partition.id)
        for name, description in _describe_all(admin, topics).items()
        for partition in description.partitions
    )


def _create(
    admin: AdminClient, topics: Collection[Topic], replication_factor: int
) -> tuple[str, ...]:
    if not topics:
        return ()
    futures = admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, replication_factor, config=topic.broker_config())
            for topic in topics
        ],
        request_timeout=_SECONDS,
    )
    return tuple(name for name, future in futures.items() if _created(name, future))


def _created(name: str, future: "Future[None]") -> bool:
    try:
        future.result()
    except KafkaException as exception:
        if exception.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        if exception.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR:
            raise BrokerError(
                f"Kafka has too few brokers for topic {name}: {exception.args[0].str()} "
                "Set REPLICATION_FACTOR to at most their number."
            ) from exception
        raise _failure(f"create topic {name}", exception) from exception
    return True


def _check_partitions(
    declared: Mapping[str, Topic], existing: Mapping[str, TopicDescription]
) -> None:
    for name, description in existing.items():
        if len(description.partitions) != declared[name].partitions:
            raise TopicMismatchError(
                f"Topic {name} has {len(description.partitions)} partitions, declared are "
                f"{declared[name].partitions}. The count never changes in place, state is bound to "
                "it. Rebuild: stop the workers, run `python -m streams rebuild`, start again."
            )


def _check_settings(admin: AdminClient, topics: Collection[Topic]) -> None:
    for topic, found in zip(topics, _settings(admin, topics), strict=True):
        for setting, value in topic.broker_config().items():
            if found[setting] == value:
                continue
            if setting == "cleanup.policy":
                raise TopicMismatchError(
                    f"Topic {topic.name} has cleanup.policy {found[setting]}, declared is {value}. "
                    f"Set it: `kafka-configs --alter --topic {topic.name} --add-config "
                    f"cleanup.policy={value}`."
                )
            logger.warning(
                "Topic %s has %s=%s, declared is %s", topic.name, setting, found[setting], value
            )


def _settings(admin: AdminClient, topics: Collection[Topic]) -> list[dict[str, str]]:
    @_retry
    def ask() -> list[dict[str, str]]:
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in topics]
        futures: Mapping[Any, Any] = admin.describe_configs(resources) if resources else {}
        return [
            {name: entry.value for name, entry in futures[resource].result().items()}
            for resource in resources
        ]

    try:
        return ask()
    except KafkaException as exception:
        raise _failure("describe topic settings", exception) from exception


def _offsets(
    admin: AdminClient, partitions: Collection[PartitionId], spec: OffsetSpec
) -> dict[PartitionId, int]:
    """First offsets or high-water marks; waits for the leader of a new partition."""

    @_retry
    def ask() -> dict[PartitionId, int]:
        futures = admin.list_offsets(
            {TopicPartition(*partition): spec for partition in partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_REQUEST_SECONDS,
        )
        return {
            PartitionId(key.topic, key.partition): future.result().offset
            for key, future in futures.items()
        }

    try:
        return ask() if partitions else {}
    except KafkaException as exception:
        raise _failure("list offsets", exception) from exception


def _committed(
    bootstrap: str, group: str, partitions: Collection[PartitionId]
) -> dict[PartitionId, int]:
    """Committed offsets, asked as a consumer that never joins.

    Not by `AdminClient.list_consumer_group_offsets`: librdkafka 2.12 dereferences a null pointer
    when its coordinator answers with a group error, for instance while it loads.
    """
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False},
        logger=logger,
    )

    @_retry
    def ask() -> dict[PartitionId, int]:
        found = consumer.committed(
            [TopicPartition(*partition) for partition in partitions], timeout=_REQUEST_SECONDS
        )
        return {PartitionId(it.topic, it.partition): it.offset for it in found if it.offset >= 0}

    try:
        return ask() if partitions else {}
    except KafkaException as exception:
        raise _failure(f"read the offsets of group {group}", exception) from exception
    finally:
        consumer.close()


def _next_readable(bootstrap: str, positions: Mapping[PartitionId, int]) -> dict[PartitionId, int]:
    """Offset of the next record, or the end of what can be read now where none follows."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "peek",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": _PEEK_WAIT_MS,
            "fetch.message.max.bytes": _PEEK_BYTES,
        },
        logger=logger,
    )
    readable: dict[PartitionId, int] = {}
    deadline = time.monotonic() + _SECONDS
    try:
        consumer.assign(
            [TopicPartition(*partition, offset) for partition, offset in positions.items()]
        )
        while len(readable) < len(positions):
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka did not serve {sorted(positions.keys() - readable.keys())} within "
                    f"{_SECONDS:.0f} s; check the broker's log and try again."
                )
            message = consumer.poll(_PEEK_SECONDS)
            if message is None:
                continue
            partition = PartitionId(message.topic(), message.partition())
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                readable.setdefault(partition, message.offset())
            elif error.code() not in _TRANSIENT:
                raise _failure("read a partition", KafkaException(error))
    finally:
        consumer.close()
    return readable
