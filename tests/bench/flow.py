"""The whole way of the power plants, and its last part alone.

whole_way           poll, pipeline and sink as `make run` starts them, until all is queryable
topic_to_insert     a full `market.infrastructure` and a sink that begins to read it
insert_alone        the embedded ClickHouse without Kafka
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Producer

from producers.run import RunOptions, Services, run_once
from streams.avro.codec import Encoder, Registry
from streams.avro.contracts import contract
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.schema import ensure_schema
from streams.commands.deploy import create_topics, register_schemas
from streams.core.errors import InfrastructureError, Rejected
from streams.kafka.topic_admin import lag
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from streams.local.workers import LocalWorker
from streams.settings import Settings
from streams.sink.app import INSERT_RECORDS
from streams.sink.landing import Route, route
from streams.sink.plan import Insert, plan_batches
from streams.topics import MARKET_INFRASTRUCTURE, PARTITIONS
from tests.bench.measure import VoidRunError
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.producers.sandbox_server import running_sandbox
from tests.real_files import real_data_dir
from tests.sink.records import WEIGHTS, batch, framed, plant, schemas

_SOURCE = "wri_powerplants"
_KIND = "power_plant"
_LOOK_SECONDS = 0.1
_DEADLINE_SECONDS = 300.0
_LOADED = re.compile(rf'^sink_rows_total{{table="{MARKET_INFRASTRUCTURE.name}"}} (\S+)$', re.M)


@dataclass(frozen=True, slots=True)
class WholeWay:
    """One poll of the power plants.

    Attributes:
        plants: Items of the source.
        seconds: From the start of the poll to the last row in ClickHouse.
        produced_per_second: Raw records a second, download and parsing included.
    """

    plants: int
    seconds: float
    produced_per_second: float


def whole_way(home: Path) -> WholeWay:
    """Poll the power plants of the sandbox into a running deployment.

    Raises:
        VoidRunError: not every plant arrived.
        InfrastructureError: a part failed.
    """
    with deployment(home) as cluster, running_sandbox(real_data_dir()) as sandbox:
        pipeline, sink = cluster.pipeline(), cluster.sink()
        for worker in (pipeline, sink):
            worker.wait_ready(READY_SECONDS)
        settings = cluster.settings
        services = Services(
            settings.kafka_bootstrap, settings.schema_registry_url, settings.postgres_dsn
        )
        began = time.monotonic()
        summary = run_once(_SOURCE, RunOptions(), services, sandbox.environment())
        complete_at = _wait_queryable(cluster, sink, summary.published)
        return WholeWay(
            summary.polled, complete_at - began, summary.published / summary.elapsed_seconds
        )


def _wait_queryable(cluster: Cluster, sink: LocalWorker, published: int) -> float:
    """When ClickHouse first contained what it contains in the end."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    seen: dict[str, int] = {}
    since = 0.0
    while time.monotonic() < deadline:
        rows = httpx.get(f"{sink.url}/rows", timeout=60, trust_env=False).json()
        found = {"outcomes": rows["outcomes"], _KIND: rows["current"].get(_KIND, 0)}
        if found != seen:
            seen, since = found, time.monotonic()
        if seen["outcomes"] >= published and not _left(cluster):
            if seen["outcomes"] != published or not seen[_KIND]:
                break
            return since
        time.sleep(_LOOK_SECONDS)
    raise VoidRunError(f"{published:,} raw records became {seen} in ClickHouse: no figure.")


def topic_to_insert(home: Path, records: int) -> float:
    """Records a second from a topic into ClickHouse, acknowledged.

    Counts from the first confirmed insert to the last.

    Raises:
        VoidRunError: not every record arrived.
    """
    with deployment(home) as cluster:
        _publish_plants(cluster, records)
        sink = cluster.sink()
        sink.wait_ready(READY_SECONDS)
        loaded, first = 0, (0, 0.0)
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while loaded < records:
            now = _loaded(sink)
            if now > loaded:
                loaded, changed_at = now, time.monotonic()
                first = first if first[0] else (loaded, changed_at)
            if time.monotonic() > deadline:
                raise VoidRunError(f"The sink stopped at {loaded:,} of {records:,}: no figure.")
            time.sleep(_LOOK_SECONDS)
        if loaded == first[0]:
            raise VoidRunError(f"{records:,} records are too few to time: one look saw them all.")
        cluster.wait_for(lambda: not _left(cluster))
        stored = httpx.get(f"{sink.url}/rows", timeout=60, trust_env=False).json()["current"][_KIND]
        if stored != records:
            raise VoidRunError(f"ClickHouse holds {stored:,} plants instead of {records:,}.")
        return (loaded - first[0]) / (changed_at - first[1])


