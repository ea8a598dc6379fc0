"""The audit of everything that went through, recomputed from the topics."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.commands.input_logs import input_logs
from streams.core import contract_types as avro
from streams.core.audit import OUTCOMES, Audit, AuditCounts
from streams.core.records import Outcome, RawCoordinates
from streams.core.redrive import original_of
from streams.kafka.topic_reader import read_all
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    RECORD_OUTCOMES,
    raw_topic,
)
from streams.topology import pipeline

_UNLIMITED = 10_000
"""Columns of a terminal that fits every table."""


def run_audit(settings: Settings, sources: Mapping[str, str]) -> Audit:
    """Read raw topics, outcomes and dead letters, read committed, and compare them.

    Args:
        settings: Where broker and registry are.
        sources: Source id of every connector name.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    with Registry(settings.schema_registry_url) as registry:
        topics = {raw_topic(name).name: source_id for name, source_id in sources.items()}
        audit_counts = AuditCounts()
        # Outcomes first: what they are about is then in the raw topics, which are read later.
        outcomes = topic_decoder(registry, RECORD_OUTCOMES, avro.RecordOutcome)
        for record in read_all(settings.kafka_bootstrap, RECORD_OUTCOMES.name):
            outcome = outcomes.decode(record.value)
            audit_counts.add_outcome(
                RawCoordinates.from_avro(outcome["raw"]),
                outcome["output_kind"],
                cast(Outcome, outcome["outcome"]),
                outcome["generation"],
                again=outcome["again"],
            )
        dead_letters = topic_decoder(registry, DEAD_LETTERS, avro.DeadLetter)
        for record in read_all(settings.kafka_bootstrap, DEAD_LETTERS.name):
            raw = dead_letters.decode(record.value)["raw"]
            audit_counts.dead_letters.add(RawCoordinates.from_avro(raw))
        for topic, source_id in topics.items():
            for record in read_all(settings.kafka_bootstrap, topic):
                if original_of(topic, record.partition, record.headers) is not None:
                    continue  # accounted for under its original
                audit_counts.raw[RawCoordinates(topic, record.partition, record.offset)] = source_id
        # Last: what was read is in the log then, and what was decided of it among the outcomes.
        inputs = input_logs(settings, registry, pipeline(sources))
    return audit_counts.close(topics, inputs)


@dataclass(frozen=True, slots=True)
class Published:
    """What the normalized and canonical topics hold.

    Attributes:
        normalized: Records by source id.
        canonical: Canonical records, merged ones aside, by source id of a member.
        current: Canonical records whose highest version is current, by kind.
    """

    normalized: Mapping[str, int]
    canonical: Mapping[str, int]
    current: Mapping[str, int]


def count_published(settings: Settings) -> Published:
    """Read normalized and canonical topics, read committed, and count."""
    with Registry(settings.schema_registry_url) as registry:
        normalized: Counter[str] = Counter()
        for decoder, topic in (
            (topic_decoder(registry, NORMALIZED_ASSETS, avro.NormalizedAsset), NORMALIZED_ASSETS),
            (
                topic_decoder(registry, NORMALIZED_OBSERVATIONS, avro.NormalizedObservation),
                NORMALIZED_OBSERVATIONS,
            ),
        ):
            for record in read_all(settings.kafka_bootstrap, topic.name):
                event = decoder.decode(record.value)
                # A verdict is about a record that was counted already.
                normalized[event["source_id"]] += event["event"] != "verdict"
        newest: dict[str, tuple[int, str, str, frozenset[str]]] = {}
        assets = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        for record in read_all(settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name):
            canonical = assets.decode(record.value)
            identity, version = canonical["record_id"], canonical["version"]
            if identity not in newest or newest[identity][0] < version:
                sources = frozenset(member["source_id"] for member in canonical["members"])
                newest[identity] = (version, canonical["status"], canonical["kind"], sources)
    return Published(
        normalized,
        Counter(
            source
            for _, status, _, sources in newest.values()
            if status != "merged"
            for source in sources
        ),
        Counter(kind for _, status, kind, _ in newest.values() if status == "current"),
    )


def audit_table(audit: Audit, published: Published, polled: Mapping[str, int]) -> "AuditTable":
    """The audit for people, one column a source.

    `polled` is about this run (sources that are missing were not polled), the rest about all runs.
    """
    columns = []
    for source in audit.sources:
        name = source.source_id
        counts: dict[str, int | None] = {
            "polled in this run": polled.get(name),
            "raw records": source.raw,
            "normalized": published.normalized.get(name, 0),
            **{f"outcome {outcome}": source.outcomes.get(outcome, 0) for outcome in OUTCOMES},
            "dead letters": source.dead_letters,
            "canonical records": published.canonical.get(name, 0),
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
