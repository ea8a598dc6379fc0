"""What the stages would do with a raw record: run on a copy of their state, nothing published.

The works are those that workers run, and the state is read from the changelogs, so a rehearsal
says to the byte what becomes of a record, of the assets it is a member of and of its neighbours.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from rich.progress import Progress

from streams.avro.codec import AvroRecord, Decoder
from streams.avro.contracts import contract
from streams.avro.topic_codecs import topic_decoder
from streams.commands.record_progress import advancing
from streams.commands.redriven import copy_of
from streams.core import contract_types as avro
from streams.core.reconcile.state import RECORD_PREFIX
from streams.core.records import Outcome, RawCoordinates, RawRecord, source_key
from streams.engine.overlay import Overlay
from streams.engine.stage import Compute, Derives
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.kafka.topic_reader import Record, key_partition, read_all
from streams.settings import Settings
from streams.stages.works import Making
from streams.topics import MARKET_INFRASTRUCTURE, RECORD_OUTCOMES
from streams.topology import OBSERVE, RECONCILE, DeclaredStage

Table = dict[bytes, bytes]
Tables = dict[tuple[str, int], Table]
"""What each stage keeps, by its name and partition."""

_BESIDE = b"\x00"
"""First byte of the changelog entries that are none of the table."""


def empty_tables(stages: Iterable[DeclaredStage]) -> Tables:
    """The tables of stages that have read nothing."""
    return {
        (stage.name, partition): {}
        for stage in stages
        for partition in range(stage.input.partitions)
    }


def restored(settings: Settings, stages: Sequence[DeclaredStage], progress: Progress) -> Tables:
    """The tables of the stages, read committed from their changelogs, each after those before it.

    Args:
        settings: Where the broker is.
        stages: In the order in which records pass them: what one has decided, those behind it have
            then received, or it is in their input.
        progress: Shows the entries.

    Raises:
        BrokerError, TopicMismatchError: they could not be read.
    """
    tables = empty_tables(stages)
    task = progress.add_task("State", total=None)
    for stage in stages:
        changelog = stage.changelog(settings.app_id).name
        for record in advancing(progress, task, read_all(settings.kafka_bootstrap, changelog)):
            if record.key is None or record.key.startswith(_BESIDE):
                continue
            table = tables[stage.name, record.partition]
            if record.value is None:
                table.pop(record.key, None)
            else:
                table[record.key] = record.value
    return tables


class _Place(NamedTuple):
    """Where an entry is kept."""

    stage: str
    partition: int
    key: bytes


_Entries = dict[_Place, bytes | None]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What became of one raw record.

    Attributes:
        outcome: Its outcome; None when none was decided.
        rule_id: Rule that rejects it; None when it is accepted.
        was_accepted: Whether its source record was listed before, where it is rejected or differs.
        differs: Whether anything published or kept is other than before.
        is_settled: Whether the stage behind normalize has received what was decided of it before.
        published: Canonical records that would be published, in order.
    """

    outcome: Outcome | None
    rule_id: str | None
    was_accepted: bool
    differs: bool
    is_settled: bool
    published: tuple[bytes, ...]


