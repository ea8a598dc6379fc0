"""Making the work of each stage: its codecs, its connector, its limits.

Once for a worker that runs them, and for a command that only wants to know what they would do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from producers.connector import InfrastructureConnector
from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.topic_codecs import Encoders, shared_encoders, state_codec, topic_decoder
from streams.core import contract_types as avro
from streams.core.tolerances import Tolerances
from streams.engine.stage import Compute, Derives
from streams.settings import Settings
from streams.stages.aggregates import Aggregates
from streams.stages.count import Count
from streams.stages.decide import Decide
from streams.stages.normalize import Normalize
from streams.stages.observe import Observe
from streams.stages.raw_reading import RawReader
from streams.stages.reconcile import Reconcile
from streams.stages.score import Score
from streams.topics import Topic, raw_topic
from streams.topology import (
    AGGREGATES,
    COUNT,
    DECIDE,
    OBSERVE,
    RECONCILE,
    SCORE,
    DeclaredStage,
    normalize_stage,
)


@dataclass(frozen=True, slots=True)
class Making:
    """What works are made with.

    Attributes:
        settings: Where a raw partition pauses, and whose changelogs.
        registry: Schemas of what is read and written.
        encoders: Of the shared topics.
        tolerances: Limits of the rules.
        generation: High part of every version.
    """

    settings: Settings
    registry: Registry
    encoders: Encoders
    tolerances: Tolerances
    generation: int

    @classmethod
    def of(
        cls, settings: Settings, registry: Registry, tolerances: Tolerances, generation: int
    ) -> "Making":
        """With the encoders of the shared topics.

        Raises:
            RegistryError: a subject is not registered.
        """
        encoders = shared_encoders(registry)
        return cls(settings, registry, encoders, tolerances, generation)

    def work(self, declared: DeclaredStage) -> Compute | Derives:
        """The work of a stage.

        Raises:
            RegistryError: the subject of its changelog is not registered.
        """
        return _FACTORIES[declared.name](self, declared.changelog(self.settings.app_id))


_Factory = Callable[[Making, Topic], Compute | Derives]
"""Makes the work of a stage, given its changelog."""


def raw_reader(making: Making, connector: type[InfrastructureConnector]) -> RawReader:
    """What reads the raw records of a connector."""
    decoder = topic_decoder(making.registry, raw_topic(connector.name), avro.RawRecord)
    return RawReader(connector, decoder, making.tolerances)


def _normalize(connector: type[InfrastructureConnector]) -> _Factory:
    def normalize(making: Making, changelog: Topic) -> Compute:
        state = state_codec(making.registry, changelog, avro.Location)
        limits = making.settings.rejection_limits()
        reader = raw_reader(making, connector)
        return Normalize(reader, state, making.encoders, making.generation, limits)

    return normalize


def _reconcile(making: Making, changelog: Topic) -> Derives:
    decoder = topic_decoder(making.registry, RECONCILE.input, avro.NormalizedAsset)
    state = state_codec(making.registry, changelog, avro.AssetState)
    return Reconcile(decoder, state, making.encoders, making.generation)


def _observe(making: Making, changelog: Topic) -> Compute:
    decoder = topic_decoder(making.registry, OBSERVE.input, avro.NormalizedObservation)
    state = state_codec(making.registry, changelog, avro.ObservationState)
    return Observe(decoder, state, making.encoders, making.generation, making.tolerances)


def _aggregates(making: Making, changelog: Topic) -> Compute:
    decoder = topic_decoder(making.registry, AGGREGATES.input, avro.GasDayReport)
    state = state_codec(making.registry, changelog, avro.GasDayAggregates)
    return Aggregates(decoder, state, making.encoders, making.tolerances)


def _decide(making: Making, changelog: Topic) -> Compute:
    decoder = topic_decoder(making.registry, DECIDE.input, avro.ManualDecision)
    return Decide(decoder, making.encoders)


def _count(making: Making, changelog: Topic) -> Compute:
    decoder = topic_decoder(making.registry, COUNT.input, avro.RecordOutcome)
    return Count(decoder, state_codec(making.registry, changelog, avro.CountState), making.encoders)


def _score(making: Making, changelog: Topic) -> Derives:
    decoder = topic_decoder(making.registry, SCORE.input, avro.QualityCounts)
    state = state_codec(making.registry, changelog, avro.ScoreState)
    weights = making.tolerances.quality.weights
    return Score(decoder, state, making.encoders, making.generation, weights)


_FACTORIES: Mapping[str, _Factory] = {
    **{normalize_stage(name): _normalize(connector) for name, connector in CONNECTORS.items()},
    DECIDE.name: _decide,
    RECONCILE.name: _reconcile,
    OBSERVE.name: _observe,
    AGGREGATES.name: _aggregates,
    COUNT.name: _count,
    SCORE.name: _score,
}
