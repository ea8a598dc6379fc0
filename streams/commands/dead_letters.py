"""Looking at dead letters and redriving them: `make dlq`, `make dlq-redrive`."""

import json
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import cast

from rich.console import Console
from rich.progress import track
from rich.table import Table

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.commands.originals import originals
from streams.commands.redriven import send_copy
from streams.core import contract_types as avro
from streams.core.dead_letters import Choice, DeadLetter, Policy, dead_letters, groups
from streams.core.errors import Rejected
from streams.core.record_size import fits
from streams.core.records import Outcome, RawCoordinates
from streams.kafka.decoded_reader import read_decoded
from streams.kafka.topic_admin import require_topics
from streams.kafka.topic_reader import Record
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.stages.raw_reading import RawReader
from streams.tolerance_file import load_tolerances
from streams.topics import DEAD_LETTERS, RECORD_OUTCOMES, raw_topic

WRITTEN_BY_THE_PIPELINE = "written by the pipeline itself"
NO_SUCH_RECORD = "the raw topic has no such record now"
TOO_LARGE_TO_SEND = "larger than a producer sends"


def source_ids() -> dict[str, str]:
    """Source id by connector name and by itself: people may say either."""
    found = {name: connector.source_id for name, connector in CONNECTORS.items()}
    return found | {source_id: source_id for source_id in found.values()}


def find_dead_letters(settings: Settings, choice: Choice) -> list[DeadLetter]:
    """The chosen dead letters, by raw coordinates.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: the topics could not be read.
    """
    bootstrap = settings.kafka_bootstrap
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
        decoder = topic_decoder(registry, DEAD_LETTERS, avro.DeadLetter)
        records = [found for _, found in read_decoded(bootstrap, DEAD_LETTERS.name, decoder)]
        keys = {RawCoordinates.from_avro(one["raw"]).key.encode() for one in records}
        outcomes: dict[RawCoordinates, dict[str, Outcome]] = {}
        outcome_decoder = topic_decoder(registry, RECORD_OUTCOMES, avro.RecordOutcome)
        for _, outcome in read_decoded(
            bootstrap,
            RECORD_OUTCOMES.name,
            outcome_decoder,
            wanted=lambda record: record.key in keys,
        ):
            raw = RawCoordinates.from_avro(outcome["raw"])
            by_kind = outcomes.setdefault(raw, {})
            by_kind[outcome["output_kind"]] = cast(Outcome, outcome["outcome"])
    return [
        dead_letter for dead_letter in dead_letters(records, outcomes) if choice.has(dead_letter)
    ]


def print_groups(found: Sequence[DeadLetter], console: Console) -> None:
    """One line for each source, stage, rule and day."""
    table = Table("source", "stage", "rule", "day (UTC)", "state")
    table.add_column("dead letters", justify="right")
    for group, count in groups(found):
        table.add_row(
            group.source_id or "-",
            group.stage,
            group.rule_id,
            group.day.isoformat(),
            "resolved" if group.resolved else "open",
            f"{count:,}",
        )
    console.print(table)
    open_dead_letters = sum(not dead_letter.resolved for dead_letter in found)
    console.print(f"{len(found):,} dead letters, {open_dead_letters:,} of them open.")


def print_details(found: Iterable[DeadLetter], console: Console) -> None:
    """One line of JSON for each dead letter, without its bytes: `make inspect` shows those."""
    for dead_letter in found:
        line = {
            "raw": dead_letter.raw.key,
            "source_id": dead_letter.source_id,
            "record_id": dead_letter.record_id,
            "stage": dead_letter.stage,
            "rule_id": dead_letter.rule_id,
            "message": dead_letter.message,
            "record_time": dead_letter.record_time.isoformat(),
            "attempts": dead_letter.attempts,
            "resolved": dead_letter.resolved,
        }
        console.print(json.dumps(line, ensure_ascii=False), markup=False, soft_wrap=True)