def insert_alone(home: Path, records: int) -> float:
    """Records a second into the embedded ClickHouse, without Kafka, one writer for each partition.

    Each record becomes two stored rows, which count as one: its version, and the latest of its
    asset.

    Raises:
        VoidRunError: not every record is there afterwards.
    """
    clickhouse = ClickHouse(f"chdb://{home}")
    try:
        ensure_schema(clickhouse, WEIGHTS)
        plans = [_inserts(partition, records // PARTITIONS) for partition in range(PARTITIONS)]
        for statement in plans[0][0].landing.statements:
            clickhouse.command(statement)

        def load(inserts: Sequence[Insert]) -> None:
            for insert in inserts:
                avro_file = insert.avro_file()
                clickhouse.insert(insert.landing.name, avro_file)

        began = time.monotonic()
        with ThreadPoolExecutor(PARTITIONS) as writers:
            list(writers.map(load, plans))
        seconds = time.monotonic() - began
        ((stored,),) = clickhouse.query("SELECT count() FROM power_plants").rows
        inserted = sum(len(insert.records) for inserts in plans for insert in inserts)
        if stored != inserted:
            raise VoidRunError(f"ClickHouse holds {stored:,} plants instead of {inserted:,}.")
        return inserted / seconds
    finally:
        clickhouse.close()


def _inserts(partition: int, records: int) -> list[Insert]:
    """Inserts of one partition, as the sink makes them of full batches."""
    topic = MARKET_INFRASTRUCTURE.name

    @cache
    def route_of(topic: str, schema_id: int) -> Route | Rejected:
        return route(topic, schemas()[schema_id])

    inserts: list[Insert] = []
    for first in range(0, records, INSERT_RECORDS):
        offsets = range(first, min(first + INSERT_RECORDS, records))
        values = [framed(topic, plant(offset * PARTITIONS + partition)) for offset in offsets]
        found = batch(topic, values, first_offset=first, partition=partition)
        inserts.extend(plan_batches([found], "uuid", route_of).inserts)
    return inserts


@contextmanager
def deployment(home: Path, stages: str = "") -> Iterator[Cluster]:
    """A stack of its own with the declared topics and contracts; its workers end with it."""
    with LocalStack(home / "stack", StackPorts.free()) as stack:
        settings = Settings(
            kafka_bootstrap=stack.kafka.bootstrap,
            schema_registry_url=stack.registry.url,
            postgres_dsn=stack.postgres.dsn,
            data_dir=home,
        )
        create_topics(settings)
        register_schemas(settings)
        with Registry(settings.schema_registry_url) as registry:
            cluster = Cluster(stack, home, settings, registry, stages)
            try:
                yield cluster
            finally:
                cluster.stop_all()


def _publish_plants(cluster: Cluster, records: int) -> None:
    encoder = cluster.registry.encoder(
        MARKET_INFRASTRUCTURE.subject(), contract(MARKET_INFRASTRUCTURE.contract_name)
    )
    producer = Producer(
        {"bootstrap.servers": cluster.settings.kafka_bootstrap, "compression.type": "lz4"}
    )
    for number in range(records):
        _produce(producer, encoder, number)
    if producer.flush(60):
        raise InfrastructureError("The broker did not confirm the input; see its log.")


def _produce(producer: Producer, encoder: Encoder[Mapping[str, Any]], number: int) -> None:
    record = plant(number)
    while True:
        try:
            producer.produce(
                MARKET_INFRASTRUCTURE.name,
                key=record["record_id"],
                value=encoder.encode(record),
                partition=number % PARTITIONS,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _loaded(sink: LocalWorker) -> int:
    found = _LOADED.search(httpx.get(f"{sink.url}/metrics", timeout=60, trust_env=False).text)
    return int(float(found[1])) if found else 0


def _left(cluster: Cluster) -> int:
    settings = cluster.settings
    topics = [MARKET_INFRASTRUCTURE.name]
    return sum(lag(settings.kafka_bootstrap, settings.sink_app_id, topics).values())
