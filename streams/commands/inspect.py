"""Looking into a topic: decoded records, their number or their schemas, with broker and registry.

Records are read with the schema that wrote them, so any topic can be shown: also changelogs, whose
entries follow different contracts.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.avro.codec import Registry
from streams.commands.condition import Condition
from streams.core.topic_record import TopicRecord, iso_time, json_line
from streams.kafka.decoding import Decoding
from streams.kafka.topic_admin import end_offsets
from streams.kafka.topic_reader import read

_FIRST_LOOK = 200
_LOOK_FURTHER = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of a topic.

    Attributes:
        topic: Any topic.
        partition: Only this one; None for all.
        from_offset: First offset in every partition; a negative one counts back from the end.
        since: First Kafka time, instead.
        last: The newest so many instead, by Kafka time.
        key: Only records with this key.
        where: Only records that this holds of.
        limit: Stop after so many; None for all.
        follow: Go on with what is written later.
    """

    topic: str
    partition: int | None = None
    from_offset: int = 0
    since: datetime | None = None
    last: int | None = None
    key: str | None = None
    where: Condition | None = None
    limit: int | None = None
    follow: bool = False


def inspect(bootstrap: str, registry: Registry, selection: Selection) -> Iterator[TopicRecord]:
    """Records of a topic, ordered within a partition; the newest ones are ordered by time.

    Raises:
        TopicMismatchError: no such topic or partition.
        BrokerError, RegistryError: no answer.
        ConditionError: the condition asks for what is not allowed, or for fields no record has.
    """
    decoding = Decoding(registry)
    chosen: Iterator[TopicRecord]
    if selection.last is None:
        records = read(
            bootstrap,
            selection.topic,
            partition=selection.partition,
            from_offset=selection.from_offset,
            since=selection.since,
            follow=selection.follow,
        )
        found = (decoding.decoded(record) for record in records if _has_key(selection, record.key))
        chosen = (record for record in found if _holds(selection, record))
    else:
        chosen = _last(bootstrap, decoding, selection, selection.last)
    yield from islice(chosen, selection.limit)
    if selection.where is not None:
        selection.where.check_that_names_exist()


def print_records(records: Iterable[TopicRecord], out: TextIO = sys.stdout) -> int:
    """Write each record as a line of JSON as soon as it comes; returns how many."""
    count = 0
    for record in records:
        out.write(record.to_json() + "\n")
        out.flush()
        count += 1
    return count


def print_table(records: Iterable[TopicRecord], console: Console) -> None:
    """One line a record, as much of its value as fits."""
    table = Table()
    for heading in ("place", "Kafka time (UTC)", "key", "schema", "headers"):
        table.add_column(heading, no_wrap=True)
    table.add_column("value")
    for record in records:
        cells = (
            f"{record.partition}/{record.offset}",
            iso_time(record.timestamp),
            _cell(record.key),
            "-" if record.schema_id is None else f"{record.schema_id} {record.subject or ''}",
            ", ".join(f"{name}={_cell(value)}" for name, value in record.headers),
        )
        value = Text(record.reason or json_line(record.value), no_wrap=True, overflow="ellipsis")
        table.add_row(*(Text(cell) for cell in cells), value)
    console.print(table)


def print_count(records: Iterable[TopicRecord], console: Console) -> None:
    """How many records, by partition and schema."""
    counted = Counter(
        (record.partition, record.schema_id or 0, record.subject or "-") for record in records
    )
    table = Table("partition", "schema", "subject")
    table.add_column("records", justify="right")
    for (partition, schema_id, subject), count in sorted(counted.items()):
        table.add_row(str(partition), str(schema_id or "-"), subject, f"{count:,}")
    console.print(table)
    console.print(f"{counted.total():,} records.")


def print_schemas(
    records: Iterable[TopicRecord], registry: Registry, out: TextIO = sys.stdout
) -> None:
    """A line of JSON for each schema that wrote some of the records, with its subjects.

    Raises:
        RegistryError: no answer.
    """
    counted = Counter(record.schema_id for record in records if record.reason is None)
    for schema_id in sorted(found for found in counted if found is not None):
        versions = registry.versions_of(schema_id)
        schema = registry.writer_schema(schema_id) or {}
        line = {
            "schema_id": schema_id,
            "subjects": [{"subject": name, "version": version} for name, version in versions],
            "records": counted[schema_id],
            # What fastavro has noted in it begins with underscores.
            "schema": {name: it for name, it in schema.items() if not name.startswith("__")},
        }
        out.write(json_line(line) + "\n")


def _has_key(selection: Selection, key: bytes | None) -> bool:
    return selection.key is None or key == selection.key.encode()


def _holds(selection: Selection, record: TopicRecord) -> bool:
    return selection.where is None or selection.where.holds(record)


def _last(
    bootstrap: str, decoding: Decoding, selection: Selection, count: int
) -> Iterator[TopicRecord]:
    """The newest records, then what comes later.

    Looks further back until every partition has given enough: offsets say nothing about how many
    records they have, because markers and compaction use them up.
    """
    ends = {
        found.partition: end
        for found, end in end_offsets(bootstrap, [selection.topic]).items()
        if selection.partition in (None, found.partition)
    }

    def chosen(starts: dict[int, int], *, follow: bool) -> Iterator[TopicRecord]:
        for record in read(
            bootstrap,
            selection.topic,
            partition=selection.partition,
            from_offset=starts,
            follow=follow,
        ):
            if _has_key(selection, record.key):
                decoded = decoding.decoded(record)
                if _holds(selection, decoded):
                    yield decoded

    back = max(_FIRST_LOOK, 2 * count)
    while True:
        starts = {number: max(0, end - back) for number, end in ends.items()}
        found = [
            record
            for record in chosen(starts, follow=False)
            if record.offset < ends[record.partition]
        ]
        given = Counter(record.partition for record in found)
        if all(given[number] >= count or start == 0 for number, start in starts.items()):
            break
        back *= _LOOK_FURTHER
    yield from sorted(found, key=attrgetter("timestamp", "partition", "offset"))[-count:]
    if selection.follow:
        yield from chosen(ends, follow=True)


def _cell(value: str | bytes | None) -> str:
    return "-" if value is None else json_line(value)[1:-1]
