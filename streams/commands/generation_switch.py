"""The switch: one Kafka transaction by which the next generation becomes the running one.

It publishes what readers do not have yet, replaces the state of every stage, and says in
`pipeline.generations` who runs. Topics, groups and changelogs keep their names: those of the next
generation are copied into those of the running one. Producers and sink go on meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter

from rich.progress import Progress

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry, UndecodableError
from streams.avro.topic_codecs import applied_codec, topic_decoder, topic_encoder
from streams.commands.generation_comparison import Comparison
from streams.commands.next_generation import switch_id
from streams.commands.record_progress import advancing
from streams.commands.replay_record import ReplayRecord
from streams.core import contract_types as avro
from streams.core.differences import Differences
from streams.core.errors import StateError
from streams.core.replay import Selection
from streams.engine.applied import NOTHING_APPLIED, Applied
from streams.engine.failpoints import failpoint
from streams.engine.generations import GENERATION_HEADER
from streams.engine.store import APPLIED_KEY
from streams.engine.transactions import PartitionTransactions, transactional_id
from streams.kafka.broker import PartitionId
from streams.kafka.groups import require_stopped
from streams.kafka.topic_admin import end_offsets, topic_uuids
from streams.kafka.topic_reader import Record, read_all
from streams.kafka.transaction_writer import TransactionWriter
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    GENERATIONS,
    MARKET_INFRASTRUCTURE,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    REPLAYS,
    Topic,
    of_next_generation,
)
from streams.topology import DeclaredStage, outputs, pipeline, published

_FENCED_AT_ONCE = 8

_BESIDE = b"\x00"
"""First byte of the changelog entries that are none of the table."""


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch is made of.

    Attributes:
        entry: The next generation.
        comparison: What it has otherwise than the running one.
        written: How far the running one had written when it was compared, see `end_writing`.
    """

    settings: Settings
    registry: Registry
    entry: avro.Generation
    comparison: Comparison
    written: Mapping[PartitionId, int]
    progress: Progress


def switched(switch: Switched) -> None:
    """Switch; the workers of both generations are stopped, and the next one has read everything.

    Raises:
        StateError: a worker runs, or one has run meanwhile.
        BrokerError, TopicMismatchError, RegistryError: nothing was switched; run it again.
    """
    settings = switch.settings
    with TransactionWriter(settings.kafka_bootstrap, switch_id(settings)) as writer:
        _Switching(switch, writer).run()


def end_writing(settings: Settings) -> dict[PartitionId, int]:
    """End whatever workers of the running generation have begun to write, and let none go on.

    One that was killed leaves a transaction open, which hides what lies behind it; one that was
    frozen may wake.

    Returns:
        How far they have written: the ends of their changelogs, which every batch moves.

    Raises:
        FencedError, TransactionError, BrokerError: the broker did not answer; run it again.
    """
    bootstrap = settings.kafka_bootstrap
    stages = pipeline(CONNECTORS)

    def fence(partition: PartitionId) -> None:
        transactions = PartitionTransactions(
            bootstrap, transactional_id(settings.app_id, *partition)
        )
        try:
            transactions.fence()
        finally:
            transactions.close()

    with ThreadPoolExecutor(_FENCED_AT_ONCE) as pool:
        list(pool.map(fence, end_offsets(bootstrap, [stage.input.name for stage in stages])))
    return end_offsets(bootstrap, [stage.changelog(settings.app_id).name for stage in stages])


