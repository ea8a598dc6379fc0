"""The sink as a Faust app: `faust -A streams.sink.app worker -l info`.

It is a consumer group of its own: an outage of ClickHouse must not stall the pipeline. Batches are
acknowledged after every insert is confirmed; loading one again changes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import stamina
from faust.types import TP, EventT, StreamT
from faust.types.web import Request, Response, View
from prometheus_client import REGISTRY

from streams.avro.codec import Registry
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_current, count_dead_letters, outcome_counts
from streams.clickhouse.queries import Queries
from streams.clickhouse.schema import ensure_schema
from streams.core.errors import SinkError
from streams.engine.app import BatchApp, ends_on_wrong_setting, faust_settings
from streams.engine.failpoints import failpoint
from streams.engine.pages import add_pages
from streams.engine.transport import BatchConsumer
from streams.kafka.topic_admin import topic_uuids
from streams.metrics import SINK_INSERT_SECONDS, SINK_ROWS
from streams.settings import settings
from streams.sink.collector import AssetCollector
from streams.sink.loader import Loader
from streams.sink.query_page import add_query_page
from streams.tolerance_file import load_tolerances
from streams.topics import MARKET_INFRASTRUCTURE, Topic
from streams.topology import SINK_TOPICS

logger = logging.getLogger(__name__)

INSERT_RECORDS = 10_000
INSERT_BYTES = 8 * 1024 * 1024
"""Large batches: an insert of 200 records takes as long as one of 2,000 (measured)."""

RETRY_SECONDS = 120.0
"""How long an unreachable ClickHouse is waited for before this process ends."""

with ends_on_wrong_setting():
    _settings = settings()


class SinkApp(BatchApp):
    """The batch app that owns the ClickHouse connection."""

    clickhouse: ClickHouse
    queries: Queries
    loader: Loader

    async def on_start(self) -> None:
        """Connect and make the tables before anything is read."""
        self.clickhouse = ClickHouse(_settings.clickhouse_url())
        weights = load_tolerances(_settings.tolerances_file).quality.weights
        await asyncio.to_thread(ensure_schema, self.clickhouse, weights)
        self.queries = Queries(_settings.clickhouse_url())
        registry = Registry(_settings.schema_registry_url)
        REGISTRY.register(AssetCollector(self.clickhouse, _exports_assets))
        self.loader = Loader(self.clickhouse, registry.writer_schema, _topic_uuid)
        await super().on_start()

    async def on_stop(self) -> None:
        """Let running inserts end, then close."""
        await super().on_stop()
        for opened in ("queries", "clickhouse"):
            if hasattr(self, opened):
                await asyncio.to_thread(getattr(self, opened).close)


@lru_cache(maxsize=16)
def _topic_uuid(topic: str) -> str:
    return topic_uuids(_settings.kafka_bootstrap, [topic])[topic]


app = SinkApp(
    _settings.sink_app_id,
    **faust_settings(
        _settings,
        _settings.sink_state_dir(),
        _settings.sink_port,
        batch_records=INSERT_RECORDS,
        fetch_bytes=INSERT_BYTES,
    ),
)


def _exports_assets() -> bool:
    return TP(MARKET_INFRASTRUCTURE.name, 0) in app.consumer.assignment()


async def _load(event: EventT) -> None:
    if event.message.generation_id != app.consumer_generation_id:
        return  # delivered again after the rebalance
    async for attempt in stamina.retry_context(
        on=SinkError, attempts=None, timeout=RETRY_SECONDS, wait_max=10.0
    ):
        with attempt:
            try:
                result = await asyncio.to_thread(app.loader.load, event.value)
            except SinkError as error:
                logger.warning("Nothing acknowledged, trying again: %s", error)
                raise
    failpoint("after_insert")
    SINK_ROWS.labels(event.message.topic).inc(result.loaded)
    SINK_INSERT_SECONDS.labels(event.message.topic).observe(result.seconds)
    consumer = app.consumer
    assert isinstance(consumer, BatchConsumer)
    consumer.mark_applied(event.message.tp, event.message.offset)
    event.ack()


def _reader(topic: Topic) -> Callable[[StreamT], Awaitable[None]]:
    async def read(stream: StreamT) -> None:
        async for event in stream.noack().events():
            await _load(event)

    read.__doc__ = f"Load {topic.name} into ClickHouse."  # `faust agents` shows it
    return read


for _topic in SINK_TOPICS:
    app.agent(app.batch_topic(_topic.name), name=f"load-{_topic.name}")(_reader(_topic))

add_pages(app)
add_query_page(app, lambda: app.queries)


@app.page("/rows")  # type: ignore[untyped-decorator]
async def rows(self: View, request: Request) -> Response:
    """What ClickHouse holds, for processes that cannot open the embedded engine."""
    return self.json(await asyncio.to_thread(_rows))


def _rows() -> dict[str, Any]:
    return {
        "current": dict(count_current(app.clickhouse)),
        "dead_letters": dict(count_dead_letters(app.clickhouse)),
        "outcomes": sum(count.records for count in outcome_counts(app.clickhouse)),
    }
