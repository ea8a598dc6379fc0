"""Topics on the broker: create the declared ones, tell them apart, say how far groups are.

Blocking; every call opens its own connection and gives up after about 30 s.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    TopicDescription,
)

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
        TopicMismatchError: an existing topic has another partition count or clean-up policy, or is
            being remade.
        BrokerError: no answer, or the broker refuses to create a topic.
    """
    declared = {topic.name: topic for topic in topics}
    broker = Broker(bootstrap)
    known = broker.existing(declared)
    missing = [topic for name, topic in declared.items() if name not in known]
    created = _create(connect(bootstrap), missing, replication_factor)
    existing = broker.existing(declared.keys() - created)
    _check_partitions(broker, declared, existing)
    _check_settings(broker, [declared[name] for name in existing])
    _wait_for_leaders(bootstrap, declared.values())
    return created


@dataclass(frozen=True, slots=True)
class Difference:
    """What a topic has otherwise than declared.

    Attributes:
        topic: Its name.
        what: `topic` for one that is missing, `partitions`, `replicas`, or a setting of the broker.
        declared: As declared.
        found: As the broker has it; None for a missing topic.
        fix: What to run.
    """

    topic: str
    what: str
    declared: str
    found: str | None
    fix: str

    @property
    def is_setting(self) -> bool:
        """Whether it is a setting, which can be altered in place."""
        return "." in self.what


def topic_differences(
    bootstrap: str, topics: Iterable[Topic], replication_factor: int
) -> tuple[Difference, ...]:
    """Where the topics on the broker differ from their declaration; changes nothing.

    More replicas than declared are no difference.

    Raises:
        BrokerError: no answer.
    """
    declared = {topic.name: topic for topic in topics}
    broker = Broker(bootstrap)
    existing = broker.existing(declared)
    settings = dict(zip(existing, broker.settings(existing), strict=True))
    found = []
    for name, topic in declared.items():
        if name not in existing:
            found.append(Difference(name, "topic", name, None, "make topics"))
            continue
        partitions = existing[name].partitions
        if len(partitions) != topic.partitions:
            counts = str(topic.partitions), str(len(partitions))
            found.append(Difference(name, "partitions", *counts, _partitions_fix(topic)))
        replicas = min(len(partition.replicas) for partition in partitions)
        if replicas < replication_factor:
            found.append(
                Difference(
                    name,
                    "replicas",
                    str(replication_factor),
                    str(replicas),
                    "kafka-reassign-partitions --execute",
                )
            )
        found += [
            Difference(name, setting, value, settings[name][setting], "make topics ARGS=--fix")
            for setting, value in topic.broker_config().items()
            if settings[name][setting] != value
        ]
    return tuple(found)


def alter_settings(bootstrap: str, differences: Iterable[Difference]) -> None:
    """Give topics the settings that are declared.

    Args:
        bootstrap: Kafka bootstrap servers.
        differences: Which ones; those that are no setting are left out.

    Raises:
        BrokerError: no answer, or the broker refuses.
    """
    entries: dict[str, list[ConfigEntry]] = {}
    for one in differences:
        if one.is_setting:
            entry = ConfigEntry(one.what, one.declared, incremental_operation=AlterConfigOpType.SET)
            entries.setdefault(one.topic, []).append(entry)
    resources = [
        ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=found)
        for name, found in entries.items()
    ]
    admin = connect(bootstrap)
    try:
        altered = admin.incremental_alter_configs(resources) if resources else {}
        for future in altered.values():
            future.result()
    except KafkaException as exception:
        raise failure("alter topic settings", exception) from exception


def recreate_topic(bootstrap: str, topic: Topic, replication_factor: int) -> None:
    """Create a topic as declared and empty, in place of one of its name; every partition answers.

    Raises:
        BrokerError: no answer, or the broker refuses.
    """
    delete_topics(bootstrap, [topic.name])
    _create(connect(bootstrap), [topic], replication_factor)
    _wait_for_leaders(bootstrap, [topic])


