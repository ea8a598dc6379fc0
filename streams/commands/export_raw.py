"""`make export-raw`: what the pipeline cannot make again, as files: the backup of a deployment.

That is the raw topic of each source, and the decisions that people made. Everything else follows
from these.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

from rich.console import Console
from rich.progress import track

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry, frame_schema_id
from streams.commands.local_stack import start_local_stack
from streams.commands.raw_archive import (
    CHECKSUMS,
    FILES,
    MANIFEST,
    Manifest,
    Partition,
    RecordFile,
    Schema,
    seal,
)
from streams.core.errors import ArchiveError
from streams.core.registry_identity import UsedSchema
from streams.kafka.record_files import write_records
from streams.kafka.topic_admin import PartitionId, end_offsets, topic_uuids
from streams.kafka.topic_reader import Record, read
from streams.kafka.used_schemas import used_schemas
from streams.settings import Settings
from streams.topics import DECISIONS, Topic, raw_topic

_FILE_BYTES = 256_000_000
"""Keys and values of one file, before compression."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written of one topic.

    Attributes:
        topic: Its name.
        records: Records in the files.
        unused_offsets: Offsets that no record had, so that restored records get lower ones.
        file_bytes: Size of the files.
    """

    topic: str
    records: int
    unused_offsets: int
    file_bytes: int


def kept_topics(source_id: str | None = None) -> tuple[Topic, ...]:
    """Every topic that the pipeline cannot make again, or that of one source."""
    raw = tuple(
        raw_topic(name)
        for name, connector in CONNECTORS.items()
        if source_id in (None, connector.source_id)
    )
    return raw if source_id else (*raw, DECISIONS)


def export_raw(
    settings: Settings, topics: Iterable[Topic], folder: Path, console: Console
) -> tuple[Exported, ...]:
    """Write topics, up to the ends they have now, each into a folder of its name.

    What an interrupted export left is written again. When nothing runs here, the local stack is
    started for as long as this takes.

    Args:
        settings: Where the topics are.
        topics: Which ones; of a compacted one the newest record of each key is written.
        folder: Where to.
        console: Shows the progress.

    Raises:
        ArchiveError: the folder has a whole export of a topic, or something else.
        BrokerError, TopicMismatchError, RegistryError: a topic could not be read.
    """
    with ExitStack() as running:
        start_local_stack(settings, console, running)
        used = used_schemas(settings.kafka_bootstrap)
        return tuple(_export(settings, topic, used, folder, console) for topic in topics)


def _export(
    settings: Settings,
    topic: Topic,
    used: tuple[UsedSchema, ...],
    parent: Path,
    console: Console,
) -> Exported:
    bootstrap = settings.kafka_bootstrap
    begun = datetime.now(UTC)
    topic_id = topic_uuids(bootstrap, [topic.name])[topic.name]
    ends = end_offsets(bootstrap, [topic.name])
    folder = _emptied(parent / topic.name)
    schema_ids: Counter[int] = Counter()
    partitions = [
        Partition(
            end_offset=ends[PartitionId(topic.name, number)],
            files=tuple(_write_files(bootstrap, topic, number, folder, schema_ids)),
        )
        for number in track(
            range(len(ends)), f"Exporting {topic.name}", console=console, transient=True
        )
    ]
    unlisted = schema_ids.keys() - {one.schema_id for one in used}
    schemas = sorted([*used, *_from_registry(settings, unlisted)])
    seal(
        folder,
        Manifest(
            topic=topic.name,
            topic_id=topic_id,
            exported_at=begun,
            partitions=tuple(partitions),
            schemas=tuple(
                Schema(
                    schema_id=one.schema_id,
                    subject=one.subject,
                    text=one.text,
                    records=schema_ids[one.schema_id],
                )
                for one in schemas
            ),
        ),
    )
    return Exported(
        topic.name,
        sum(partition.records for partition in partitions),
        sum(partition.end_offset - partition.records for partition in partitions),
        sum(path.stat().st_size for path in folder.iterdir()),
    )


def _emptied(folder: Path) -> Path:
    """A folder for one topic, without what an interrupted export left in it."""
    if (folder / CHECKSUMS).exists():
        raise ArchiveError(f"{folder} has a whole export: name another folder, or remove it.")
    foreign = {*folder.glob("*")} - {*folder.glob(FILES), *folder.glob(f"{MANIFEST}*")}
    foreign -= {*folder.glob(f"{CHECKSUMS}*")}
    if foreign:
        raise ArchiveError(f"{folder} has something else in it: name an empty folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write_files(
    bootstrap: str, topic: Topic, partition: int, folder: Path, schema_ids: Counter[int]
) -> Iterator[RecordFile]:
    """Write one partition, in files of bounded size; counts the schemas that values name."""
    records = read(bootstrap, topic.name, partition=partition)
    if topic.cleanup == "compact":
        records = iter(_newest(records))
    first = next(records, None)
    while first is not None:
        piece = _Piece(first, records)
        name = f"{partition}-{first.offset}.avro"
        write_records(folder / name, piece.taken(schema_ids))
        yield RecordFile(
            name=name,
            records=piece.count,
            first_offset=first.offset,
            last_offset=piece.last_offset,
        )
        first = piece.following


class _Piece:
    """The records of one file, and the record that follows them."""

    def __init__(self, first: Record, rest: Iterator[Record]) -> None:
        self.following: Record | None = first
        self.count = 0
        self.last_offset = first.offset
        self._rest = rest

    def taken(self, schema_ids: Counter[int]) -> Iterator[Record]:
        """The records, until they are as many bytes as a file holds."""
        size = 0
        while self.following is not None and size < _FILE_BYTES:
            record = self.following
            size += len(record.key or b"") + len(record.value or b"")
            schema_id = frame_schema_id(record.value)
            if schema_id is not None:
                schema_ids[schema_id] += 1
            self.count += 1
            self.last_offset = record.offset
            yield record
            self.following = next(self._rest, None)


def _newest(records: Iterable[Record]) -> list[Record]:
    """What compaction would leave at last, in the order of the log."""
    newest = {record.key: record for record in records}
    kept = [record for record in newest.values() if record.value is not None]
    return sorted(kept, key=attrgetter("offset"))


def _from_registry(settings: Settings, schema_ids: Iterable[int]) -> Iterator[UsedSchema]:
    """Schemas that values name and nobody registered for this deployment; some nobody has."""
    with Registry(settings.schema_registry_url) as registry:
        for schema_id in schema_ids:
            text = registry.schema_text(schema_id)
            if text is not None:
                for subject, _ in registry.versions_of(schema_id)[:1]:
                    yield UsedSchema(schema_id, subject, text)
