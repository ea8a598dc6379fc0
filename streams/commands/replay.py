"""Replaying raw records with the code of today, in place: `make replay`.

Each chosen record is first tried on a copy of the pipeline's state. Those of which something would
be published or kept differently are redriven: published once more to their own raw partition, with
the original's coordinates in a header. So the stage that owns the state decides, in the order of
its input and fenced as ever; live data flow meanwhile; and what is done already does not differ any
more, which makes an interrupted replay go on where it was when it is run again.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from producers.connectors import CONNECTORS
from streams.avro.codec import Decoder, Registry
from streams.avro.topic_codecs import topic_decoder
from streams.commands.differences import print_differences
from streams.commands.input_logs import input_logs
from streams.commands.record_progress import advancing, record_progress
from streams.commands.redriven import send_copy
from streams.commands.rehearsal import Rehearsal, restored
from streams.commands.replay_record import ReplayRecord, Status
from streams.core import contract_types as avro
from streams.core.accepted_loss import require_share
from streams.core.differences import Differences
from streams.core.errors import Rejected, StateError
from streams.core.inputs import InputPartition
from streams.core.record_size import fits
from streams.core.record_times import clamped_time
from streams.core.records import RawCoordinates, RawRecord
from streams.core.redrive import original_of
from streams.core.replay import REPLAYED, Effect, ReplayCounts, Selection, effect_of
from streams.engine.failpoints import failpoint
from streams.kafka.decoded_reader import read_decoded
from streams.kafka.topic_admin import require_topics
from streams.kafka.topic_reader import Record, read
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.stages.raw_reading import RawReader
from streams.stages.works import Making, raw_reader
from streams.tolerance_file import load_tolerances
from streams.topics import MARKET_INFRASTRUCTURE, raw_topic
from streams.topology import (
    AGGREGATES,
    OBSERVE,
    RECONCILE,
    DeclaredStage,
    normalize_stage,
    pipeline,
)

_STAGES_BEHIND = (RECONCILE, OBSERVE, AGGREGATES)


@dataclass(slots=True)
class ReplayReport:
    """What a replay did, or would do.

    Attributes:
        counts: Raw records, as far as it came.
        differences: Canonical records that differ with it.
        interrupted: Whether it was ended before the last record.
    """

    counts: ReplayCounts
    differences: Differences = field(default_factory=Differences)
    interrupted: bool = False


def replay(
    settings: Settings,
    names: Sequence[str],
    selection: Selection,
    *,
    dry_run: bool,
    accept_loss: bool,
    console: Console,
) -> ReplayReport:
    """Replay the chosen raw records of some connectors.

    Args:
        settings: Where the services are; its tolerances are those of today's code.
        names: Connectors.
        selection: Which of their records.
        dry_run: Publish nothing.
        accept_loss: A person has said that what would be withdrawn is really wrong.
        console: Shows progress.

    Raises:
        StateError: the state says nothing of the raw topics as they are now.
        LossError: more of a source would be withdrawn than anybody has accepted; nothing was sent.
        BrokerError, TopicMismatchError, RegistryError, SettingsError: a service or a setting; run
            it again.
    """
    bootstrap = settings.kafka_bootstrap
    require_topics(bootstrap, [raw_topic(name) for name in names])
    with (
        open_registry(bootstrap, settings.schema_registry_url) as registry,
        record_progress(console) as progress,
    ):
        stages = _stages(names)
        logs = _logs(settings, registry, stages)
        generation = max(log.generation for log in logs)
        tolerances = load_tolerances(settings.tolerances_file)
        making = Making.of(settings, registry, tolerances, generation)
        tables = restored(settings, stages, progress)
        canonical = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        rehearsal = Rehearsal(making, stages, tables)
        replaying = _Replaying(
            rehearsal,
            {raw_topic(name).name: raw_reader(making, CONNECTORS[name]) for name in names},
            canonical,
            selection,
        )
        listed = {topic: rehearsal.listed(topic) for topic in replaying.readers}
        record = None
        interrupted = False
        try:
            raw_logs = [log for log in logs if log.topic in replaying.readers]
            replaying.run(bootstrap, raw_logs, progress)
            if not dry_run:
                if not accept_loss:
                    for topic, withdrawn in replaying.withdrawn.items():
                        require_share(withdrawn, listed[topic], topic)
                source_ids = [CONNECTORS[name].source_id for name in names]
                record = ReplayRecord.of(settings, registry, generation, source_ids, selection)
                record.write("running", replaying.counts, Differences())
                replaying.send(bootstrap)
        except KeyboardInterrupt:
            interrupted = True
        differences = _differences(bootstrap, canonical, replaying.published)
        if record is not None:
            status: Status = "interrupted" if interrupted else "complete"
            record.write(status, replaying.counts, differences)
    return ReplayReport(replaying.counts, differences, interrupted)


@dataclass(slots=True)
class _Replaying:
    """One replay under way.

    Attributes:
        rehearsal: Says what becomes of a record.
        readers: Of each raw topic.
        selection: Which records are meant.
        counts: Raw records so far.
        published: Canonical records that differ, with the version that each had at first.
        withdrawn: Records that are rejected now and were accepted, by raw topic.
        to_send: Raw records that go through the pipeline again.
    """

    rehearsal: Rehearsal
    readers: Mapping[str, RawReader]
    canonical: Decoder[avro.InfrastructureRecord]
    selection: Selection
    counts: ReplayCounts = field(default_factory=ReplayCounts)
    published: dict[str, "_Published"] = field(default_factory=dict)
    withdrawn: Counter[str] = field(default_factory=Counter)
    to_send: list[Record] = field(default_factory=list)

    def run(self, bootstrap: str, logs: Sequence[InputPartition], progress: Progress) -> None:
        """Go through every raw record that there is now."""
        task = progress.add_task("Raw records", total=sum(log.high - log.low for log in logs))
        for log in logs:
            on_the_way = frozenset(_copied(bootstrap, log))
            records = read(bootstrap, log.topic, partition=log.partition)
            for record in advancing(progress, task, records):
                self._replay(record, log, on_the_way)

    def _replay(
        self, record: Record, log: InputPartition, on_the_way: Container[RawCoordinates]
    ) -> None:
        coordinates = RawCoordinates(record.topic, record.partition, record.offset)
        if isinstance(original_of(coordinates, record.headers), RawCoordinates):
            return
        read_as = self.readers[record.topic].read(record)
        raw = None if isinstance(read_as, Rejected) else read_as
        if not self._is_chosen(record, raw):
            return
        if record.offset > log.read_offset or coordinates in on_the_way:
            self.counts.effects[Effect.UNDECIDED] += 1
            return
        rehearsed = self.rehearsal.replayed(record, raw)
        effect = effect_of(
            rehearsed.outcome, was_accepted=rehearsed.was_accepted, differs=rehearsed.differs
        )
        if effect in REPLAYED and not rehearsed.is_settled:
            effect = Effect.UNDECIDED
        elif effect in REPLAYED and not fits(record.key, record.value):
            effect = Effect.TOO_LARGE
        self.counts.effects[effect] += 1
        if effect not in REPLAYED:
            return
        if effect is Effect.WITHDRAWN:
            self.withdrawn[record.topic] += 1
            if rehearsed.rule_id is not None:
                self.counts.rules[rehearsed.rule_id] += 1
        for value in rehearsed.published:
            self._keep(value)
        self.to_send.append(record)

    def send(self, bootstrap: str) -> None:
        """Redrive what differs, in the order of the logs."""
        with TopicWriter(bootstrap, self.readers) as writer:
            try:
                for record in self.to_send:
                    send_copy(writer, record)
                    self.counts.sent += 1
                    failpoint("after_copy")
            finally:
                writer.finish()

    def _is_chosen(self, record: Record, raw: RawRecord | None) -> bool:
        if raw is not None:
            return self.selection.has(raw.fetched_at, raw.record_id)
        key = (record.key or b"").decode("utf-8", "replace")
        return self.selection.has(clamped_time(record.timestamp), key)

    def _keep(self, value: bytes) -> None:
        record = self.canonical.decode(value)
        known = self.published.get(record["record_id"])
        first = record["version"] if known is None else known.first_version
        self.published[record["record_id"]] = _Published(first, value)


class _Published(NamedTuple):
    """A canonical record that a replay publishes.

    Attributes:
        first_version: The lowest of its versions; whatever has a lower one was there before.
        last: The one with the highest version, framed.
    """

    first_version: int
    last: bytes


def _stages(names: Sequence[str]) -> tuple[DeclaredStage, ...]:
    chosen = {*map(normalize_stage, names), *(stage.name for stage in _STAGES_BEHIND)}
    return tuple(stage for stage in pipeline(names) if stage.name in chosen)


def _logs(
    settings: Settings, registry: Registry, stages: Sequence[DeclaredStage]
) -> tuple[InputPartition, ...]:
    """What the stages have read of their inputs.

    Raises:
        StateError: it says nothing of what the topics have now.
    """
    logs = input_logs(settings, registry, stages)
    for log in logs:
        if log.is_another_log:
            raise StateError(
                f"Nothing was replayed, since the state is of another log: {next(log.problems())}. "
                "Stop the workers, then `make rebuild`."
            )
    if all(log.read_topic_id is None for log in logs):
        raise StateError(
            "Nothing was replayed, since nothing was decided yet: start the pipeline's workers; "
            "they decide with the code of today."
        )
    return logs


def _copied(bootstrap: str, log: InputPartition) -> Iterator[RawCoordinates]:
    """Originals of the copies that nobody has decided on yet: an earlier replay has sent them."""
    if log.read_offset + 1 >= log.high:
        return
    following = read(bootstrap, log.topic, partition=log.partition, from_offset=log.read_offset + 1)
    for record in following:
        own = RawCoordinates(record.topic, record.partition, record.offset)
        original = original_of(own, record.headers)
        if isinstance(original, RawCoordinates):
            yield original


def _differences(
    bootstrap: str,
    decoder: Decoder[avro.InfrastructureRecord],
    published: Mapping[str, _Published],
) -> Differences:
    """What was current of the published records, compared with them."""
    before: dict[str, avro.InfrastructureRecord] = {}
    if published:
        keys = {record_id.encode() for record_id in published}
        found = read_decoded(
            bootstrap, MARKET_INFRASTRUCTURE.name, decoder, wanted=lambda one: one.key in keys
        )
        for _, record in found:
            record_id, version = record["record_id"], record["version"]
            is_newer = record_id not in before or version > before[record_id]["version"]
            if version < published[record_id].first_version and is_newer:
                before[record_id] = record
    differences = Differences()
    for record_id, found_now in published.items():
        differences.add(before.get(record_id), decoder.decode(found_now.last))
    return differences


def print_report(report: ReplayReport, console: Console, *, dry_run: bool) -> None:
    """What was done, for people."""
    table = Table("raw records that are")
    table.add_column("records", justify="right")
    for effect in Effect:
        if report.counts.effects[effect]:
            table.add_row(effect.value, f"{report.counts.effects[effect]:,}")
    console.print(table)
    for rule_id, count in sorted(report.counts.rules.items()):
        console.print(f"{count:,} are rejected now by {rule_id}.", markup=False)
    print_differences(report.differences, console)
    replayed = sum(report.counts.effects[effect] for effect in REPLAYED)
    if dry_run:
        console.print(f"{replayed:,} raw records would be replayed; nothing was published.")
    else:
        console.print(
            f"{report.counts.sent:,} raw records were sent through the pipeline again. Its workers "
            "decide on them next, with the code and the tolerances that they were started with."
        )
    if report.counts.effects[Effect.UNDECIDED]:
        console.print(
            "Those not decided yet are left out: workers decide on them anyway. What an earlier "
            "version of the code decides meanwhile is replayed when you run it again."
        )
    if report.interrupted:
        console.print("Interrupted: run the same command again, it goes on with what is left.")