def require_topics(
    bootstrap: str,
    topics: Iterable[Topic],
    *,
    read: Iterable[Topic] = (),
    written: Iterable[Topic] = (),
    group: str | None = None,
) -> None:
    """Check that topics exist with the declared number of partitions; creates nothing.

    Args:
        bootstrap: Kafka bootstrap servers.
        topics: What must be as declared.
        read: Topics that this process must be allowed to read.
        written: Topics that it must be allowed to write.
        group: Consumer group that it must be allowed to join; None for none.

    Raises:
        TopicMismatchError: one is missing, has another partition count, or is being remade.
        BrokerError: no answer, or a right is missing.
    """
    declared = {topic.name: topic for topic in topics}
    broker = Broker(bootstrap)
    broker.require_rights(AclOperation.READ, (topic.name for topic in read))
    broker.require_rights(AclOperation.WRITE, (topic.name for topic in written))
    _check_partitions(broker, declared, broker.described(declared))
    if group is not None:
        broker.require_member(group)


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


def has_open_transaction(bootstrap: str, topic: str) -> bool:
    """Whether a topic has records of a transaction that has not ended.

    Raises:
        TopicMismatchError: the topic is missing.
        BrokerError: no answer.
    """
    broker = Broker(bootstrap)
    partitions = broker.partitions([topic])
    ends = broker.offsets(partitions, OffsetSpec.latest())
    # Asked last: what ends or is written in between hides nothing.
    shown = broker.offsets(partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
    return any(shown[partition] < end for partition, end in ends.items())


def offsets_at(bootstrap: str, topic: str, time: datetime) -> dict[PartitionId, int]:
    """First offset of every partition whose Kafka time is not before; the end where none is.

    Raises:
        TopicMismatchError: the topic is missing.
        BrokerError: no answer.
    """
    broker = Broker(bootstrap)
    partitions = broker.partitions([topic])
    ends = broker.offsets(partitions, OffsetSpec.latest())
    milliseconds = round(time.timestamp() * 1000)
    found = broker.offsets(partitions, OffsetSpec.for_timestamp(milliseconds))
    return {
        partition: found[partition] if found[partition] >= 0 else ends[partition]
        for partition in partitions
    }


def committed_offsets(bootstrap: str, group: str, topics: Iterable[str]) -> dict[PartitionId, int]:
    """Committed offset of a consumer group, for partitions where it has committed any.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    broker = Broker(bootstrap)
    return broker.committed(group, broker.partitions(topics))


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """Where a group is in a partition that it reads from the beginning.

    Attributes:
        committed: Committed offset; None before the first commit.
        end: Offset after the last record; below `committed` when the log was cut or recreated.
        lag: What it has still to read, see `lag`.
    """

    committed: int | None
    end: int
    lag: int


_MARKERS: Final = 2
"""Offsets behind the last record of a topic at rest: markers of transactions."""


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
    found = group_positions(bootstrap, group, topics)
    return {partition: position.lag for partition, position in found.items()}


def group_positions(
    bootstrap: str, group: str, topics: Iterable[str]
) -> dict[PartitionId, GroupPosition]:
    """Where a group is in every partition of its topics.

    Raises:
        TopicMismatchError: a topic is missing.
        BrokerError: no answer.
    """
    return _group_positions(Broker(bootstrap), group, topics, lambda partition, gap: True)


class GroupProgress:
    """Where a group is, asked again and again by whoever waits for it.

    A look at the next record costs twenty times the rest of a question. So one is taken only where
    markers alone may be left, and where nothing has moved since the question before: a lag may
    be above 0 once more when no record is left.
    """

    def __init__(self, bootstrap: str, group: str, topics: Iterable[str]) -> None:
        self._broker = Broker(bootstrap)
        self._group = group
        self._topics = tuple(topics)
        self._gaps: dict[PartitionId, _Gap] = {}

    def positions(self) -> dict[PartitionId, GroupPosition]:
        """As `group_positions`."""
        before, self._gaps = self._gaps, {}

        def needs_look(partition: PartitionId, gap: _Gap) -> bool:
            self._gaps[partition] = gap
            return gap.end - gap.position <= _MARKERS or before.get(partition) == gap

        return _group_positions(self._broker, self._group, self._topics, needs_look)

    def left(self) -> int:
        """What is still to read in all partitions, see `lag`."""
        return sum(position.lag for position in self.positions().values())


class _Gap(NamedTuple):
    """Offsets of one partition that a group has not read; some may be no records."""

    position: int
    end: int


def _group_positions(
    broker: Broker,
    group: str,
    topics: Iterable[str],
    needs_look: Callable[[PartitionId, _Gap], bool],
) -> dict[PartitionId, GroupPosition]:
    partitions = broker.partitions(topics)
    # Committed before ends: what happens in between makes the lag larger, never smaller.
    committed = broker.committed(group, partitions)
    starts = broker.offsets(partitions, OffsetSpec.earliest())
    ends = broker.offsets(partitions, OffsetSpec.latest())
    next_offsets = {
        partition: position
        if starts[partition] <= (position := committed.get(partition, -1)) <= ends[partition]
        else starts[partition]
        for partition in partitions
    }
    looked_at = {
        partition: position
        for partition, position in next_offsets.items()
        if position < ends[partition] and needs_look(partition, _Gap(position, ends[partition]))
    }
    if looked_at:
        next_offsets |= broker.next_readable(looked_at)
    return {
        partition: GroupPosition(
            committed.get(partition), ends[partition], max(0, ends[partition] - position)
        )
        for partition, position in next_offsets.items()
    }


def _wait_for_leaders(bootstrap: str, topics: Iterable[Topic]) -> None:
    # A client of its own: one that has seen an earlier topic of the name believes its old epoch.
    Broker(bootstrap).offsets(
        [PartitionId(topic.name, number) for topic in topics for number in range(topic.partitions)],
        OffsetSpec.earliest(),
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


def remaking(name: str) -> str:
    """The topic that holds the records of another one while that is made again."""
    return f"{name}.remaking"


def partition_mismatch(topic: Topic, found: int) -> TopicMismatchError:
    """The error for a topic with another number of partitions than declared."""
    fix = _partitions_fix(topic)
    advice = (
        f"Stop the workers, then run `{fix}`: it makes the changelog again."
        if topic.is_changelog
        else f"Records land where nobody reads them. Stop producers and workers, then run `{fix}`."
    )
    return TopicMismatchError(
        f"Topic {topic.name} has {found} partitions, declared are {topic.partitions}. {advice}"
    )


def _partitions_fix(topic: Topic) -> str:
    return "make rebuild" if topic.is_changelog else f"make topic-remake TOPIC={topic.name}"


def _check_partitions(
    broker: Broker, declared: Mapping[str, Topic], existing: Mapping[str, TopicDescription]
) -> None:
    unfinished = broker.existing(remaking(name) for name in declared)
    for name in declared:
        if remaking(name) in unfinished:
            raise TopicMismatchError(
                f"Topic {name} is being made again: wait for the end, or run `make topic-remake "
                f"TOPIC={name}` when that was interrupted."
            )
    for name, description in existing.items():
        if len(description.partitions) != declared[name].partitions:
            raise partition_mismatch(declared[name], len(description.partitions))


def _check_settings(broker: Broker, topics: Collection[Topic]) -> None:
    settings = broker.settings([topic.name for topic in topics])
    for topic, found in zip(topics, settings, strict=True):
        for setting, value in topic.broker_config().items():
            if found[setting] == value:
                continue
            if setting == "cleanup.policy":
                raise TopicMismatchError(
                    f"Topic {topic.name} has cleanup.policy {found[setting]}, declared is {value}. "
                    "Run `make topics ARGS=--fix`, which sets it."
                )
            logger.warning(
                "Topic %s has %s=%s, declared is %s: `make topics ARGS=--fix` sets it",
                topic.name,
                setting,
                found[setting],
                value,
            )
