"""Producers on the local stack, each test with a checkpoint database of its own."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from producers.checkpoint import open_store
from producers.connectors import CONNECTORS
from producers.run import RunOptions, RunSummary, Services, run_once
from producers.run_history import FinishedRun
from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.records import RawRecord
from streams.kafka.topic_admin import PartitionId, end_offsets, ensure_topics
from streams.local.stack import LocalStack
from streams.topics import raw_topic
from tests.producers.sandbox_server import Sandbox

ALL = RunOptions()
_WAIT_SECONDS = 60.0
_MEASURED = """
import atexit, runpy
from tests.peak_memory import peak_kb
atexit.register(lambda: print(peak_kb()))
runpy.run_module("producers", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """One record of a raw topic."""

    partition: int
    key: str
    record: RawRecord


@dataclass(frozen=True, slots=True)
class Live:
    """The producers, a sandbox, and what was published since this object was made."""

    environment: Mapping[str, str]
    sandbox: Sandbox
    starts: Mapping[PartitionId, int]

    def with_variables(self, **changes: str) -> "Live":
        """The same with other environment variables."""
        return replace(self, environment={**self.environment, **changes})

    def poll(
        self,
        name: str,
        options: RunOptions = ALL,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> RunSummary:
        """One run, in this process."""
        services = Services(
            self.environment["KAFKA_BOOTSTRAP"],
            self.environment["SCHEMA_REGISTRY_URL"],
            self.environment["POSTGRES_DSN"],
        )
        return run_once(name, options, services, self.environment, on_progress)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`python -m producers …` as a process."""
        return self._start([sys.executable, "-m", "producers", *arguments])

    def start_measured(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same; the last line of its output is its peak memory in kilobytes."""
        return self._start([sys.executable, "-c", _MEASURED, *arguments])

    def _start(self, command: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def published(self, name: str) -> list[PublishedRecord]:
        """Records of a raw topic, by partition and offset."""
        with Registry(self.environment["SCHEMA_REGISTRY_URL"]) as registry:
            decoder = topic_decoder(registry, raw_topic(name), avro.RawRecord)
            return [
                PublishedRecord(
                    message.partition(),
                    message.key().decode(),
                    RawRecord.from_avro(decoder.decode(message.value())),
                )
                for message in self._messages(raw_topic(name).name)
            ]

    def count(self, name: str) -> int:
        """How many records a raw topic has got."""
        ends = end_offsets(self.environment["KAFKA_BOOTSTRAP"], [raw_topic(name).name])
        return sum(end - self.starts[partition] for partition, end in ends.items())

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen in {_WAIT_SECONDS} s"
            time.sleep(0.05)

    def history(self, name: str) -> list[FinishedRun]:
        """Finished runs, newest first."""
        with open_store(self.environment["POSTGRES_DSN"]) as store:
            return store.history(CONNECTORS[name].source_id, 100)

    def _messages(self, topic: str) -> Iterator[Message]:
        ends = end_offsets(self.environment["KAFKA_BOOTSTRAP"], [topic])
        consumer = Consumer(
            {
                "bootstrap.servers": self.environment["KAFKA_BOOTSTRAP"],
                "group.id": "tests",
                "enable.auto.commit": False,
            }
        )
        try:
            for partition, end in ends.items():
                start = self.starts[partition]
                left = end - start
                consumer.assign([TopicPartition(topic, partition.partition, start)])
                while left:
                    batch = consumer.consume(min(left, 10_000), timeout=10)
                    assert batch, f"{topic} stopped {left} records before its end"
                    left -= len(batch)
                    yield from batch
        finally:
            consumer.close()


@contextmanager
def live_producers(stack: LocalStack, sandbox: Sandbox) -> Iterator[Live]:
    """Topics and schemas in place, a fresh checkpoint database, the sandbox as at its start."""
    environment = stack.environment()
    topics = [raw_topic(name) for name in CONNECTORS]
    ensure_topics(environment["KAFKA_BOOTSTRAP"], topics, 1)
    with Registry(environment["SCHEMA_REGISTRY_URL"]) as registry:
        for topic in topics:
            registry.register(topic.subject(), contract(topic.contract_name))
    sandbox.control("reset")
    starts = _emptied(environment["KAFKA_BOOTSTRAP"], [topic.name for topic in topics])
    with fresh_database(stack) as dsn:
        variables = environment | sandbox.environment() | {"POSTGRES_DSN": dsn}
        yield Live(variables, sandbox, starts)


def _emptied(bootstrap: str, topics: Sequence[str]) -> Mapping[PartitionId, int]:
    """Ends of topics, without records: those would be of runs that this database lost."""
    ends = end_offsets(bootstrap, topics)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    upto = [TopicPartition(*partition, end) for partition, end in ends.items() if end]
    for future in admin.delete_records(upto).values() if upto else ():
        future.result()
    return ends


@contextmanager
def fresh_database(stack: LocalStack) -> Iterator[str]:
    """An empty database of the product's role; dropped at the end, connections and all."""
    dsn = stack.environment()["POSTGRES_DSN"]
    owner = sql.Identifier(str(conninfo_to_dict(dsn)["user"]))
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(stack.postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner)
        )
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
