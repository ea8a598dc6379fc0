"""The pipeline as a Faust app: `faust -A streams.app worker -l info`.

One agent for each connector normalizes its raw topic; one reconciles assets, one observes time
series. Every agent hands its batches to the engine, which publishes, stores and acknowledges them.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from faust.types import TP, StreamT
from prometheus_client import REGISTRY

from producers.connector import InfrastructureConnector
from producers.connectors import CONNECTORS
from producers.health_collector import ConnectorCollector
from streams.avro.codec import Registry
from streams.avro.topic_codecs import (
    Encoders,
    applied_codec,
    shared_encoders,
    state_codec,
    topic_decoder,
)
from streams.core import contract_types as avro
from streams.engine.app import EngineApp, ends_on_wrong_setting, faust_settings
from streams.engine.engine import Engine
from streams.engine.pages import add_pages
from streams.engine.resumes import resumed_offset
from streams.engine.stage import Compute, Derives, Stage
from streams.engine.table import StageTable
from streams.kafka.lag_collector import LagCollector
from streams.settings import settings
from streams.stages.aggregates import Aggregates
from streams.stages.count import Count
from streams.stages.decide import Decide
from streams.stages.normalize import Normalize
from streams.stages.observe import Observe
from streams.stages.raw_reading import RawReader
from streams.stages.reconcile import Reconcile
from streams.stages.score import Score
from streams.tolerance_file import load_tolerances
from streams.topics import Topic, raw_topic
from streams.topology import (
    AGGREGATES,
    COUNT,
    DECIDE,
    OBSERVE,
    RECONCILE,
    SCORE,
    SINK_TOPICS,
    DeclaredStage,
    chosen,
    normalize_stage,
    pipeline,
)

Factory = Callable[[Registry, Topic, Encoders], Compute | Derives]
"""Makes the work of a stage when a worker starts, given its changelog."""

with ends_on_wrong_setting():
    _settings = settings()
    _tolerances = load_tolerances(_settings.tolerances_file)
    _PIPELINE = pipeline(CONNECTORS)
    _CHOSEN = chosen(_PIPELINE, _settings.stages)


def _build_engine(app: EngineApp) -> Engine:
    registry = Registry(_settings.schema_registry_url)
    applied = applied_codec(registry)
    engine = Engine(
        app,
        _settings.kafka_bootstrap,
        applied.encoder,
        applied.decoder,
        partial(resumed_offset, _settings.kafka_bootstrap, registry),
        _settings.generation,
    )
    encoders = shared_encoders(registry)
    for registered in _STAGES:
        engine.add(registered.stage(registry, encoders))
    return engine


app = EngineApp(
    _settings.app_id,
    build_engine=_build_engine,
    **faust_settings(
        _settings,
        _settings.pipeline_state_dir(),
        _settings.worker_port,
        batch_records=_settings.batch_records,
    ),
)


def _reader(help_text: str) -> Callable[[StreamT], Awaitable[None]]:
    async def read(stream: StreamT) -> None:
        async for event in stream.noack().events():
            await app.engine.run(event)

    read.__doc__ = help_text  # `faust agents` shows it
    return read


class _RegisteredStage:
    """A stage as Faust knows it from import on: its table and agent; the work is built at start."""

    def __init__(self, declared: DeclaredStage, factory: Factory) -> None:
        self.declared = declared
        self._factory = factory
        self._table: StageTable = app.Table(
            declared.name,
            key_type=bytes,
            value_type=bytes,
            partitions=declared.input.partitions,
            help=declared.purpose,
        )
        agent = app.agent(app.batch_topic(declared.input.name), name=declared.name)
        self.agent = agent(_reader(declared.purpose))

    def stage(self, registry: Registry, encoders: Encoders) -> Stage:
        """The stage with its work."""
        changelog = self.declared.changelog(_settings.app_id)
        work = self._factory(registry, changelog, encoders)
        return Stage(self.declared.name, self.declared.input.name, self._table, work)


def _normalize(connector: type[InfrastructureConnector]) -> Factory:
    def normalize(registry: Registry, changelog: Topic, encoders: Encoders) -> Compute:
        decoder = topic_decoder(registry, raw_topic(connector.name), avro.RawRecord)
        state = state_codec(registry, changelog, avro.Location)
        reader = RawReader(connector, decoder, _tolerances)
        limits = _settings.rejection_limits()
        return Normalize(reader, state, encoders, _settings.generation, limits)

    return normalize


def _reconcile(registry: Registry, changelog: Topic, encoders: Encoders) -> Derives:
    decoder = topic_decoder(registry, RECONCILE.input, avro.NormalizedAsset)
    state = state_codec(registry, changelog, avro.AssetState)
    return Reconcile(decoder, state, encoders, _settings.generation)


def _observe(registry: Registry, changelog: Topic, encoders: Encoders) -> Compute:
    decoder = topic_decoder(registry, OBSERVE.input, avro.NormalizedObservation)
    state = state_codec(registry, changelog, avro.ObservationState)
    return Observe(decoder, state, encoders, _settings.generation, _tolerances)


def _aggregates(registry: Registry, changelog: Topic, encoders: Encoders) -> Compute:
    decoder = topic_decoder(registry, AGGREGATES.input, avro.GasDayReport)
    state = state_codec(registry, changelog, avro.GasDayAggregates)
    return Aggregates(decoder, state, encoders, _tolerances)


def _decide(registry: Registry, changelog: Topic, encoders: Encoders) -> Compute:
    return Decide(topic_decoder(registry, DECIDE.input, avro.ManualDecision), encoders)


def _count(registry: Registry, changelog: Topic, encoders: Encoders) -> Compute:
    decoder = topic_decoder(registry, COUNT.input, avro.RecordOutcome)
    return Count(decoder, state_codec(registry, changelog, avro.CountState), encoders)


def _score(registry: Registry, changelog: Topic, encoders: Encoders) -> Derives:
    decoder = topic_decoder(registry, SCORE.input, avro.QualityCounts)
    state = state_codec(registry, changelog, avro.ScoreState)
    weights = _tolerances.quality.weights
    return Score(decoder, state, encoders, _settings.generation, weights)


_FACTORIES: Mapping[str, Factory] = {
    **{normalize_stage(name): _normalize(connector) for name, connector in CONNECTORS.items()},
    DECIDE.name: _decide,
    RECONCILE.name: _reconcile,
    OBSERVE.name: _observe,
    AGGREGATES.name: _aggregates,
    COUNT.name: _count,
    SCORE.name: _score,
}
_STAGES = tuple(_RegisteredStage(stage, _FACTORIES[stage.name]) for stage in _CHOSEN)


def _exports_deployment() -> bool:
    return TP(SCORE.input.name, 0) in app.consumer.assignment()


add_pages(app)
_group_topics = {
    _settings.app_id: [declared.input.name for declared in _PIPELINE],
    _settings.sink_app_id: [topic.name for topic in SINK_TOPICS],
}
REGISTRY.register(LagCollector(_settings.kafka_bootstrap, _group_topics, _exports_deployment))
REGISTRY.register(ConnectorCollector(_settings.postgres_dsn, _exports_deployment))