@dataclass(frozen=True, slots=True)
class _Switching:
    switch: Switched
    writer: TransactionWriter

    def run(self) -> None:
        self._keep_workers_out()
        stages = pipeline(CONNECTORS)
        for topic in published(stages):
            self._publish(topic)
        self.writer.flush()
        written = dict(self.writer.written)
        del written[PartitionId(GENERATIONS.name, 0)]
        offsets = {}
        for stage in stages:
            offsets.update(self._replace_state(stage, stages))
        encoder = topic_encoder(self.switch.registry, GENERATIONS, avro.Generation)
        running: avro.Generation = {
            **self.switch.entry,
            "switched_at": datetime.now(UTC),
            "published": [
                {"topic": name, "partition": partition, "first": first, "last": last}
                for (name, partition), (first, last) in sorted(written.items())
            ],
        }
        self.writer.send(GENERATIONS.name, b"running", encoder.encode(running))
        self.writer.send(REPLAYS.name, *self._record().message("complete", self._differences))
        self.writer.flush()
        settings = self.switch.settings
        for group in (settings.app_id, settings.next_app_id):
            require_stopped(settings.kafka_bootstrap, group)
        failpoint("before_switch")
        self.writer.commit(settings.app_id, offsets)

    def _keep_workers_out(self) -> None:
        """Let no worker write from here on until this transaction has ended.

        One that starts from now on sees that it is open (`require_running`), every other is fenced.
        """
        settings = self.switch.settings
        self.writer.send(GENERATIONS.name, b"next", None)
        self.writer.flush()
        if end_writing(settings) != self.switch.written:
            raise StateError(
                f"Workers of {settings.app_id} have run since both generations were compared; "
                "nothing was switched. Stop them, then run the command again."
            )

    def _record(self) -> ReplayRecord:
        sources = [connector.source_id for connector in CONNECTORS.values()]
        generation, began_at = self.switch.entry["generation"], self.switch.entry["began_at"]
        record = ReplayRecord.of(
            self.switch.settings, self.switch.registry, generation, sources, Selection()
        )
        return replace(record, started_at=began_at)

    @property
    def _differences(self) -> Differences:
        return self.switch.comparison.differences

    def _publish(self, topic: Topic) -> None:
        header = (GENERATION_HEADER, str(self.switch.entry["generation"]).encode())
        for key, value, partition in self._news(topic):
            self.writer.send(topic.name, key, value, partition=partition, headers=[header])
            failpoint("in_switch", topic.name)

    def _news(self, topic: Topic) -> Iterator[tuple[bytes | None, bytes | None, int]]:
        """Key, value and partition of what readers of a topic do not have yet."""
        if topic == MARKET_INFRASTRUCTURE:
            return self._canonical()
        if topic == RECORD_OUTCOMES:
            return self._outcomes()
        if topic == DEAD_LETTERS:
            return self._dead_letters()
        if topic == QUALITY_SCORES:
            return self._scores()
        return self._by_key(topic)

    def _canonical(self) -> Iterator[tuple[bytes | None, bytes | None, int]]:
        registry, comparison = self.switch.registry, self.switch.comparison
        encoder = topic_encoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        for key, value in comparison.news:
            yield key, value, -1
        for record in comparison.left.ended():
            yield record["record_id"].encode(), encoder.encode(record), -1

    def _outcomes(self) -> Iterator[tuple[bytes | None, bytes | None, int]]:
        """Every outcome, naming the versions that readers have."""
        decoder = topic_decoder(self.switch.registry, RECORD_OUTCOMES, avro.RecordOutcome)
        encoder = topic_encoder(self.switch.registry, RECORD_OUTCOMES, avro.RecordOutcome)
        shown = self.switch.comparison.shown_versions
        for record in self._records(of_next_generation(RECORD_OUTCOMES)):
            outcome = decoder.decode(record.value)
            named = [(one["record_id"], one["version"]) for one in outcome["canonical"]]
            known: list[avro.CanonicalVersion] = [
                {"record_id": one[0], "version": shown[one]} for one in named if one in shown
            ]
            yield record.key, encoder.encode({**outcome, "canonical": known}), record.partition

    def _dead_letters(self) -> Iterator[tuple[bytes | None, bytes | None, int]]:
        """Those that are not there yet; of the pipeline's own topics none."""
        decoder = topic_decoder(self.switch.registry, DEAD_LETTERS, avro.DeadLetter)

        def identity(record: Record) -> tuple[bytes | None, str, str] | None:
            try:
                dead_letter = decoder.decode(record.value)
            except UndecodableError:
                return None  # somebody else wrote it
            return record.key, dead_letter["stage"], dead_letter["rule_id"]

        known = {identity(record) for record in self._records(DEAD_LETTERS)}
        own = of_next_generation(Topic("")).name.encode()
        for record in self._records(of_next_generation(DEAD_LETTERS)):
            is_own = record.key is not None and record.key.startswith(own)
            if not is_own and identity(record) not in known:
                yield record.key, record.value, record.partition

    def _scores(self) -> Iterator[tuple[bytes | None, bytes | None, int]]:
        """Every score, and that a window is empty which has no record any more."""
        decoder = topic_decoder(self.switch.registry, QUALITY_SCORES, avro.QualityScore)
        encoder = topic_encoder(self.switch.registry, QUALITY_SCORES, avro.QualityScore)
        for key, value, partition in self._by_key(QUALITY_SCORES):
            if value is not None:
                yield key, value, partition
                continue
            last = max(
                (
                    decoder.decode(record.value)
                    for record in self._records(QUALITY_SCORES)
                    if (record.key, record.partition) == (key, partition) and record.value
                ),
                key=itemgetter("version"),
            )
            empty: avro.QualityScore = {
                **last,
                "version": last["version"] + 1,
                "record_count": 0,
                "failed_count": 0,
            }
            yield key, encoder.encode(empty), partition

    def _by_key(self, topic: Topic) -> Iterator[tuple[bytes | None, bytes | None, int]]:
        """What each key stands for, where it differs, and that it stands for nothing any more."""
        before, after = (
            {(record.partition, record.key): record.value for record in self._records(one)}
            for one in (topic, of_next_generation(topic))
        )
        for (partition, key), value in after.items():
            if before.get((partition, key)) != value:
                yield key, value, partition
        for partition, key in before.keys() - after.keys():
            if before[partition, key] is not None:
                yield key, None, partition

    def _replace_state(
        self, stage: DeclaredStage, stages: Iterable[DeclaredStage]
    ) -> dict[PartitionId, int]:
        """Replace the table of a stage; returns the next offset that it reads, by partition."""
        settings = self.switch.settings
        name = stage.changelog(settings.app_id).name
        after = self._tables(stage.changelog(settings.next_app_id).name)
        stored = {
            (record.partition, record.key)
            for record in read_all(settings.kafka_bootstrap, name)
            if record.key is not None and not record.key.startswith(_BESIDE)
        }
        for (partition, key), value in after.items():
            if value is not None and key != APPLIED_KEY:
                self.writer.send(name, key, value, partition=partition)
        for partition, key in stored:
            if after.get((partition, key)) is None:
                self.writer.send(name, key, None, partition=partition)
        codec = applied_codec(self.switch.registry)
        offsets = {}
        for partition, applied in self._applied(stage, stages, after).items():
            value = codec.encoder.encode(applied.to_avro())
            # The last entry of the partition, as of every batch.
            self.writer.send(name, APPLIED_KEY, value, partition=partition)
            offsets[PartitionId(stage.input.name, partition)] = applied.offset + 1
        return offsets

    def _tables(self, changelog: str) -> dict[tuple[int, bytes], bytes | None]:
        """Last value of every key of a changelog, with those that say what was applied."""
        return {
            (record.partition, record.key): record.value
            for record in self._records_of(changelog)
            if record.key is not None
            and (record.key == APPLIED_KEY or not record.key.startswith(_BESIDE))
        }

    def _applied(
        self,
        stage: DeclaredStage,
        stages: Iterable[DeclaredStage],
        tables: dict[tuple[int, bytes], bytes | None],
    ) -> dict[int, Applied]:
        """What of each input partition is in the state then.

        A topic of the pipeline's own counts as applied to its end: the next generation has made it
        again, in its own.
        """
        settings, name = self.switch.settings, stage.input.name
        uuid = topic_uuids(settings.kafka_bootstrap, [name])[name]
        generation = self.switch.entry["generation"]
        own = stage.input in outputs(stages)
        decode = applied_codec(self.switch.registry).decoder.decode
        found = {}
        for (_, partition), end in end_offsets(settings.kafka_bootstrap, [name]).items():
            value = tables.get((partition, APPLIED_KEY))
            if own:
                written = self.writer.written.get(PartitionId(name, partition))
                last = max(end - 1, NOTHING_APPLIED if written is None else written.last)
            elif value is not None:
                found[partition] = Applied.from_avro(decode(value))
                continue
            else:  # also in place of what was read of an earlier log
                last = NOTHING_APPLIED
            found[partition] = Applied(name, uuid, partition, last, None, generation)
        return found

    def _records(self, topic: Topic) -> Iterator[Record]:
        return self._records_of(topic.name)

    def _records_of(self, name: str) -> Iterator[Record]:
        progress = self.switch.progress
        task = progress.add_task(name, total=None)
        yield from advancing(progress, task, read_all(self.switch.settings.kafka_bootstrap, name))
        progress.remove_task(task)