@dataclass(slots=True)
class RedriveReport:
    """What redriving dead letters did, or would do.

    Attributes:
        accepted: Letters that are accepted now, by the rule that rejected them.
        rejected: Letters that are rejected again, by the rule that does now.
        refused: Letters that cannot be redriven, by reason.
        sent: Letters published.
        stopped_at: First dead letter that was rejected again, with the reason, when that ended it.
        left: Letters beyond the limit.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    stopped_at: tuple[DeadLetter, Rejected] | None = None
    left: int = 0


def redrive(
    settings: Settings,
    chosen: Sequence[DeadLetter],
    *,
    policy: Policy,
    limit: int,
    dry_run: bool,
    console: Console,
) -> RedriveReport:
    """Publish open dead letters again to their own raw partition, marked with their coordinates.

    What is published is the raw record at those coordinates, so a dead letter that none is at is
    refused. Each is tried first with the code and the tolerances of today. The pipeline decides on
    it under its original coordinates; once accepted, it is resolved.

    Args:
        settings: Where the services are; its tolerances are those tried with.
        chosen: Open dead letters.
        policy: What to do with one that is rejected again: end there, leave it out, or redrive it
            all the same.
        limit: Most dead letters to handle.
        dry_run: Publish nothing.
        console: Shows progress.

    Raises:
        BrokerError: Kafka did not confirm; those not confirmed are still open. Run it again.
        TopicMismatchError: a raw topic is not as declared.
        RegistryError, SettingsError: they could not be tried.
    """
    report = RedriveReport(left=max(0, len(chosen) - limit))
    with (
        open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry,
        ExitStack() as opened,
    ):
        readers = _readers(registry, settings)
        writer = None
        if not dry_run:
            require_topics(settings.kafka_bootstrap, [raw_topic(name) for name in CONNECTORS])
            writer = opened.enter_context(TopicWriter(settings.kafka_bootstrap, readers))
        found = originals(settings.kafka_bootstrap, chosen[:limit], readers)
        total = min(limit, len(chosen))
        for dead_letter, record in track(
            found, "Dead letters", total, console=console, transient=True
        ):
            if record is None or not fits(record.key, record.value):
                report.refused[_refusal(dead_letter, record, readers)] += 1
                continue
            rejected = _tried(readers[record.topic], record)
            if rejected is None:
                report.accepted[dead_letter.rule_id] += 1
            else:
                report.rejected[rejected.rule_id] += 1
                if policy is Policy.STOP:
                    report.stopped_at = (dead_letter, rejected)
                    break
                if policy is Policy.DROP:
                    continue
            report.sent += 1
            if writer is not None:
                send_copy(writer, record)
        if writer is not None:
            writer.finish()
    return report


def print_report(report: RedriveReport, console: Console, *, dry_run: bool) -> None:
    """What was done, by rule."""
    table = Table("what", "rule or reason")
    table.add_column("dead letters", justify="right")
    for what, counted in (
        ("accepted now; was rejected by", report.accepted),
        ("rejected again by", report.rejected),
        ("cannot be redriven", report.refused),
    ):
        for name, count in sorted(counted.items()):
            table.add_row(what, name, f"{count:,}")
    console.print(table)
    verb = "would be redriven" if dry_run else "were redriven"
    console.print(f"{report.sent:,} dead letters {verb}.")
    if report.left:
        console.print(f"{report.left:,} more were chosen than LIMIT allows: run it again.")
    if any(reason.startswith(WRITTEN_BY_THE_PIPELINE) for reason in report.refused):
        console.print("Records of the pipeline's own topics come back by `make rebuild`.")
    if NO_SUCH_RECORD in report.refused:
        console.print("Their topics were created again: poll the sources again.")
    if report.stopped_at is not None:
        dead_letter, rejected = report.stopped_at
        console.print(
            f"Stopped at {dead_letter.raw.key}: {rejected.rule_id}: {rejected.message} "
            "POLICY=drop leaves such letters out.",
            markup=False,
        )


def _readers(registry: Registry, settings: Settings) -> dict[str, RawReader]:
    tolerances = load_tolerances(settings.tolerances_file)
    return {
        topic.name: RawReader(connector, topic_decoder(registry, topic, avro.RawRecord), tolerances)
        for name, connector in CONNECTORS.items()
        for topic in (raw_topic(name),)
    }


def _refusal(dead_letter: DeadLetter, record: Record | None, readers: Container[str]) -> str:
    if record is not None:
        return TOO_LARGE_TO_SEND
    if dead_letter.raw.topic in readers:
        return NO_SUCH_RECORD
    return f"{WRITTEN_BY_THE_PIPELINE}, stage {dead_letter.stage}"


def _tried(reader: RawReader, record: Record) -> Rejected | None:
    raw = reader.read(record)
    evaluated = raw if isinstance(raw, Rejected) else reader.evaluate(raw)
    return evaluated if isinstance(evaluated, Rejected) else None
