"""Topics on the broker: create the declared ones, tell them apart, say how far groups are.

Blocking; every call opens its own connection and gives up after about 30 s.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec, TopicDescription

from streams.core.errors import BrokerError, TopicMismatchError
from streams.kafka.broker import PATIENCE_SECONDS, Broker, connect, failure
from streams.kafka.broker import PartitionId as PartitionId
from streams.topics import Topic

logger = logging.getLogger(__name__)

_DELETE_LOOK_SECONDS = 0.1


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
    broker = Broker(bootstrap)
    known = broker.existing(declared)
    missing = [topic for name, topic in declared.items() if name not in known]
    created = _create(connect(bootstrap), missing, replication_factor)
    existing = broker.existing(declared.keys() - created)
    _check_partitions(declared, existing)
    _check_settings(broker, [declared[name] for name in existing])
    # A client of its own: one that has seen an earlier topic of the name believes its old epoch.
    Broker(bootstrap).offsets(
        [PartitionId(t.name, number) for t in declared.values() for number in range(t.partitions)],
        OffsetSpec.earliest(),
    )
    return created


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics that exist; returns when they are gone.

    Raises:
        BrokerError: no answer, or the broker refuses.
    """
    broker, admin = Broker(bootstrap), connect(bootstrap)
    doomed = list(broker.existing(names))
    try:
        for future in (admin.delete_topics(doomed) if doomed else {}).values():
            future.result()
    except KafkaException as exception:
        raise failure("delete topics", exception) from exception
    deadline = time.monotonic() + PATIENCE_SECONDS
    while broker.existing(doomed):
        if time.monotonic() > deadline:
            raise BrokerError(f"Kafka has not deleted {', '.join(doomed)}; try again.")
        time.sleep(_DELETE_LOOK_SECONDS)


def topic_uuids(bootstrap: str, names: Iterable[str]) -> dict[str, str]:
    """Identity of each topic; a topic that was deleted and created again has another one.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    described = Broker(bootstrap).described(names)
    return {name: str(description.topic_id) for name, description in described.items()}


def end_offsets(bootstrap: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """High-water mark of every partition: one above its last record or transaction marker.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    broker = Broker(bootstrap)
    return broker.offsets(broker.partitions(topics), OffsetSpec.latest())


def committed_offsets(bootstrap: str, group: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """Committed offset of a consumer group, for partitions where it has committed any.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    broker = Broker(bootstrap)
    return broker.committed(group, broker.partitions(topics))


def lag(bootstrap: str, group: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """What a group that reads from the beginning has still to read, for every partition.

    Exactly 0 when no record is left, otherwise the distance in offsets from the next record to the
    end, which also counts markers, aborted and compacted records in between. Offsets alone cannot
    tell: committed is the last record + 1, and after that record comes a transaction marker nobody
    ever reads. So where offsets differ, one look is taken at what a read-committed reader would get
    next. Offsets of an open transaction count, since they may become records.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    broker = Broker(bootstrap)
    partitions = broker.partitions(topics)
    # Committed before ends: what happens in between makes the lag larger, never smaller.
    committed = broker.committed(group, partitions)
    starts = broker.offsets(partitions, OffsetSpec.earliest())
    ends = broker.offsets(partitions, OffsetSpec.latest())
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
    readable = broker.next_readable(behind) if behind else {}
    return {
        partition: max(0, ends[partition] - readable.get(partition, ends[partition]))
        for partition in partitions
    }


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
        request_timeout=PATIENCE_SECONDS,
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
        raise failure(f"create topic {name}", exception) from exception
    return True


def _check_partitions(
    declared: Mapping[str, Topic], existing: Mapping[str, TopicDescription]
) -> None:
    for name, description in existing.items():
        if len(description.partitions) != declared[name].partitions:
            raise TopicMismatchError(
                f"Topic {name} has {len(description.partitions)} partitions, declared are "
                f"{declared[name].partitions}. The count never changes in place, state is bound to "
                "it. Rebuild: stop the workers, run `make rebuild`, start again."
            )


def _check_settings(broker: Broker, topics: Collection[Topic]) -> None:
    settings = broker.settings([topic.name for topic in topics])
    for topic, found in zip(topics, settings, strict=True):
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
