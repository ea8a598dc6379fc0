"""The stages behind observe in one process: topics are lists, tables are dicts."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from streams.avro.codec import AvroRecord, Encoder, Registry
from streams.avro.contracts import Contract, contract
from streams.avro.topic_codecs import shared_encoders, state_codec, topic_decoder
from streams.core import contract_types as avro
from streams.engine.overlay import Overlay
from streams.engine.stage import Compute
from streams.kafka.batch import Batch
from streams.stages.aggregates import Aggregates
from streams.stages.count import Count
from streams.stages.observe import Observe
from streams.stages.score import Score
from streams.topics import (
    LNG_GAS_DAYS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_OBSERVATIONS,
    QUALITY_COUNTS,
    QUALITY_SCORES,
    RECORD_OUTCOMES,
    Topic,
)
from streams.topology import AGGREGATES, COUNT, OBSERVE, SCORE
from tests.core.series import TOLERANCES


class OfflineRegistry(Registry):
    """Gives ids to contracts as they are asked for."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")

    def encoder(self, subject: str, contract: Contract) -> Encoder[Mapping[str, Any]]:
        schema = contract.parsed()
        schema_id = len(self._writers) + 1
        self._writers[schema_id] = schema
        return Encoder(schema, schema_id)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    partition: int = 0
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Chain:
    """The stages and every record they have written."""

    registry: Registry = field(default_factory=OfflineRegistry)
    topics: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    _waiting: deque[Record] = field(default_factory=deque)
    _tables: defaultdict[str, dict[bytes, bytes]] = field(default_factory=lambda: defaultdict(dict))
    _stages: dict[str, Compute] = field(default_factory=dict)
    _observations: Encoder[avro.NormalizedObservation] | None = None

    def __post_init__(self) -> None:
        encoders = shared_encoders(self.registry)
        self._observations = encoders.observations
        self._stages = {
            NORMALIZED_OBSERVATIONS.name: Observe(
                topic_decoder(self.registry, NORMALIZED_OBSERVATIONS, avro.NormalizedObservation),
                state_codec(self.registry, OBSERVE.changelog("test"), avro.ObservationState),
                encoders,
                1,
                TOLERANCES,
            ),
            LNG_GAS_DAYS.name: Aggregates(
                topic_decoder(self.registry, LNG_GAS_DAYS, avro.GasDayReport),
                state_codec(self.registry, AGGREGATES.changelog("test"), avro.GasDayAggregates),
                encoders,
                TOLERANCES,
            ),
            RECORD_OUTCOMES.name: Count(
                topic_decoder(self.registry, RECORD_OUTCOMES, avro.RecordOutcome),
                state_codec(self.registry, COUNT.changelog("test"), avro.CountState),
                encoders,
            ),
            QUALITY_COUNTS.name: Score(
                topic_decoder(self.registry, QUALITY_COUNTS, avro.QualityCounts),
                state_codec(self.registry, SCORE.changelog("test"), avro.ScoreState),
                encoders,
                1,
                TOLERANCES.quality.weights,
            ).derive(0, ()),
        }

    def feed(self, normalized: Iterable[avro.NormalizedObservation]) -> None:
        """Run the stages until nothing is left to read."""
        assert self._observations is not None
        for event in normalized:
            self._append(NORMALIZED_OBSERVATIONS.name, None, self._observations.encode(event))
        while self._waiting:
            self._run(self._waiting.popleft())

    def feed_interleaved(
        self, partitions: Iterable[Sequence[avro.NormalizedObservation]], random: Random
    ) -> None:
        """Run the stages, each as far as it happens to come between the events of partitions."""
        assert self._observations is not None
        sources = [deque(events) for events in partitions]
        while self._waiting or any(sources):
            arriving = [source for source in sources if source]
            # The next record of each topic; later ones wait behind it.
            first = {record.topic: record for record in reversed(self._waiting)}
            chosen = random.randrange(len(arriving) + len(first))
            if chosen < len(arriving):
                event = self._observations.encode(arriving[chosen].popleft())
                self._append(NORMALIZED_OBSERVATIONS.name, None, event)
            else:
                record = first[sorted(first)[chosen - len(arriving)]]
                self._waiting.remove(record)
                self._run(record)

    def _run(self, record: Record) -> None:
        table = self._tables[record.topic]
        overlay = Overlay(table.get)
        for out in self._stages[record.topic](Batch(record.topic, 0, [record]), overlay):
            self._append(out.topic, out.key, out.value)
        for key, value in overlay.changes.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value

    def _append(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        record = Record(topic, len(self.topics[topic]), key, value)
        self.topics[topic].append(record)
        if topic in self._stages:
            self._waiting.append(record)

    def versions(self) -> list[AvroRecord]:
        """Every canonical version, in the order of their publication."""
        return list(self._read(MARKET_INFRASTRUCTURE))

    def canonical(self) -> dict[str, AvroRecord]:
        """What readers hold in the end: the highest version of each record."""
        newest: dict[str, AvroRecord] = {}
        for record in self._read(MARKET_INFRASTRUCTURE):
            known = newest.get(record["record_id"])
            assert known is None or known["version"] < record["version"]
            newest[record["record_id"]] = record
        return newest

    def scores(self) -> dict[tuple[str, datetime, str], AvroRecord]:
        """Every score at its highest version, by source, window and dimension."""
        newest: dict[tuple[str, datetime, str], AvroRecord] = {}
        for record in self._read(QUALITY_SCORES):
            key = (record["source_id"], record["window_start"], record["dimension"])
            assert key not in newest or newest[key]["version"] < record["version"]
            newest[key] = record
        return newest

    def outcomes(self) -> list[AvroRecord]:
        """Every outcome."""
        return list(self._read(RECORD_OUTCOMES))

    def _read(self, topic: Topic) -> Iterable[AvroRecord]:
        decoder = self.registry.decoder(contract(topic.contract_name))
        return (decoder.decode(record.value) for record in self.topics[topic.name])
