"""The job on stock Faust, event by event, as its user guide shows: one agent, one table, `send`.

Its defaults but for these, all in its favour: values stay bytes, the table lives in memory.
"""

import faust
from faust.types import StreamT

from streams.settings import settings
from tests.bench.job import bench_settings, open_job

_settings = settings()
_bench = bench_settings()
_job = open_job()

app = faust.App(
    _settings.app_id,
    broker=f"kafka://{_settings.kafka_bootstrap}",
    store="memory://",
    key_serializer="raw",
    value_serializer="raw",
    topic_partitions=4,
    consumer_auto_offset_reset="earliest",
    datadir=str(_settings.pipeline_state_dir()),
    web_port=_settings.worker_port,
)
_input = app.topic(_bench.input, key_type=bytes, value_type=bytes)
_output = app.topic(_bench.output, key_type=bytes, value_type=bytes)
_table = app.Table("bench", key_type=bytes, value_type=bytes, partitions=4)


async def bench(stream: StreamT) -> None:
    """One event at a time."""
    async for key, value in stream.items():
        result = _job(value)
        _table[key] = result
        await _output.send(key=key, value=result)


app.agent(_input)(bench)
