"""Making a topic again with its declared number of partitions, when somebody has changed it.

Kafka can add partitions, never take them away, and from then on a key goes to another partition
than before. So the records are copied in their order to a topic aside, the topic is deleted and
created as declared, and the records are copied back. The topic aside exists until that is done;
meanwhile nothing else may use the topic. What is interrupted goes on when the command runs again.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from heapq import merge
from operator import attrgetter

from producers.checkpoint import open_store
from producers.connectors import CONNECTORS
from streams.commands.deploy import all_topics
from streams.core.errors import BrokerError, RecordTooLargeError, SettingsError, StateError
from streams.core.records import RawCoordinates
from streams.core.redrive import original_of
from streams.kafka.broker import Broker
from streams.kafka.groups import forget_offsets, require_stopped
from streams.kafka.topic_admin import delete_topics, end_offsets, recreate_topic, remaking
from streams.kafka.topic_reader import Record, read
from streams.kafka.topic_writer import ANY_PARTITION, TopicWriter
from streams.settings import Settings
from streams.topics import KEEP_FOR_EVER, Topic, raw_topic
from streams.topology import SINK_TOPICS, outputs, pipeline

_COMPLETE = "remaking-complete"
"""Header of the last record of the topic aside."""


@dataclass(frozen=True, slots=True)
class Remade:
    """What became of a topic.

    Attributes:
        records: Records it has now.
        redriven: Copies of dead letters that were left out, because they name old offsets.
        needs_rebuild: Whether a stage reads it, so that the pipeline's state must be rebuilt.
    """

    records: int
    redriven: int
    needs_rebuild: bool


def remake(settings: Settings, name: str) -> Remade:
    """Make a declared topic again; keys, values, headers and times of its records stay.

    A topic that a rebuild fills again is made empty. Outcomes and dead letters of before go on
    naming the offsets of before.

    Raises:
        SettingsError: no such topic, or a changelog.
        StateError: a worker runs, or somebody writes to the topic.
        RecordTooLargeError: a record is too large to be copied; nothing has changed.
        AlreadyRunningError: its source is being polled.
        BrokerError, CheckpointError: no answer; run it again.
    """
    topic = _declared(settings, name)
    bootstrap = settings.kafka_bootstrap
    stages = [stage for stage in pipeline(CONNECTORS) if stage.input == topic]
    with ExitStack() as held:
        for group in (settings.app_id, settings.sink_app_id):
            require_stopped(bootstrap, group)
        for connector_name, connector in CONNECTORS.items():
            if raw_topic(connector_name) == topic:
                held.enter_context(open_store(settings.postgres_dsn)).lock(connector.source_id)
        aside = replace(topic, name=remaking(name), cleanup="delete", retention_ms=KEEP_FOR_EVER)
        redriven = 0
        if topic in outputs(pipeline(CONNECTORS)) and topic not in SINK_TOPICS:
            recreate_topic(bootstrap, topic, settings.replication_factor)
            records = 0
        else:
            if not _is_complete(bootstrap, aside):
                redriven = _copy_aside(settings, topic, aside)
            records = _copy_back(settings, topic, aside)
        if topic in SINK_TOPICS:
            # Offsets are new: the sink reads its topics again, which changes nothing.
            forget_offsets(bootstrap, settings.sink_app_id)
    return Remade(records, redriven, needs_rebuild=bool(stages))


def _declared(settings: Settings, name: str) -> Topic:
    topics = {topic.name: topic for topic in all_topics(settings)}
    if name not in topics:
        raise SettingsError(f"{name} is no topic of this deployment: `make topics` lists them.")
    if topics[name].is_changelog:
        raise SettingsError(f"{name} is a changelog: `make rebuild` makes it again.")
    return topics[name]


def _is_complete(bootstrap: str, aside: Topic) -> bool:
    """Whether a topic aside holds every record, so that the topic itself may be gone."""
    if not Broker(bootstrap).existing([aside.name]):
        return False
    return any(
        _is_mark(record) for record in read(bootstrap, aside.name, partition=0, from_offset=-1)
    )


def _copy_aside(settings: Settings, topic: Topic, aside: Topic) -> int:
    """Copy a topic aside; returns how many redriven copies were left out."""
    bootstrap = settings.kafka_bootstrap
    recreate_topic(bootstrap, aside, settings.replication_factor)
    try:
        return _fill_aside(bootstrap, topic, aside)
    except (RecordTooLargeError, StateError):
        # Nothing has changed: whoever uses the topic may go on.
        delete_topics(bootstrap, [aside.name])
        raise


def _fill_aside(bootstrap: str, topic: Topic, aside: Topic) -> int:
    before = end_offsets(bootstrap, [topic.name])
    redriven = 0
    with TopicWriter(bootstrap, [aside.name]) as writer:
        for record in _in_order(bootstrap, topic.name):
            here = RawCoordinates(topic.name, record.partition, record.offset)
            if isinstance(original_of(here, record.headers), RawCoordinates):
                redriven += 1
                continue
            # By its key, as producers and stages choose; one without a key stays near its place.
            partition = ANY_PARTITION if record.key else record.partition % aside.partitions
            _send(writer, aside.name, record, partition)
        writer.finish()
        if end_offsets(bootstrap, [topic.name]) != before:
            raise StateError(f"Somebody writes to {topic.name}: stop that, then run it again.")
        writer.send(aside.name, None, b"", partition=0, headers=[(_COMPLETE, b"")])
        writer.finish()
    return redriven


def _copy_back(settings: Settings, topic: Topic, aside: Topic) -> int:
    """Create a topic as declared and fill it from the topic aside; returns how many records."""
    bootstrap = settings.kafka_bootstrap
    recreate_topic(bootstrap, topic, settings.replication_factor)
    sent = 0
    with TopicWriter(bootstrap, [topic.name]) as writer:
        for partition in range(topic.partitions):
            for record in read(bootstrap, aside.name, partition=partition):
                if not _is_mark(record):
                    _send(writer, topic.name, record, partition)
                    sent += 1
        writer.finish()
    found = sum(end_offsets(bootstrap, [topic.name]).values())
    if found != sent:
        raise BrokerError(f"{topic.name} has {found:,} records instead of {sent:,}: run it again.")
    delete_topics(bootstrap, [aside.name])
    return sent


def _in_order(bootstrap: str, topic: str) -> Iterator[Record]:
    """Records of all partitions by time: those of one key, which may be in two, stay in order."""
    partitions = [partition for _, partition in Broker(bootstrap).partitions([topic])]
    streams = [read(bootstrap, topic, partition=partition) for partition in partitions]
    return merge(*streams, key=attrgetter("timestamp"))


def _send(writer: TopicWriter, topic: str, record: Record, partition: int) -> None:
    writer.send(
        topic,
        record.key,
        record.value,
        partition=partition,
        timestamp_ms=record.timestamp,
        headers=record.headers,
    )


def _is_mark(record: Record) -> bool:
    return any(name == _COMPLETE for name, _ in record.headers)
