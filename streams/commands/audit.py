"""The audit of everything that went through, recomputed from the topics."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeVar, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

from producers.checkpoint import read_store
from producers.errors import CheckpointError
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder, topic_head_decoder
from streams.clickhouse.content_digest import digest_of
from streams.commands.input_logs import input_logs
from streams.commands.locations import listed_assets
from streams.core import contract_types as avro
from streams.core.audit import OUTCOMES, Audit, AuditCounts, NewestVersion, Published
from streams.core.foreign import ForeignRecords
from streams.core.live_assets import SourceRecord
from streams.core.records import Outcome, RawCoordinates
from streams.core.redrive import original_of
from streams.kafka.decoded_reader import read_decoded, read_value
from streams.kafka.topic_admin import end_offsets
from streams.kafka.topic_reader import Record, read_all
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    RECORD_OUTCOMES,
    Topic,
    raw_topic,
)
from streams.topology import pipeline

_Record = TypeVar("_Record", bound=Mapping[str, Any])

_UNLIMITED = 10_000
"""Columns of a terminal that fits every table."""


def run_audit(settings: Settings, sources: Mapping[str, str]) -> Audit:
    """Read every topic behind the producers once, read committed, and compare them.

    Args:
        settings: Where broker and registry are.
        sources: Source id of every connector name.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    topics = {raw_topic(name).name: source_id for name, source_id in sources.items()}
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
        reading = _Reading(settings.kafka_bootstrap, registry)
        # Outcomes first: what they are about is then in the raw topics, which are read later.
        counts = reading.outcomes_and_dead_letters()
        for topic, source_id in topics.items():
            for record in read_all(settings.kafka_bootstrap, topic):
                coordinates = RawCoordinates(topic, record.partition, record.offset)
                if isinstance(original_of(coordinates, record.headers), RawCoordinates):
                    continue  # accounted for under its original
                counts.raw[coordinates] = source_id
        # Last: what was read is in the log then, and what was decided of it among the outcomes.
        inputs = input_logs(settings, registry, pipeline(sources))
        audit = counts.close(topics, inputs)
        # What was accepted before it is published: less of it could be in no asset yet.
        accepted = reading.accepted_assets(settings, sources)
        published = reading.published()
        return replace(
            audit,
            problems=(*audit.problems, *published.problems(accepted)),
            published=published,
            foreign=reading.foreign,
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """The topics of one audit, and what was found in them that is not ours."""

    bootstrap: str
    registry: Registry
    foreign: ForeignRecords = field(default_factory=ForeignRecords)

    def records(self, topic: Topic, record: type[_Record]) -> Iterator[_Record]:
        """Values of a topic."""
        decoder = topic_decoder(self.registry, topic, record)
        return (
            value for _, value in read_decoded(self.bootstrap, topic.name, decoder, self.foreign)
        )

    def outcomes_and_dead_letters(self) -> AuditCounts:
        """What became of raw records, without the raw records."""
        counts = AuditCounts()
        for outcome in self.records(RECORD_OUTCOMES, avro.RecordOutcome):
            counts.add_outcome(
                RawCoordinates.from_avro(outcome["raw"]),
                outcome["output_kind"],
                cast(Outcome, outcome["outcome"]),
                outcome["generation"],
                again=outcome["again"],
            )
        for dead_letter in self.records(DEAD_LETTERS, avro.DeadLetter):
            counts.dead_letters.add(RawCoordinates.from_avro(dead_letter["raw"]))
        return counts

    def published(self) -> Published:
        """What the normalized and canonical topics hold."""
        normalized: Counter[str] = Counter()
        for _, event in chain(
            self._heads(NORMALIZED_ASSETS, "event"), self._heads(NORMALIZED_OBSERVATIONS, "event")
        ):
            # A verdict is about a record that was counted already.
            normalized[event["source_id"]] += event["event"] != "verdict"
        ends = end_offsets(self.bootstrap, [MARKET_INFRASTRUCTURE.name])
        newest: dict[str, NewestVersion] = {}
        ambiguous: set[str] = set()
        decoder = topic_decoder(self.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        for identity, records in self._newest_records().items():
            values = (read_value(record, decoder, self.foreign) for record in records)
            versions = {_newest_version(value) for value in values if value is not None}
            if versions:
                newest[identity] = versions.pop()
            if versions:
                ambiguous.add(identity)
        return Published(normalized, newest, sum(ends.values()), frozenset(ambiguous))

    def _newest_records(self) -> dict[str, list[Record]]:
        """Each canonical record at its highest version, still encoded; several of one version."""
        found: dict[str, tuple[int, list[Record]]] = {}
        for record, head in self._heads(MARKET_INFRASTRUCTURE, "version"):
            identity, version = head["record_id"], head["version"]
            known = found.get(identity)
            if known is None or known[0] < version:
                found[identity] = version, [record]
            elif known[0] == version:
                known[1].append(record)
        return {identity: records for identity, (_, records) in found.items()}

    def _heads(self, topic: Topic, last_field: str) -> Iterator[tuple[Record, dict[str, Any]]]:
        """The first fields of every record of a topic: reading all of them takes far longer."""
        decoder = topic_head_decoder(self.registry, topic, last_field)
        return read_decoded(self.bootstrap, topic.name, decoder, self.foreign)

    def accepted_assets(self, settings: Settings, sources: Mapping[str, str]) -> set[SourceRecord]:
        """Asset records that each source lists and that were accepted last."""
        return {
            SourceRecord(source_id, record_id)
            for name, source_id in sources.items()
            for record_id, _ in listed_assets(settings, self.registry, name, self.foreign)
        }


def _newest_version(canonical: avro.InfrastructureRecord) -> NewestVersion:
    members = frozenset(
        SourceRecord(member["source_id"], member["record_id"]) for member in canonical["members"]
    )
    return NewestVersion(
        canonical["version"],
        canonical["status"],
        canonical["kind"],
        members,
        digest_of(canonical),
    )


def left_out_by_source(settings: Settings) -> dict[str, int]:
    """Items that all polls of each source have left out on purpose, by source id.

    Raises:
        CheckpointError: the checkpoint database does not answer, or no poll has made its tables.
    """
    with read_store(settings.postgres_dsn) as store:
        return {health.source_id: sum(health.left_out.values()) for health in store.health()}


def print_audit(
    audit: Audit, polled: Mapping[str, int], settings: Settings, console: Console
) -> None:
    """The audit for people: counts, and what in the topics is not ours."""
    try:
        left_out = left_out_by_source(settings)
    except CheckpointError as error:
        left_out = None
        console.print(f"What polls have left out is not known: {error}", markup=False)
    console.print(audit_table(audit, polled, left_out))
    if audit.foreign.count:
        console.print(f"Foreign records: {audit.foreign.count:,}", style="yellow")
        for sentence in audit.foreign.sentences():
            console.print(f"  {sentence}", style="yellow", markup=False)


def audit_table(
    audit: Audit, polled: Mapping[str, int], left_out: Mapping[str, int] | None
) -> "AuditTable":
    """The audit for people, one column a source.

    `polled` is about this run (sources that are missing were not polled), the rest about all runs.
    `left_out` is None where it is not known.
    """
    columns = []
    for source in audit.sources:
        name = source.source_id
        counts: dict[str, int | None] = {
            "polled in this run": polled.get(name),
            "left out of polls": None if left_out is None else left_out.get(name, 0),
            "raw records": source.raw,
            "normalized": audit.published.normalized.get(name, 0),
            **{f"outcome {outcome}": source.outcomes.get(outcome, 0) for outcome in OUTCOMES},
            "dead letters": source.dead_letters,
            "canonical records": audit.published.canonical.get(name, 0),
        }
        columns.append(_Column(name, counts))
    return AuditTable(tuple(columns))


@dataclass(frozen=True, slots=True)
class _Column:
    source_id: str
    counts: Mapping[str, int | None]

    @property
    def heading(self) -> str:
        """The id in lines of its words: ids are longer than the figures below them."""
        return self.source_id.replace("_", "_\n")


@dataclass(frozen=True, slots=True)
class AuditTable:
    """Sources beside each other as far as they fit, the others in one more table below.

    Rich alone would cut headings and figures.
    """

    columns: tuple[_Column, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update(max_width=_UNLIMITED)
        rest = self.columns
        title: str | None = "What became of every raw record"
        while rest:
            tables = [_table(rest[: count + 1], title) for count in range(len(rest))]
            fitting = [
                table
                for table in tables
                if Measurement.get(console, unlimited, table).maximum <= options.max_width
            ]
            table = fitting[-1] if fitting else tables[0]
            yield table
            rest, title = rest[len(table.columns) - 1 :], None


def _table(columns: Sequence[_Column], title: str | None) -> Table:
    table = Table("", title=title, title_justify="left")
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for name in columns[0].counts:
        values = (column.counts[name] for column in columns)
        table.add_row(name, *("-" if value is None else f"{value:,}" for value in values))
    return table
