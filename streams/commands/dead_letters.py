"""Looking at dead letters and putting them back: `make dlq`, `make dlq-replay`."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import cast

from rich.console import Console
from rich.progress import track
from rich.table import Table

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.dead_letters import Choice, Content, Letter, Policy, groups, letters
from streams.core.errors import Rejected
from streams.core.putting_back import PUT_BACK
from streams.core.records import Outcome, RawCoordinates
from streams.kafka.topic_reader import Record, read_all
from streams.kafka.topic_writer import TopicWriter
from streams.settings import Settings
from streams.stages.raw_reading import RawReader
from streams.tolerance_file import load_tolerances
from streams.topics import DEAD_LETTERS, RECORD_OUTCOMES, raw_topic


def source_ids() -> dict[str, str]:
    """Source id by connector name and by itself: people may say either."""
    found = {name: connector.source_id for name, connector in CONNECTORS.items()}
    return found | {source_id: source_id for source_id in found.values()}


def find_letters(settings: Settings, choice: Choice) -> list[Letter]:
    """The chosen dead letters, by raw coordinates.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: the topics could not be read.
    """
    bootstrap = settings.kafka_bootstrap
    with Registry(settings.schema_registry_url) as registry:
        decoder = topic_decoder(registry, DEAD_LETTERS, avro.DeadLetter)
        records = [decoder.decode(it.value) for it in read_all(bootstrap, DEAD_LETTERS.name)]
        keys = {RawCoordinates.from_avro(it["raw"]).key.encode() for it in records}
        outcomes: dict[RawCoordinates, dict[str, Outcome]] = {}
        outcome_decoder = topic_decoder(registry, RECORD_OUTCOMES, avro.RecordOutcome)
        for record in read_all(bootstrap, RECORD_OUTCOMES.name):
            if record.key in keys:
                outcome = outcome_decoder.decode(record.value)
                raw = RawCoordinates.from_avro(outcome["raw"])
                by_kind = outcomes.setdefault(raw, {})
                by_kind[outcome["output_kind"]] = cast(Outcome, outcome["outcome"])
    return [letter for letter in letters(records, outcomes) if choice.has(letter)]


def print_groups(found: Sequence[Letter], console: Console) -> None:
    """One line for each source, stage, rule and day."""
    table = Table("source", "stage", "rule", "day (UTC)", "state")
    table.add_column("letters", justify="right")
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
    open_letters = sum(not letter.resolved for letter in found)
    console.print(f"{len(found):,} dead letters, {open_letters:,} of them open.")


def print_details(found: Iterable[Letter], console: Console) -> None:
    """One line of JSON for each letter, without its bytes: `make inspect` shows those."""
    for letter in found:
        line = {
            "raw": letter.raw.key,
            "source_id": letter.source_id,
            "record_id": letter.record_id,
            "stage": letter.stage,
            "rule_id": letter.rule_id,
            "message": letter.message,
            "record_time": letter.record_time.isoformat(),
            "attempts": letter.attempts,
            "resolved": letter.resolved,
        }
        console.print(json.dumps(line, ensure_ascii=False), markup=False, soft_wrap=True)


@dataclass(slots=True)
class PutBack:
    """What putting letters back did, or would do.

    Attributes:
        accepted: Letters that are accepted now, by the rule that rejected them.
        rejected: Letters that are rejected again, by the rule that does now.
        refused: Letters that no raw topic holds, by stage.
        sent: Letters published.
        stopped_at: First letter that was rejected again, with the reason, when that ended it.
        left: Letters beyond the limit.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    stopped_at: tuple[Letter, Rejected] | None = None
    left: int = 0


def put_back(
    settings: Settings,
    chosen: Sequence[Letter],
    *,
    policy: Policy,
    limit: int,
    dry_run: bool,
    console: Console,
) -> PutBack:
    """Publish open letters again to their own raw partition, marked with their coordinates.

    Each is tried first with the code and the tolerances of today. The pipeline decides on it under
    its original coordinates; once accepted, it is resolved.

    Args:
        settings: Where the services are; its tolerances are those tried with.
        chosen: Open letters.
        policy: What to do with one that is rejected again: end there, leave it out, or put it back
            all the same.
        limit: Most letters to handle.
        dry_run: Publish nothing.
        console: Shows progress.

    Raises:
        BrokerError: Kafka did not confirm; those not confirmed are still open. Run it again.
        RegistryError, SettingsError: they could not be tried.
    """
    report = PutBack(left=max(0, len(chosen) - limit))
    with Registry(settings.schema_registry_url) as registry, ExitStack() as opened:
        readers = _readers(registry, settings)
        writer = None
        if not dry_run:
            writer = opened.enter_context(TopicWriter(settings.kafka_bootstrap, readers))
        for letter in track(chosen[:limit], "Dead letters", console=console, transient=True):
            reader = readers.get(letter.raw.topic)
            if reader is None:
                report.refused[letter.stage] += 1
                continue
            rejected = _tried(reader, letter)
            if rejected is None:
                report.accepted[letter.rule_id] += 1
            else:
                report.rejected[rejected.rule_id] += 1
                if policy is Policy.STOP:
                    report.stopped_at = (letter, rejected)
                    break
                if policy is Policy.DROP:
                    continue
            report.sent += 1
            if writer is not None:
                _send(writer, letter)
        if writer is not None:
            writer.finish()
    return report


def print_report(report: PutBack, console: Console, *, dry_run: bool) -> None:
    """What was done, by rule."""
    table = Table("what", "rule or stage")
    table.add_column("letters", justify="right")
    for what, counted in (
        ("accepted now; was rejected by", report.accepted),
        ("rejected again by", report.rejected),
        ("cannot be put back: written by the pipeline itself, stage", report.refused),
    ):
        for name, count in sorted(counted.items()):
            table.add_row(what, name, f"{count:,}")
    console.print(table)
    verb = "would be put back" if dry_run else "were put back"
    console.print(f"{report.sent:,} dead letters {verb}.")
    if report.left:
        console.print(f"{report.left:,} more were chosen than LIMIT allows: run it again.")
    if report.refused:
        console.print("Records of the pipeline's own topics come back by `make rebuild`.")
    if report.stopped_at is not None:
        letter, rejected = report.stopped_at
        console.print(
            f"Stopped at {letter.raw.key}: {rejected.rule_id}: {rejected.message} "
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


def _tried(reader: RawReader, letter: Letter) -> Rejected | None:
    content: Content = letter.content
    raw = reader.read(
        Record(
            letter.raw.topic,
            letter.raw.partition,
            letter.raw.offset,
            _milliseconds(letter),
            content.key,
            content.value,
            content.headers,
        )
    )
    evaluated = raw if isinstance(raw, Rejected) else reader.evaluate(raw)
    return evaluated if isinstance(evaluated, Rejected) else None


def _send(writer: TopicWriter, letter: Letter) -> None:
    content = letter.content
    writer.send(
        letter.raw.topic,
        content.key,
        content.value,
        partition=letter.raw.partition,
        # Unreadable records are dated by it: they keep their window.
        timestamp_ms=_milliseconds(letter),
        headers=(*content.headers, (PUT_BACK, letter.raw.key.encode())),
    )


def _milliseconds(letter: Letter) -> int:
    return round(letter.record_time.timestamp() * 1000)