class Rehearsal:
    """The stages from the raw topics to the canonical records, in this process.

    Args:
        making: What their works are made with.
        stages: Those that run; what others would read goes nowhere.
        tables: What they keep, as it is changed by what they are given.
    """

    def __init__(self, making: Making, stages: Sequence[DeclaredStage], tables: Tables) -> None:
        self._making = making
        self._stages = {stage.input.name: stage for stage in stages}
        self._tables = tables
        self._works = {stage.name: making.work(stage) for stage in stages}
        self._indexes: dict[tuple[str, int], Compute] = {}
        app_id = making.settings.app_id
        self._states: Mapping[str, Decoder[AvroRecord]] = {
            stage.name: making.registry.decoder(contract(stage.changelog(app_id).contract_name))
            for stage in stages
        }
        self._outcomes = topic_decoder(making.registry, RECORD_OUTCOMES, avro.RecordOutcome)

    def listed(self, raw_topic: str) -> int:
        """Source records of a raw topic that are accepted and listed now.

        The state also keeps those that are not: they cannot be lost once more.
        """
        name = self._stages[raw_topic].name
        decode = self._states[name].decode
        locations = (
            decode(entry)
            for (stage, _), table in self._tables.items()
            if stage == name
            for entry in table.values()
        )
        return sum(location["listed"] for location in locations)

    def replayed(self, record: Record, raw: RawRecord | None) -> Rehearsed:
        """Give the stages a raw record again, as a copy that is redriven.

        Args:
            record: The original.
            raw: What it says; None when it cannot be read.
        """
        coordinates = RawCoordinates(record.topic, record.partition, record.offset)
        outputs, before = self._run(copy_of(record))
        outcome = None
        for output in outputs:
            if output.topic == RECORD_OUTCOMES.name and output.key == coordinates.key.encode():
                outcome = self._outcomes.decode(output.value)
        published = tuple(_canonical(outputs))
        differs = bool(published) or any(
            self._is_other(place, entry) for place, entry in before.items()
        )
        result = None if outcome is None else cast(Outcome, outcome["outcome"])
        location = None
        if raw is not None and (differs or result == "rejected"):
            location = self._location(record, raw, before)
        was_accepted = location is not None and location["listed"]
        is_settled = True
        if raw is not None and location is not None and was_accepted:
            received = self._lineage_behind(raw, location, before)
            is_settled = received == location["lineage"] or location["lineage"] != (
                coordinates.to_avro()
            )
        rule_id = None if outcome is None else outcome["rule_id"]
        return Rehearsed(result, rule_id, was_accepted, differs, is_settled, published)

    def decided(self, record: Record) -> list[bytes]:
        """Give the stages a record for the first time; the canonical records that follow."""
        outputs, _ = self._run(record)
        return list(_canonical(outputs))

    def _run(self, record: Record) -> tuple[list[Outgoing], _Entries]:
        """What follows from a record, and the entries it replaced, as they were before."""
        waiting = deque([record])
        outputs: list[Outgoing] = []
        before: _Entries = {}
        while waiting:
            one = waiting.popleft()
            stage = self._stages[one.topic]
            table = self._tables[stage.name, one.partition]
            overlay = Overlay(table.get)
            batch = Batch(one.topic, one.partition, [one])
            for output in self._index(stage, one.partition)(batch, overlay):
                outputs.append(output)
                if output.topic in self._stages:
                    waiting.append(self._received_as(output))
            for key, value in overlay.changes.items():
                before.setdefault(_Place(stage.name, one.partition, key), table.get(key))
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value
        return outputs, before

    def _received_as(self, output: Outgoing) -> Record:
        partition = output.partition
        if partition < 0:
            count = self._stages[output.topic].input.partitions
            partition = key_partition(output.key, count)
        return Record(output.topic, partition, 0, 0, output.key, output.value, ())

    def _index(self, stage: DeclaredStage, partition: int) -> Compute:
        index = self._indexes.get((stage.name, partition))
        if index is None:
            work = self._works[stage.name]
            if isinstance(work, Derives):
                index = work.derive(partition, self._tables[stage.name, partition].items())
            else:
                index = work
            self._indexes[stage.name, partition] = index
        return index

    def _location(self, record: Record, raw: RawRecord, before: _Entries) -> AvroRecord | None:
        """Where normalize had sent a source record."""
        name = self._stages[record.topic].name
        return self._decoded(_Place(name, record.partition, raw.record_id.encode()), before)

    def _lineage_behind(self, raw: RawRecord, location: AvroRecord, before: _Entries) -> object:
        """Lineage of what the stage behind normalize had of a source record; None for nothing."""
        key = source_key(raw.source_id, raw.record_id)
        region = location["region"]
        if region >= 0:
            place = _Place(RECONCILE.name, region, f"{RECORD_PREFIX}{key}".encode())
            state = self._decoded(place, before)
            return None if state is None else state["record"]["lineage"]
        entity = source_key(raw.source_id, location["entity_id"]).encode()
        partition = key_partition(entity, OBSERVE.input.partitions)
        state = self._decoded(_Place(OBSERVE.name, partition, key.encode()), before)
        return None if state is None else state["lineage"]

    def _decoded(self, place: _Place, before: _Entries) -> AvroRecord | None:
        """An entry as it was before."""
        table = self._tables[place.stage, place.partition]
        stored = before[place] if place in before else table.get(place.key)
        return None if stored is None else self._states[place.stage].decode(stored)

    def _is_other(self, place: _Place, before: bytes | None) -> bool:
        after = self._tables[place.stage, place.partition].get(place.key)
        if before == after:
            return False
        if before is None or after is None:
            return True
        decode = self._states[place.stage].decode
        return _told(decode(before)) != _told(decode(after))


def _canonical(outputs: Iterable[Outgoing]) -> Iterator[bytes]:
    for output in outputs:
        if output.topic == MARKET_INFRASTRUCTURE.name and output.value is not None:
            yield output.value


def _told(state: object) -> object:
    """What a state says, without the bytes of the records in it: another schema may write them."""
    if isinstance(state, dict):
        return {name: _told(one) for name, one in state.items() if not isinstance(one, bytes)}
    return state
