"""The job on this product's engine: transactions, RocksDB state, changelog, nothing twice."""

from collections.abc import Sequence

from faust.types import StreamT

from streams.avro.codec import Registry
from streams.avro.topic_codecs import applied_codec
from streams.engine.app import EngineApp, faust_settings
from streams.engine.engine import Engine
from streams.engine.overlay import Overlay
from streams.engine.stage import Stage
from streams.engine.table import StageTable
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.settings import settings
from tests.bench.job import bench_settings, make_job

TABLE = "bench"

_settings = settings()
_bench = bench_settings()


def _build_engine(app: EngineApp) -> Engine:
    registry = Registry(_settings.schema_registry_url)
    applied = applied_codec(registry)
    job = make_job(registry)

    def compute(batch: Batch, state: Overlay) -> Sequence[Outgoing]:
        outputs = []
        for record in batch.records:
            assert record.key is not None
            assert record.value is not None
            value = job(record.value)
            state.put(record.key, value)
            outputs.append(Outgoing(_bench.output, record.key, value))
        return outputs

    engine = Engine(
        app,
        _settings.kafka_bootstrap,
        applied.encoder,
        applied.decoder,
        lambda topic, partition: -1,
        registry,
        1,
        app.batches,
    )
    engine.add(Stage(TABLE, _bench.input, _table, compute))
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
_table: StageTable = app.Table(TABLE, key_type=bytes, value_type=bytes)


async def bench(stream: StreamT) -> None:
    """Every batch through the engine, as the pipeline's own agents do."""
    async for event in stream.noack().events():
        await app.engine.run(event)


app.agent(app.batch_topic(_bench.input))(bench)
