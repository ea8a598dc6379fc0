"""One run of one contender: a process of its own, watched from outside.

The broker stamps every record when it appends it (`LogAppendTime`): that clock times all contenders
alike, whatever they do inside. A run counts from its first output to its last output or changelog
entry, so neither start-up nor joining a group counts; processor time is taken over the same span.
"""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.core.errors import InfrastructureError
from streams.kafka.topic_admin import committed_offsets, end_offsets, ensure_topics
from streams.kafka.topic_reader import read_all
from streams.local.ports import StackPorts
from streams.local.process import ManagedProcess
from streams.local.stack import LocalStack
from streams.settings import PROJECT_ROOT
from streams.topics import PARTITIONS, Topic

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_STALL_SECONDS = 60.0


class VoidRunError(InfrastructureError):
    """A run whose output is not exactly what it must be: it has no figure."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the job.

    Attributes:
        name: What `--only` calls it.
        title: What the table calls it.
        command: Arguments after the Python interpreter.
        share: Part of the records it gets, so that each contender runs about as long.
        changelog: Its changelog topic, from the names of its group and its input; None without.
    """

    name: str
    title: str
    command: tuple[str, ...]
    share: float = 1.0
    changelog: Callable[[str, str], str] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run measured."""

    records_per_second: float
    cpu_us_per_record: float


class Arena:
    """A stack with the input topics, and a directory for what the contenders write.

    Args:
        stack: Its broker stamps records when it appends them.
        home: Logs and state.
        inputs: Input topic by its number of records.
    """

    def __init__(self, stack: LocalStack, home: Path, inputs: Mapping[int, str]) -> None:
        self._stack = stack
        self._home = home
        self._inputs = inputs
        self._bootstrap = stack.kafka.bootstrap
        self._runs = 0

    def run(self, contender: Contender, records: int) -> Figure:
        """Run one contender over an input, check what it wrote, and delete it.

        Raises:
            ComponentFailedError: it ended by itself; the message shows the end of its log.
            VoidRunError: it stalled, or wrote anything else than one output for each input.
        """
        self._runs += 1
        group = f"bench-{contender.name}-{self._runs}"
        source = self._inputs[records]
        output = Topic(f"{group}-output")
        written = [output]
        if contender.changelog:
            written.append(Topic(contender.changelog(group, source), cleanup="compact"))
        ensure_topics(self._bootstrap, written, replication_factor=1)
        process = ManagedProcess(contender.title, contender.name, self._home)
        process.spawn(
            [sys.executable, *contender.command],
            environment=self._environment(group, source, output.name, records),
        )
        try:
            cpu_us = self._watch(process, group, source, output.name, records)
        finally:
            process.kill()
        rate = self._verified_rate(contender, [topic.name for topic in written], records)
        self._forget()
        return Figure(rate, cpu_us)

    def _environment(self, group: str, source: str, output: str, records: int) -> dict[str, str]:
        return self._stack.environment() | {
            "DATA_DIR": str(self._home),
            "STATE_DIR": str(self._home / "state"),
            "APP_ID": group,
            "WORKER_PORT": str(StackPorts.free().kafka_port),
            "BENCH_INPUT": source,
            "BENCH_OUTPUT": output,
            "BENCH_RECORDS": str(records),
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    def _watch(
        self, process: ManagedProcess, group: str, source: str, output: str, records: int
    ) -> float:
        """Processor time per record in µs, from the first output seen to the last commit."""
        watched = psutil.Process(process.pid)
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": "watch"})
        written, changed_at = 0, time.monotonic()
        first: tuple[int, float] | None = None
        ends = end_offsets(self._bootstrap, [source])
        try:
            while True:
                process.require_running()
                now = _written(consumer, output)
                if now > written:
                    written, changed_at = now, time.monotonic()
                    first = first or (written, _cpu_seconds(watched))
                elif time.monotonic() - changed_at > _STALL_SECONDS:
                    raise VoidRunError(
                        f"{process.component} stopped at {written:,} of {records:,} outputs; "
                        f"see {process.log_path}."
                    )
                if first and written >= records:
                    committed = committed_offsets(self._bootstrap, group, [source])
                    if committed == ends:
                        # Transaction markers count as written, so a little more than the records.
                        return (_cpu_seconds(watched) - first[1]) / (records - first[0]) * 1e6
                time.sleep(_LOOK_SECONDS)
        finally:
            consumer.close()

    def _verified_rate(self, contender: Contender, written: Sequence[str], records: int) -> float:
        """Records a second by the broker's stamps."""
        output, *changelogs = written
        stamps: list[int] = []
        keys: set[bytes | None] = set()
        for record in read_all(self._bootstrap, output):
            stamps.append(record.timestamp)
            keys.add(record.key)
        if not len(stamps) == len(keys) == records:
            raise VoidRunError(
                f"{contender.title} published {len(stamps):,} records of {len(keys):,} keys "
                f"instead of {records:,}: no figure."
            )
        last = max(stamps)
        for changelog in changelogs:
            entries = [record.timestamp for record in read_all(self._bootstrap, changelog)]
            if len(entries) < records:
                raise VoidRunError(
                    f"{contender.title} wrote {len(entries):,} changelog entries instead of "
                    f"{records:,}: no figure."
                )
            last = max(last, *entries)
        first = min(stamps)
        return sum(stamp > first for stamp in stamps) / (last - first) * 1000

    def _forget(self) -> None:
        """Delete topics and state of the run."""
        shutil.rmtree(self._home / "state", ignore_errors=True)
        admin = AdminClient({"bootstrap.servers": self._bootstrap}, logger=logger)
        kept = set(self._inputs.values())
        doomed = [
            name
            for name in admin.list_topics(timeout=30).topics
            if name not in kept and not name.startswith("__")
        ]
        for deleted in admin.delete_topics(doomed, operation_timeout=30).values():
            deleted.result()


def _written(consumer: Consumer, topic: str) -> int:
    return sum(
        consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
        for number in range(PARTITIONS)
    )


def _cpu_seconds(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)
