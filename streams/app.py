"""The pipeline as a Faust app: `faust -A streams.app worker -l info`.

One agent for each connector normalizes its raw topic; one reconciles assets, one observes time
series. Every agent hands its batches to the engine, which publishes, stores and acknowledges them.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from faust.types import TP, StreamT
from prometheus_client import REGISTRY

from producers.connectors import CONNECTORS
from producers.health_collector import ConnectorCollector
from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.avro.topic_codecs import (
    APPLIED_SUBJECT,
    Encoders,
    StateCodec,
    shared_encoders,
    state_codec,
    topic_decoder,
)
from streams.engine.app import EngineApp, faust_settings
from streams.engine.engine import Engine
from streams.engine.pages import add_pages
from streams.engine.resumes import released_offset
from streams.engine.stage import Compute, Stage
from streams.engine.table import StageTable
from streams.kafka.lag_collector import LagCollector
from streams.settings import settings
from streams.stages.count import Count
from streams.stages.decide import Decide
from streams.stages.normalize import Normalize
from streams.stages.observe import Observe
from streams.stages.raw_reading import RawReader
from streams.stages.reconcile import Reconcile
from streams.stages.scopes import Scopes
from streams.stages.score import Score
from streams.tolerance_file import load_tolerances
from streams.topics import (
    COUNT_TABLE,
    DECIDE_TABLE,
    DECISIONS,
    LNG_GAS_DAYS,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    OBSERVE_TABLE,
    QUALITY_COUNTS,
    RECONCILE_TABLE,
    RECORD_OUTCOMES,
    SCOPES_TABLE,
    SCORE_TABLE,
    SINK_TOPICS,
    Topic,
    changelog_topic,
    normalize_table,
    raw_topic,
)

_settings = settings()
_tolerances = load_tolerances(_settings.tolerances_file)


def _build_engine(app: EngineApp) -> Engine:
    registry = Registry(_settings.schema_registry_url)
    applied = contract("state.applied")
    engine = Engine(
        app,
        _settings.kafka_bootstrap,
        registry.encoder(APPLIED_SUBJECT, applied),
        registry.decoder(applied),
        partial(released_offset, _settings.kafka_bootstrap, registry),
    )
    encoders = shared_encoders(registry)
    for declared in _STAGES:
        engine.add(declared.stage(registry, encoders))
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


class _Declared:
    """A stage as declared at import: table and agent exist, the work is built at start."""

    def __init__(
        self,
        name: str,
        topic: Topic,
        state_contract: str,
        compute: Callable[[Registry, StateCodec, Encoders], Compute],
        help_text: str,
    ) -> None:
        self.name = name
        self.topic = topic
        self.changelog = changelog_topic(_settings.app_id, name, state_contract, topic.partitions)
        self.table: StageTable = app.Table(
            name,
            key_type=bytes,
            value_type=bytes,
            partitions=topic.partitions,
            help=help_text,
        )
        self._compute = compute
        self.agent = app.agent(app.batch_topic(topic.name), name=name)(_reader(help_text))

    def stage(self, registry: Registry, encoders: Encoders) -> Stage:
        """The stage with its work."""
        state = state_codec(registry, self.changelog)
        return Stage(
            self.name, self.topic.name, self.table, self._compute(registry, state, encoders)
        )


def _normalize(connector_name: str) -> _Declared:
    topic = raw_topic(connector_name)

    def compute(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
        decoder = topic_decoder(registry, topic)
        reader = RawReader(CONNECTORS[connector_name], decoder, _tolerances)
        limits = _settings.rejection_limits()
        return Normalize(reader, state, encoders, _settings.generation, limits)

    return _Declared(
        normalize_table(connector_name),
        topic,
        "state.locations",
        compute,
        f"Normalize and validate the raw records of {connector_name}.",
    )


def _reconcile(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
    decoder = topic_decoder(registry, NORMALIZED_ASSETS)
    return Reconcile(decoder, state, encoders, _settings.generation)


def _observe(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
    decoder = topic_decoder(registry, NORMALIZED_OBSERVATIONS)
    return Observe(decoder, state, encoders, _settings.generation, _tolerances)


def _scopes(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
    return Scopes(topic_decoder(registry, LNG_GAS_DAYS), state, encoders, _tolerances)


def _decide(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
    return Decide(topic_decoder(registry, DECISIONS), encoders)


def _count(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
    return Count(topic_decoder(registry, RECORD_OUTCOMES), state, encoders)


def _score(registry: Registry, state: StateCodec, encoders: Encoders) -> Compute:
    decoder = topic_decoder(registry, QUALITY_COUNTS)
    weights = _tolerances.quality.weights
    return Score(decoder, state, encoders, _settings.generation, weights)


_STAGES: tuple[_Declared, ...] = (
    *(_normalize(name) for name in CONNECTORS),
    _Declared(
        DECIDE_TABLE,
        DECISIONS,
        "state.applied",
        _decide,
        "Send manual decisions to every region.",
    ),
    _Declared(
        RECONCILE_TABLE,
        NORMALIZED_ASSETS,
        "state.assets",
        _reconcile,
        "Reconcile the assets of all sources, one partition per region.",
    ),
    _Declared(
        OBSERVE_TABLE,
        NORMALIZED_OBSERVATIONS,
        "state.observations",
        _observe,
        "Keep the current value of every point of every series.",
    ),
    _Declared(
        SCOPES_TABLE,
        LNG_GAS_DAYS,
        "state.scopes",
        _scopes,
        "Compare terminals, countries and the EU on each gas day.",
    ),
    _Declared(
        COUNT_TABLE,
        RECORD_OUTCOMES,
        "state.counts",
        _count,
        "Count raw records and failed checks of each source and window.",
    ),
    _Declared(
        SCORE_TABLE,
        QUALITY_COUNTS,
        "state.scores",
        _score,
        "Score the quality of each source and window.",
    ),
)


def _exports_deployment() -> bool:
    return TP(QUALITY_COUNTS.name, 0) in app.consumer.assignment()


add_pages(app)
_group_topics = {
    _settings.app_id: [declared.topic.name for declared in _STAGES],
    _settings.sink_app_id: [topic.name for topic in SINK_TOPICS],
}
REGISTRY.register(LagCollector(_settings.kafka_bootstrap, _group_topics, _exports_deployment))
REGISTRY.register(ConnectorCollector(_settings.postgres_dsn, _exports_deployment))
