"""What the other services know of the operation: runs of the producers, lag, flow, and pauses."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from producers.checkpoint import read_store
from producers.connectors import CONNECTORS
from producers.run_history import FinishedRun, SourceHealth
from producers.seen_fields import FieldDrift
from streams.core.errors import InfrastructureError
from streams.kafka.topic_admin import end_offsets, lag
from streams.serve.seldom import Seldom
from streams.settings import Settings
from streams.topology import SINK_TOPICS, declared_topics, pipeline
from streams.worker_pages import pages

_ANSWER_SECONDS: Final = 5.0


class WorkerError(InfrastructureError):
    """The pipeline worker does not say what is paused."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What the producers did, by source id.

    Attributes:
        last: The last finished run.
        health: What all runs add up to.
        drift: Fields that sources have begun or ceased to send, the newest first.
    """

    last: Mapping[str, FinishedRun]
    health: Mapping[str, SourceHealth]
    drift: Sequence[FieldDrift] = ()


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """What a consumer group has still to read of a partition, in records."""

    group: str
    topic: str
    partition: int
    records: int


@dataclass(frozen=True, slots=True)
class Flow:
    """How far topics were written at a moment, and how fast since the look before.

    Attributes:
        seen_at: When, seconds of a monotonic clock.
        ends: Sum of the end offsets of each topic.
        per_second: Offsets written a second, markers of transactions included; empty at the first
            look, and of a topic that was recreated since.
    """

    seen_at: float
    ends: Mapping[str, int]
    per_second: Mapping[str, float]

    @classmethod
    def since(cls, before: "Flow | None", seen_at: float, ends: Mapping[str, int]) -> "Flow":
        """A look, compared with the one before."""
        rates = {}
        if before is not None and seen_at > before.seen_at:
            seconds = seen_at - before.seen_at
            rates = {
                topic: (end - before.ends[topic]) / seconds
                for topic, end in ends.items()
                if end >= before.ends.get(topic, end + 1)
            }
        return cls(seen_at, ends, rates)


class Operations:
    """Asks PostgreSQL, Kafka and the pipeline worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.runs: Seldom[Runs] = Seldom("The checkpoint database", self._runs)
        self.lag: Seldom[Sequence[PartitionLag]] = Seldom("Kafka", self._lag)
        self.paused: Seldom[Mapping[str, str]] = Seldom("The pipeline worker", self._paused)
        self.flow: Seldom[Flow] = Seldom("Kafka", self._flow)
        self._last_flow: Flow | None = None

    def _runs(self) -> Runs:
        with read_store(self.settings.postgres_dsn) as store:
            health = {one.source_id: one for one in store.health()}
            newest = {
                connector.source_id: store.history(connector.source_id, 1)
                for connector in CONNECTORS.values()
            }
            drift = store.drift()
        return Runs({source: runs[0] for source, runs in newest.items() if runs}, health, drift)

    def _lag(self) -> Sequence[PartitionLag]:
        settings = self.settings
        groups = {
            settings.app_id: [stage.input.name for stage in pipeline(CONNECTORS)],
            settings.sink_app_id: [topic.name for topic in SINK_TOPICS],
        }
        return [
            PartitionLag(group, topic, partition, records)
            for group, topics in groups.items()
            for (topic, partition), records in sorted(
                lag(settings.kafka_bootstrap, group, topics).items()
            )
        ]

    def _flow(self) -> Flow:
        topics = [topic.name for topic in declared_topics(CONNECTORS)]
        ends: Counter[str] = Counter()
        for (topic, _), end in end_offsets(self.settings.kafka_bootstrap, topics).items():
            ends[topic] += end
        self._last_flow = Flow.since(self._last_flow, time.monotonic(), ends)
        return self._last_flow

    def _paused(self) -> Mapping[str, str]:
        return {
            what: why for url in self.settings.worker_urls() for what, why in _paused(url).items()
        }


def _paused(url: str) -> Mapping[str, str]:
    try:
        answer = pages().get(f"{url}/ready", timeout=_ANSWER_SECONDS)
        paused: Mapping[str, str] = answer.json().get("paused", {})
    except (httpx.HTTPError, ValueError) as error:
        raise WorkerError(
            f"The pipeline worker at {url} does not answer ({error}): start it, or set WORKER_URL."
        ) from error
    return paused
