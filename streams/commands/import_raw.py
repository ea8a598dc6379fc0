"""`make import-raw`: exported topics back into a deployment that is empty.

Keys, values, headers and times are those of the export, and so are offsets where its log had no
gaps. What was interrupted goes on when it runs again: what is there already is compared first.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from producers.checkpoint import open_store
from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.commands.deploy import all_topics, create_topics, register_schemas
from streams.commands.local_stack import start_local_stack
from streams.commands.raw_archive import RawArchive, open_archives
from streams.core.errors import ArchiveError, BrokerError
from streams.core.registry_identity import UsedSchema, other_meaning
from streams.kafka.broker import Broker
from streams.kafka.topic_admin import PartitionId, end_offsets
from streams.kafka.topic_reader import Record, read
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import comparable, found_schemas
from streams.settings import Settings
from streams.topics import Topic, raw_topic

_TIME_SETTING = "message.timestamp.type"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one exported topic.

    Attributes:
        topic: Its name.
        records: Records that it has now.
        already_there: How many of them an earlier import had written.
        left_out: Redriven copies that were left out, because offsets are new.
    """

    topic: str
    records: int
    already_there: int
    left_out: int


def import_raw(settings: Settings, folder: Path, console: Console) -> tuple[Imported, ...]:
    """Write every topic in a folder of `export_raw` into its topic, which must be empty.

    Topics are created and schemas registered as `make topics` and `make schemas-register` do, the
    schemas under the ids that the records name. Nothing is written before all files are verified.
    When nothing runs here, the local stack is started for as long as this takes.

    Raises:
        ArchiveError: files are missing or damaged, a topic is unknown here, has other records or
            another number of partitions, or the registry has given ids to other schemas.
        AlreadyRunningError: a source is being polled.
        BrokerError, RegistryError, TopicMismatchError, CheckpointError: refused or no answer; run
            it again.
    """
    archives = open_archives(folder)
    topics = [_declared(settings, archive) for archive in archives]
    with ExitStack() as held:
        start_local_stack(settings, console, held, new=True)
        _require_unused_ids(settings, archives)
        create_topics(settings)
        register_schemas(settings, _schemas(archives))
        for connector_name, connector in CONNECTORS.items():
            if raw_topic(connector_name) in topics:
                held.enter_context(open_store(settings.postgres_dsn)).lock(connector.source_id)
        progress = held.enter_context(Progress(console=console, transient=True))
        return tuple(
            _restore(settings, archive, topic, progress)
            for archive, topic in zip(archives, topics, strict=True)
        )


def _declared(settings: Settings, archive: RawArchive) -> Topic:
    manifest = archive.manifest
    for topic in all_topics(settings):
        if topic.name == manifest.topic:
            if topic.partitions != len(manifest.partitions):
                raise ArchiveError(
                    f"{archive.folder} has {len(manifest.partitions)} partitions, {topic.name} is "
                    f"declared with {topic.partitions}: run `make topic-remake "
                    f"TOPIC={topic.name}` where it was exported, then export it again."
                )
            return topic
    raise ArchiveError(
        f"{archive.folder} has records of {manifest.topic}, which is no topic of this deployment: "
        "use the version of the product that has its source, or leave that folder out."
    )


def _schemas(archives: Sequence[RawArchive]) -> tuple[UsedSchema, ...]:
    return tuple(sorted({schema for archive in archives for schema in archive.schemas}))


def _require_unused_ids(settings: Settings, archives: Sequence[RawArchive]) -> None:
    """Refuse a registry that has given an id of the records to another schema."""
    with Registry(settings.schema_registry_url) as registry:
        for archive in archives:
            schemas = archive.schemas
            other = other_meaning(comparable(schemas), found_schemas(registry, schemas))
            if other is not None:
                raise ArchiveError(
                    f"The records in {archive.folder} name schema {other.schema_id} of "
                    f"{other.subject}, the schema registry {registry.address} has another schema "
                    "of that id: import with an empty registry, before `make schemas-register`."
                )


def _restore(settings: Settings, archive: RawArchive, topic: Topic, progress: Progress) -> Imported:
    bootstrap = settings.kafka_bootstrap
    _require_writers_times(bootstrap, topic)
    numbers = range(len(archive.manifest.partitions))
    there = {number: _compared(bootstrap, archive, number) for number in numbers}
    whole = sum(partition.records for partition in archive.manifest.partitions)
    task = progress.add_task(f"Importing {topic.name}", total=whole, completed=sum(there.values()))
    with TopicWriter(bootstrap, [topic.name]) as writer:
        for number in numbers:
            for record in islice(archive.records(number), there[number], None):
                writer.send(
                    topic.name,
                    record.key,
                    record.value,
                    partition=number,
                    timestamp_ms=record.timestamp,
                    headers=record.headers,
                )
                progress.advance(task)
        writer.finish()
    records = sum(_compared(bootstrap, archive, number, whole=True) for number in numbers)
    return Imported(topic.name, records, sum(there.values()), whole - records)


def _require_writers_times(bootstrap: str, topic: Topic) -> None:
    found = Broker(bootstrap).settings([topic.name])[0][_TIME_SETTING]
    if found != topic.broker_config()[_TIME_SETTING]:
        raise ArchiveError(
            f"Topic {topic.name} has {_TIME_SETTING}={found}, so the broker would give every "
            "record the time of the import: run `make topics ARGS=--fix` first."
        )


def _compared(bootstrap: str, archive: RawArchive, partition: int, *, whole: bool = False) -> int:
    """How many records a partition has, which are the first ones of the export.

    Args:
        bootstrap: Kafka bootstrap servers.
        archive: The export.
        partition: Which one.
        whole: It must have them all.

    Raises:
        ArchiveError: it has, or once had, something else.
        BrokerError: it lacks some.
    """
    name = archive.manifest.topic
    end = end_offsets(bootstrap, [name])[PartitionId(name, partition)]
    expected = archive.records(partition)
    offsets_kept = archive.manifest.partitions[partition].keeps_offsets
    count = 0
    for record in read(bootstrap, name, partition=partition):
        other = next(expected, None)
        if other is None or not _is_same(record, other, offsets_kept):
            raise _not_empty(archive, f"offset {record.offset} of partition {partition}")
        count += 1
    if end != count:
        raise _not_empty(archive, f"records before offset {end} of partition {partition}")
    if whole and next(expected, None) is not None:
        raise BrokerError(
            f"{name} has only {count:,} records in partition {partition}: run it again."
        )
    return count


def _is_same(record: Record, exported: Record, offsets_kept: bool) -> bool:
    same = (record.key, record.value, record.timestamp, record.headers) == (
        exported.key,
        exported.value,
        exported.timestamp,
        exported.headers,
    )
    return same and (record.offset == exported.offset or not offsets_kept)


def _not_empty(archive: RawArchive, what: str) -> ArchiveError:
    name = archive.manifest.topic
    return ArchiveError(
        f"Topic {name} is not empty, and {what} is not of {archive.folder}: import into a new "
        f"deployment, or stop producers and workers and delete the topic (`kafka-topics --delete "
        f"--topic {name}`)."
    )
