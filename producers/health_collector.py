"""The health of the sources as metrics: jobs are too short to be asked, so PostgreSQL is."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from producers.checkpoint import SourceHealth, open_store
from streams.metrics import AskingCollector


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
