"""Metrics that are read when asked for: of the pipeline from PostgreSQL and Kafka.

What is about the whole deployment is exported by one process only, the owner of a certain
partition, so that sums over processes are right.
"""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from producers.checkpoint import SourceHealth, open_store
from streams.core.errors import InfrastructureError
from streams.topic_admin import lag

logger = logging.getLogger(__name__)


class AskingCollector(Collector):
    """Asks another service when this process exports; says nothing when that does not answer."""

    def __init__(self, is_exporter: Callable[[], bool]) -> None:
        self._is_exporter = is_exporter

    @abstractmethod
    def ask(self) -> Iterable[Metric]:
        """The metrics.

        Raises:
            InfrastructureError: no answer.
        """

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked for when collected."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The metrics; none when another process exports them, or there is no answer."""
        if not self._is_exporter():
            return ()
        try:
            return tuple(self.ask())
        except InfrastructureError as error:
            logger.warning("%s: nothing to export: %s", type(self).__name__, error)
            return ()


class LagCollector(AskingCollector):
    """`consumer_lag_records{group, topic, partition}`: what a group has still to read."""

    def __init__(
        self, bootstrap: str, topics: Mapping[str, Sequence[str]], is_exporter: Callable[[], bool]
    ) -> None:
        """Ask for groups.

        Args:
            bootstrap: Kafka bootstrap servers.
            topics: Topics of each group.
            is_exporter: Whether this process exports it.
        """
        super().__init__(is_exporter)
        self._bootstrap = bootstrap
        self._topics = topics

    def ask(self) -> Iterator[Metric]:
        """One gauge for each partition of each group."""
        gauge = GaugeMetricFamily(
            "consumer_lag_records",
            "Records a group has still to read; exactly 0 when none is left.",
            labels=["group", "topic", "partition"],
        )
        for group, topics in self._topics.items():
            for (topic, partition), records in lag(self._bootstrap, group, topics).items():
                gauge.add_metric([group, topic, str(partition)], records)
        yield gauge


class ConnectorCollector(AskingCollector):
    """Health of the producers, whose jobs are too short to be asked: from their attempts."""

    def __init__(self, postgres_dsn: str, is_exporter: Callable[[], bool]) -> None:
        super().__init__(is_exporter)
        self._dsn = postgres_dsn

    def ask(self) -> Iterator[Metric]:
        """What all runs of each source add up to."""
        with open_store(self._dsn) as store:
            health = store.health()
        yield from _health_metrics(health)


def _health_metrics(health: list[SourceHealth]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "connector_up", "1 when the last run of a source succeeded.", labels=["source_id"]
    )
    last = GaugeMetricFamily(
        "connector_last_event_time",
        "When a run last published anything, seconds since 1970.",
        labels=["source_id"],
    )
    hits = GaugeMetricFamily(
        "connector_api_rate_limit_hits",
        'Answers of a source that said "too many requests", over all runs.',
        labels=["source_id"],
    )
    errors = CounterMetricFamily(
        "connector_errors",
        "Runs of a source that ended in an error, by class.",
        labels=["source_id", "error"],
    )
    for source in health:
        up.add_metric([source.source_id], source.up)
        hits.add_metric([source.source_id], source.rate_limit_hits)
        if source.last_published_at is not None:
            last.add_metric([source.source_id], source.last_published_at.timestamp())
        for error, runs in sorted(source.errors.items()):
            errors.add_metric([source.source_id, error], runs)
    yield from (up, last, hits, errors)
