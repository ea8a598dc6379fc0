"""The sink as a Faust app: `faust -A streams.sink.app worker -l info`.

It is a consumer group of its own: an outage of ClickHouse must not stall the pipeline. Batches are
acknowledged after every insert is confirmed; loading one again changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

import stamina
from faust.types import TP, EventT, StreamT
from faust.types.web import Request, Response, View
from prometheus_client import REGISTRY

from streams.avro.codec import Registry
from streams.clickhouse.client import ClickHouse, embedded_path
from streams.clickhouse.counts import (
    count_current,
    count_dead_letters,
    count_sink_rejects,
    outcome_counts,
)
from streams.clickhouse.queries import Queries
from streams.clickhouse.schema import ensure_schema
from streams.clickhouse.views import views
from streams.core.errors import (
    BrokerError,
    RegistryError,
    RejectionLimitError,
    SettingsError,
    SinkError,
)
from streams.engine.app import BatchApp, faust_settings
from streams.engine.failpoints import failpoint
from streams.engine.pages import add_pages
from streams.engine.process import ends_on_wrong_setting
from streams.engine.resumes import resumed_offset
from streams.engine.schema_wait import LOOK_SECONDS, Waits
from streams.engine.transport import BatchConsumer
from streams.kafka.batch import Batch
from streams.kafka.topic_admin import require_topics, topic_uuids
from streams.kafka.used_schemas import open_registry
from streams.metrics import SINK_INSERT_SECONDS, SINK_REJECTS, SINK_ROWS
from streams.settings import settings
from streams.sink.collector import AssetCollector
from streams.sink.export_page import add_export_page
from streams.sink.loader import REJECT_REASONS, Loader, LoadResult
from streams.sink.plan import rest_seconds
from streams.sink.query_page import add_query_page
from streams.sink.rejects import load_again
from streams.sink.rejects_page import add_rejects_page
from streams.sink.switch import Switches, switched_to
from streams.startup import prepare_process
from streams.tolerance_file import load_tolerances
from streams.topics import MARKET_INFRASTRUCTURE, Topic
from streams.topology import COMMAND_TOPICS, SINK_TOPICS

if TYPE_CHECKING:
    from streams.serve.server import ApiThread

logger = logging.getLogger(__name__)

INSERT_RECORDS = 10_000
FETCH_BYTES = 2 * 1024 * 1024
"""Of a partition; batches of all partitions of a topic that wait become one insert.

