"""The pipeline as a Faust app: `faust -A streams.app worker -l info`.

One agent for each connector normalizes its raw topic; one reconciles assets, one observes time
series. Every agent hands its batches to the engine, which publishes, stores and acknowledges them.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from faust.types import TP, StreamT
from prometheus_client import REGISTRY

from producers.config import process_environment
from producers.connectors import CONNECTORS
from producers.health_collector import ConnectorCollector, schedules
from streams.avro.contracts import contract_names
from streams.avro.topic_codecs import applied_codec
from streams.engine.app import EngineApp, faust_settings
from streams.engine.engine import Engine
from streams.engine.generations import next_number, require_running, running_generation
from streams.engine.pages import add_pages
from streams.engine.process import ends_on_wrong_setting
from streams.engine.resumes import resumed_offset
from streams.engine.stage import Stage
from streams.engine.table import StageTable
from streams.kafka.lag_collector import LagCollector
from streams.kafka.topic_admin import require_topics
from streams.kafka.used_schemas import open_registry
from streams.settings import settings
from streams.stages.works import Making
from streams.startup import prepare_process
from streams.tolerance_file import load_tolerances
from streams.topology import (
    SCORE,
    SINK_TOPICS,
    DeclaredStage,
    chosen,
    next_generation,
    next_names,
    pipeline,
    read_topics,
    stage_topics,
    written_topics,
)

_OPEN_FILES = 1024
"""A partition takes 6 for its store, one for each table in it, and 8 for its transactions."""

with ends_on_wrong_setting():
    _settings = settings()
    prepare_process(_settings, open_files=_OPEN_FILES)
    _tolerances = load_tolerances(_settings.tolerances_file)
    _PIPELINE = pipeline(CONNECTORS)
    _NAMES = next_names(_PIPELINE) if _settings.next_generation else {}
    _CHOSEN = chosen(
        next_generation(_PIPELINE) if _settings.next_generation else _PIPELINE, _settings.stages
    )
    _GROUP = _settings.pipeline_group()
    contract_names()  # a wrong AVRO_DIR is said before any service is asked
    _SCHEDULES = schedules(process_environment())


def _build_engine(app: EngineApp) -> Engine:
    registry = open_registry(_settings.kafka_bootstrap, _settings.schema_registry_url)
    generation = running_generation(_settings.kafka_bootstrap, registry)
    require = None
    if _settings.next_generation:
        generation = next_number(generation)
    else:
        require = partial(require_running, _settings.kafka_bootstrap, registry, generation)
    applied = applied_codec(registry)
    engine = Engine(
        app,
        _settings.kafka_bootstrap,
        applied.encoder,
        applied.decoder,
        partial(resumed_offset, _settings.kafka_bootstrap, registry),
        registry,
        generation,
        app.batches,
        _NAMES,
        require,
    )
    making = Making.of(_settings, registry, _tolerances, generation)
    for registered in _STAGES:
        engine.add(registered.stage(making))
    return engine


app = EngineApp(
    _GROUP,
    build_engine=_build_engine,
    require_topics=partial(
        require_topics,
        _settings.kafka_bootstrap,
        stage_topics(_CHOSEN, _GROUP),
        read=read_topics(_CHOSEN, _GROUP),
        written=written_topics(_CHOSEN, _GROUP),
        group=_GROUP,
    ),
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

    def __init__(self, declared: DeclaredStage) -> None:
        self.declared = declared
        self._table: StageTable = app.Table(
            declared.name,
            key_type=bytes,
            value_type=bytes,
            partitions=declared.input.partitions,
            help=declared.purpose,
        )
        agent = app.agent(app.batch_topic(declared.input.name), name=declared.name)
        self.agent = agent(_reader(declared.purpose))

    def stage(self, making: Making) -> Stage:
        """The stage with its work."""
        name, work = self.declared.name, making.work(self.declared)
        return Stage(name, self.declared.input.name, self._table, work)


_STAGES = tuple(_RegisteredStage(stage) for stage in _CHOSEN)


def _exports_deployment() -> bool:
    return TP(SCORE.input.name, 0) in app.consumer.assignment()


add_pages(app, _settings.kafka_bootstrap)
_group_topics = {
    _settings.app_id: [declared.input.name for declared in _PIPELINE],
    _settings.sink_app_id: [topic.name for topic in SINK_TOPICS],
}
REGISTRY.register(LagCollector(_settings.kafka_bootstrap, _group_topics, _exports_deployment))
REGISTRY.register(ConnectorCollector(_settings.postgres_dsn, _SCHEDULES, _exports_deployment))
