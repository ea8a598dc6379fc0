"""Workers of the product as real processes on the test stack, and waiting for what they reach."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from rich.console import Console

from streams.avro.codec import Registry
from streams.commands.deploy import all_topics, create_topics, register_schemas
from streams.commands.rebuild import grow, switch
from streams.kafka.topic_admin import GroupProgress, delete_topics, end_offsets
from streams.kafka.topic_reader import read_all
from streams.local.stack import LocalStack
from streams.local.workers import LocalWorker, faust_worker
from streams.settings import Settings
from streams.topics import Topic
from streams.topology import SINK_TOPICS, pipeline
from streams.worker_pages import pages
from tests.fault.load import CONNECTOR, Load
from tests.free_ports import free_ports

SESSION_SECONDS = 4.0
DEADLINE_SECONDS = 180.0
DEADLINE_SECONDS_PER_RECORD = 0.003
READY_SECONDS = 60.0
_LOOK_SECONDS = 0.4

SINK_INPUTS = tuple(topic.name for topic in SINK_TOPICS)


@dataclass(slots=True)
class Cluster:
    """One deployment on the test stack, with empty topics and a home for its workers.

    Attributes:
        stages: `STAGES` of its pipeline workers: each start takes over the partitions of these.
        connectors: Sources whose records it gets.
    """

    stack: LocalStack
    home: Path
    settings: Settings
    registry: Registry
    stages: str = ""
    connectors: tuple[str, ...] = (CONNECTOR,)
    _started: list[LocalWorker] = field(default_factory=list)
    _loaded_records: int = 0
    _progress: dict[tuple[str, ...], GroupProgress] = field(default_factory=dict)

    def load(self, load: Load) -> None:
        """Publish raw records."""
        self.expect(load.records)
        load.publish(self.settings.kafka_bootstrap, self.registry)

    def expect(self, records: int) -> None:
        """Let deadlines grow with records that have been published."""
        self._loaded_records += records

    def pipeline(self, name: str = "a", **variables: str) -> LocalWorker:
        """Start a pipeline worker; its state directory belongs to its name and is kept."""
        port = next(free_ports())
        program = faust_worker(
            "streams.app", f"pipeline-{name}", f"pipeline worker {name}", port, "WORKER_PORT"
        )
        return self._start(
            program.name,
            LocalWorker(
                program,
                self.home,
                self._environment(
                    **{
                        "STAGES": self.stages,
                        "STATE_DIR": str(self.state_dir(name)),
                        "WORKER_PORT": str(port),
                        **variables,
                    }
                ),
            ),
        )

    def sink(self, name: str = "sink", **variables: str) -> LocalWorker:
        """Start a sink worker."""
        port = next(free_ports())
        program = faust_worker("streams.sink.app", name, "the sink worker", port, "SINK_PORT")
        # Hardly anybody asks it here, and it takes a quarter of the start.
        chosen = {"SINK_PORT": str(port), "SINK_SERVES_API": "false", **variables}
        worker = LocalWorker(program, self.home, self._environment(**chosen))
        return self._start(name, worker)

    def state_dir(self, name: str) -> Path:
        """State directory of a pipeline worker."""
        return self.home / "state" / name

    def forget_state(self, name: str = "a") -> None:
        """Delete a worker's state directory."""
        shutil.rmtree(self.state_dir(name), ignore_errors=True)

    def stores(self, name: str = "a") -> list[Path]:
        """Directories of a stopped worker's stores that hold anything."""
        stores = (one for one in self.state_dir(name).glob("*/tables/*/*") if one.name.isdecimal())
        return sorted(store for store in stores if any(store.glob("*.sst")))

    @property
    def clickhouse_dir(self) -> Path:
        """Data of the embedded engine."""
        return self.home / "clickhouse"

    def wait_drained(self, *, pipeline: bool = True, sink: bool = False) -> None:
        """Wait until nothing is left to read and every offset is committed."""
        if pipeline:
            self.wait_for(self.is_drained)
        if sink:
            self.wait_for(lambda: self._lag(self.settings.sink_app_id, SINK_INPUTS) == 0)

    def is_drained(self) -> bool:
        """Whether the pipeline has nothing left to read and every offset is committed."""
        inputs = [stage.input.name for stage in pipeline(self.connectors)]
        return self._lag(self.settings.app_id, inputs) == 0

    def growth(self, topic: str) -> Callable[[], int]:
        """How many offsets a topic has grown by since this call."""
        bootstrap = self.settings.kafka_bootstrap
        start = sum(end_offsets(bootstrap, [topic]).values())
        return lambda: sum(end_offsets(bootstrap, [topic]).values()) - start

    def wait_for_growth(self, grown: Callable[[], int], offsets: int) -> None:
        """Wait until `growth` has reached so many offsets."""
        self.wait_for(lambda: grown() >= offsets)

    def wait_for_rows(self, sink: LocalWorker, rows: int) -> None:
        """Wait until a sink says that ClickHouse holds so many outcomes more."""

        def stored() -> int:
            try:
                answer = pages().get(f"{sink.url}/rows")
            except httpx.TransportError:
                return 0
            return int(answer.json()["outcomes"]) if answer.status_code == httpx.codes.OK else 0

        self.wait_for(lambda: stored() > 0)
        start = stored()
        ended = self.settings.sink_app_id
        self.wait_for(lambda: stored() >= start + rows or self._lag(ended, SINK_INPUTS) == 0)

    def assigned(self, worker: LocalWorker) -> int:
        """Input partitions a ready worker has; 0 while it is not ready."""
        try:
            answer = pages().get(f"{worker.url}/ready")
        except httpx.TransportError:
            return 0
        return len(answer.json()["assigned"]) if answer.status_code == httpx.codes.OK else 0

    def compact_eagerly(self, topics: Sequence[Topic]) -> None:
        """Make the broker close segments every moment and compact what is closed."""
        eager = {
            "min.cleanable.dirty.ratio": "0.0",
            "segment.ms": "100",
            "max.compaction.lag.ms": "100",
        }
        admin = AdminClient({"bootstrap.servers": self.settings.kafka_bootstrap})
        resources = [
            ConfigResource(
                ConfigResource.Type.TOPIC,
                topic.name,
                incremental_configs=[
                    ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                    for name, value in eager.items()
                ],
            )
            for topic in topics
        ]
        for future in admin.incremental_alter_configs(resources).values():
            future.result()

    def wait_compacted(self, topic: Topic) -> None:
        """Wait until most superseded entries are gone; those of the last segment stay."""

        def mostly_unique() -> bool:
            keys = Counter(
                (record.partition, record.key)
                for record in read_all(self.settings.kafka_bootstrap, topic.name)
            )
            return keys.total() < 1.5 * len(keys)

        self.wait_for(mostly_unique)

    def wait_group_empty(self) -> None:
        """Wait until the broker has given up every member of the pipeline's group."""
        admin = AdminClient({"bootstrap.servers": self.settings.kafka_bootstrap})
        group = self.settings.app_id

        def empty() -> bool:
            described = admin.describe_consumer_groups([group])[group].result()
            return not described.members

        self.wait_for(empty)

    def values_of(self, topic: Topic) -> list[tuple[bytes, bytes]]:
        """Keys and values of a topic, read committed."""
        return [
            (record.key or b"", record.value or b"")
            for record in read_all(self.settings.kafka_bootstrap, topic.name)
        ]

    def publish_again(self, topic: Topic, values: Sequence[tuple[bytes, bytes]]) -> None:
        """Publish records as they are."""
        producer = Producer({"bootstrap.servers": self.settings.kafka_bootstrap})
        for key, value in values:
            producer.produce(topic.name, key=key, value=value)
            producer.poll(0)
        assert producer.flush(60) == 0

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, with a deadline."""
        seconds = DEADLINE_SECONDS + DEADLINE_SECONDS_PER_RECORD * self._loaded_records
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not reached; logs in {self.home / 'logs'}"
            time.sleep(_LOOK_SECONDS)

    def wait_ended(self, worker: LocalWorker) -> None:
        """Wait until a worker's process has ended by itself."""
        self.wait_for(lambda: worker.process.pid is None)

    def rebuild(self) -> None:
        """Let a next generation grow and switch to it; every pipeline worker is stopped."""
        console = Console(quiet=True)
        grow(self.settings, console)
        report = switch(self.settings, console, accept_loss=True)
        assert report is not None

    def stop_all(self) -> None:
        """Stop every worker in an orderly way."""
        for worker in self._started:
            worker.process.stop(15)
        self._started.clear()

    def recreate(self, topics: Sequence[Topic], groups: Sequence[str] = ()) -> None:
        """Delete topics and groups, and create the topics again."""
        admin = AdminClient({"bootstrap.servers": self.settings.kafka_bootstrap})
        delete_topics(self.settings.kafka_bootstrap, [topic.name for topic in topics])
        known = {group.group_id for group in admin.list_consumer_groups().result().valid}
        for group in set(groups) & known:
            self.wait_for(partial(_deleted, admin, group))
        create_topics(self.settings)

    def lag(self, topics: Sequence[str]) -> int:
        """What the pipeline has still to read of these topics."""
        return self._lag(self.settings.app_id, topics)

    def stuck(self, worker: LocalWorker) -> Mapping[str, str]:
        """What a ready or hanging worker says that it is stuck in."""
        found: Mapping[str, str] = pages().get(f"{worker.url}/ready").json()["stuck"]
        return found

    def _lag(self, group: str, topics: Sequence[str]) -> int:
        asked = (group, *topics)
        if asked not in self._progress:
            self._progress[asked] = GroupProgress(self.settings.kafka_bootstrap, group, topics)
        return self._progress[asked].left()

    def _start(self, name: str, worker: LocalWorker) -> LocalWorker:
        self._started.append(worker)
        worker.spawn()
        return worker

    def _environment(self, **variables: str) -> Mapping[str, str]:
        return {
            **os.environ,
            **self.stack.environment(),
            "DATA_DIR": str(self.home),
            "SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            **variables,
        }


@contextmanager
def fresh_cluster(stack: LocalStack, home: Path, stages: str = "") -> Iterator[Cluster]:
    """A deployment with empty topics, no groups and an empty home; its workers end with it."""
    environment = stack.environment()
    settings = Settings(
        kafka_bootstrap=environment["KAFKA_BOOTSTRAP"],
        schema_registry_url=environment["SCHEMA_REGISTRY_URL"],
        postgres_dsn=environment["POSTGRES_DSN"],
        data_dir=home,
        session_timeout_seconds=SESSION_SECONDS,
    )
    with Registry(settings.schema_registry_url) as registry:
        cluster = Cluster(stack, home, settings, registry, stages)
        cluster.recreate(all_topics(settings), [settings.app_id, settings.sink_app_id])
        register_schemas(settings)
        try:
            yield cluster
        finally:
            cluster.stop_all()


def _deleted(admin: AdminClient, group: str) -> bool:
    """Whether a group is gone; it must be empty first, which a killed member delays."""
    try:
        admin.delete_consumer_groups([group])[group].result()
    except KafkaException as error:
        return "GROUP_ID_NOT_FOUND" in str(error)
    return True