An insert of 200 records takes as long as one of 2,000 (measured).
"""

RETRY_SECONDS = 120.0
"""How long an unreachable ClickHouse is waited for before this process ends."""

OPEN_FILES = 512
"""The embedded ClickHouse has about 100 open, and more while it merges."""
_REJECTIONS_AGAIN_LOOKS = 15
"""After so many looks whether they were resumed, rejected records are tried again."""

with ends_on_wrong_setting():
    _settings = settings()
    prepare_process(_settings, open_files=OPEN_FILES)
    _WEIGHTS = load_tolerances(_settings.tolerances_file).quality.weights


class SinkApp(BatchApp):
    """The batch app that owns the ClickHouse connection."""

    clickhouse: ClickHouse
    queries: Queries
    loader: Loader
    switches: Switches
    api: "ApiThread | None" = None
    registry: Registry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.registry_waits = Waits("registry")
        self.rejection_waits = Waits("rejections")

    def paused(self) -> dict[str, str]:
        """Reason by `topic/partition` of everything that waits for `make resume`."""
        return _named(self.rejection_waits)

    def waiting(self) -> dict[str, str]:
        """Reason by `topic/partition` of everything that waits for a service to be put right."""
        return _named(self.registry_waits)

    async def on_start(self) -> None:
        """Connect and make the tables before anything is read."""
        self.clickhouse = ClickHouse(_settings.clickhouse_url())
        await asyncio.to_thread(ensure_schema, self.clickhouse, _WEIGHTS)
        self.registry = await asyncio.to_thread(
            open_registry, _settings.kafka_bootstrap, _settings.schema_registry_url
        )
        self.switches = Switches(
            self.clickhouse, _settings.kafka_bootstrap, self.registry, _topic_uuid
        )
        # Before anybody can ask: a sink that was killed may have shown a part of the tables.
        await asyncio.to_thread(self.switches.show_running)
        self.queries = Queries(_settings.clickhouse_url())
        REGISTRY.register(AssetCollector(self.clickhouse, _exports_assets))
        self.loader = Loader(
            self.clickhouse,
            self.registry.writer_schema,
            _topic_uuid,
            _settings.rejection_limits(),
        )
        if _settings.sink_serves_api and embedded_path(_settings.clickhouse_url()):
            self._start_api()
        await super().on_start()

    def _start_api(self) -> None:
        """Serve the API from here: no other process can open the embedded engine."""
        from streams.serve.server import ApiThread  # a second that a sink of a server need not take

        try:
            self.api = ApiThread(_settings)
        except SettingsError as error:
            logger.error("Loading goes on without the API: %s", error)
            return
        self.api.start()

    async def on_stop(self) -> None:
        """Let running inserts end, then close."""
        await super().on_stop()
        if self.api is not None:
            await asyncio.to_thread(self.api.stop)
        for opened in ("queries", "clickhouse"):
            if hasattr(self, opened):
                await asyncio.to_thread(getattr(self, opened).close)


@lru_cache(maxsize=16)
def _topic_uuid(topic: str) -> str:
    return topic_uuids(_settings.kafka_bootstrap, [topic])[topic]


app = SinkApp(
    _settings.sink_app_id,
    require_topics=partial(
        require_topics,
        _settings.kafka_bootstrap,
        SINK_TOPICS,
        read=(*SINK_TOPICS, *COMMAND_TOPICS),
        group=_settings.sink_app_id,
    ),
    **faust_settings(
        _settings,
        _settings.sink_state_dir(),
        _settings.sink_port,
        batch_records=INSERT_RECORDS,
        fetch_bytes=FETCH_BYTES,
    ),
)


def _exports_assets() -> bool:
    return TP(MARKET_INFRASTRUCTURE.name, 0) in app.consumer.assignment()


async def _load(taken: Sequence[EventT]) -> None:
    """Load batches of one topic and acknowledge them."""
    events = list(filter(_is_current, taken))  # the others are delivered again
    if not events:
        return
    try:
        result = await _load_when_possible(events)
    except RejectionLimitError:
        if len(events) == 1:
            raise
        for event in events:  # the others of them need not wait
            await _load([event])
        return
    finally:
        for event in events:
            app.registry_waits.end(event.message.tp)
            app.rejection_waits.end(event.message.tp)
    if result is None:
        return  # delivered again after the rebalance
    failpoint("after_insert")
    topic = events[0].message.topic
    SINK_ROWS.labels(topic).inc(result.loaded)
    SINK_INSERT_SECONDS.labels(topic).observe(result.seconds)
    for rule_id, records in result.rules.items():
        SINK_REJECTS.labels(topic, rule_id).inc(records)
        logger.warning(
            "%s: %d records are no rows (%s): `make dlq` shows them", topic, records, rule_id
        )
    consumer = app.consumer
    assert isinstance(consumer, BatchConsumer)
    for event in events:
        consumer.mark_applied(event.message.tp, event.message.offset)
        event.ack()


async def _load_when_possible(events: Sequence[EventT]) -> LoadResult | None:
    """Load batches, waiting as long as it takes; None when they are not this worker's any more.

    Raises:
        RejectionLimitError: of several one has too many that are no rows.
    """
    load: Callable[..., LoadResult] = app.loader.load
    while all(map(_is_current, events)):
        try:
            return await _load_or_end([event.value for event in events], load)
        except RegistryError as error:
            for event in events:
                app.registry_waits.set(event.message.tp, str(error))
            await asyncio.sleep(LOOK_SECONDS)
        except RejectionLimitError as error:
            if len(events) > 1:
                raise
            (event,) = events
            app.registry_waits.end(event.message.tp)
            app.rejection_waits.set(event.message.tp, str(error))
            is_resumed = await _wait_resumed(event) >= event.message.offset
            load = app.loader.load_resumed if is_resumed else app.loader.load
    return None


async def _load_or_end(batches: Sequence[Batch], load: Callable[..., LoadResult]) -> LoadResult:
    with ExitStack() as stack:
        running = [stack.enter_context(app.batches.running(batch)) for batch in batches]
        async for attempt in stamina.retry_context(
            on=_is_outage, attempts=None, timeout=RETRY_SECONDS, wait_max=10.0
        ):
            with attempt:
                try:
                    return await asyncio.to_thread(_load_batches, batches, load)
                except SinkError as error:
                    if _is_outage(error):
                        for one in running:
                            one.trouble = str(error)
                        logger.warning("Nothing acknowledged, trying again: %s", error)
                    raise
    raise AssertionError("unreachable")


def _load_batches(batches: Sequence[Batch], load: Callable[..., LoadResult]) -> LoadResult:
    generations = [found for batch in batches if (found := switched_to(batch)) is not None]
    if generations:
        app.switches.show(max(generations))
    return load(*batches)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, SinkError) and not isinstance(error, RejectionLimitError)


async def _wait_resumed(event: EventT) -> int:
    """Wait until a batch is resumed, or it is time to try it again; returns the resumed offset."""
    offset = -1
    for _ in range(_REJECTIONS_AGAIN_LOOKS):
        try:
            offset = await asyncio.to_thread(
                resumed_offset, _settings.kafka_bootstrap, app.registry, *event.message.tp
            )
        except (BrokerError, RegistryError) as error:
            logger.warning("Resumes of %s/%d could not be read: %s", *event.message.tp, error)
        if offset >= event.message.offset or not _is_current(event):
            break
        await asyncio.sleep(LOOK_SECONDS)
    return offset


def _is_current(event: EventT) -> bool:
    return bool(event.message.generation_id == app.consumer_generation_id)


def _named(waits: Waits) -> dict[str, str]:
    return {f"{tp.topic}/{tp.partition}": why for tp, why in waits.reasons.items()}


def _reader(topic: Topic) -> Callable[[StreamT], Awaitable[None]]:
    async def read(stream: StreamT) -> None:
        async for events in _together(stream.noack()):
            began = time.monotonic()
            await _load(events)
            if sum(len(event.value.records) for event in events) < INSERT_RECORDS / 2:
                await asyncio.sleep(rest_seconds(time.monotonic() - began))

    read.__doc__ = f"Load {topic.name} into ClickHouse."  # `faust agents` shows it
    return read


async def _together(stream: StreamT) -> AsyncIterator[list[EventT]]:
    """Batches that wait for one insert: at least one, and no more once there are enough records."""
    events = aiter(stream.events())
    async for event in events:
        waiting = [event]
        records = len(event.value.records)
        # What the stream passes over in a rebalance leaves it waiting here: what was taken so far
        # is delivered again then, too.
        while records < INSERT_RECORDS and not stream.channel.empty():
            another = await anext(events, None)
            if another is None:
                return  # stopped; nothing of it is acknowledged
            waiting.append(another)
            records += len(another.value.records)
        yield waiting


for _topic in SINK_TOPICS:
    for _reason in REJECT_REASONS:  # from the start, so that the first one is an increase
        SINK_REJECTS.labels(_topic.name, _reason)
    app.agent(app.batch_topic(_topic.name), name=f"load-{_topic.name}")(_reader(_topic))


@cache
def _view_names() -> frozenset[str]:
    return frozenset(view.name for view in views(_WEIGHTS))


add_pages(app, _settings.kafka_bootstrap)
add_query_page(app, lambda: app.queries)
add_rejects_page(app, lambda choice: load_again(app.clickhouse, app.loader, choice))
add_export_page(app, _settings.clickhouse_url(), _view_names)


@app.page("/rows")  # type: ignore[untyped-decorator]
async def rows(self: View, request: Request) -> Response:
    """What ClickHouse holds, for processes that cannot open the embedded engine."""
    return self.json(await asyncio.to_thread(_rows))


def _rows() -> dict[str, Any]:
    return {
        "current": dict(count_current(app.clickhouse)),
        "dead_letters": dict(count_dead_letters(app.clickhouse)),
        "rejects": count_sink_rejects(app.clickhouse),
        "outcomes": sum(count.records for count in outcome_counts(app.clickhouse)),
    }
