"""The health of the sources as metrics: jobs are too short to be asked, so PostgreSQL is."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from producers.checkpoint import open_store
from producers.config import load_schedule
from producers.connectors import CONNECTORS
from producers.errors import ConfigurationError
from producers.run_history import SourceHealth
from producers.seen_fields import FieldDrift
from streams.core.errors import SettingsError
from streams.metrics import AskingCollector


def schedules(environment: Mapping[str, str]) -> Mapping[str, timedelta]:
    """How often each source is polled, by source id.

    Raises:
        SettingsError: a schedule that is none.
    """
    try:
        return {
            connector.source_id: load_schedule(name, environment)
            for name, connector in CONNECTORS.items()
        }
    except ConfigurationError as error:
        raise SettingsError(str(error)) from error


class ConnectorCollector(AskingCollector):
    """Health of the producers, whose jobs are too short to be asked: from their attempts.

    Args:
        postgres_dsn: The checkpoint database.
        every: How often each source is polled, by source id; `connector_up` has each of them.
        is_exporter: Whether this process exports it.
    """

    def __init__(
        self, postgres_dsn: str, every: Mapping[str, timedelta], is_exporter: Callable[[], bool]
    ) -> None:
        super().__init__("postgresql", is_exporter)
        self._dsn = postgres_dsn
        self._every = every

    def ask(self) -> Iterator[Metric]:
        """What all runs of each source add up to."""
        with open_store(self._dsn) as store:
            health = store.health()
            drift = store.drift()
        up = {
            source.source_id: source.is_up(self._every[source.source_id])
            for source in health
            if source.source_id in self._every
        }
        yield self._up(up)
        yield from _totals(health)
        yield _drift(drift)

    def unanswered(self) -> Iterator[Metric]:
        """No source is up: a run reaches its database no better."""
        yield self._up({})

    def _up(self, up: Mapping[str, bool]) -> Metric:
        gauge = GaugeMetricFamily(
            "connector_up",
            "1 when the last run of a source succeeded, the next one is not overdue and its "
            "database answers; 0 before the first run, too.",
            labels=["source_id"],
        )
        for source_id in self._every:
            gauge.add_metric([source_id], up.get(source_id, False))
        return gauge


def _drift(found: list[FieldDrift]) -> Metric:
    gauge = GaugeMetricFamily(
        "connector_drift_records",
        "Items that had a field which a source has begun to send (change new) or ceased to (gone).",
        labels=["source_id", "stream", "field", "change"],
    )
    for one in found:
        gauge.add_metric([one.source_id, one.stream, one.field, one.change], one.records)
    return gauge


def _totals(health: list[SourceHealth]) -> Iterator[Metric]:
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
    runs = CounterMetricFamily(
        "connector_runs",
        "Runs of a source that are over, however they ended.",
        labels=["source_id"],
    )
    errors = CounterMetricFamily(
        "connector_errors",
        "Runs of a source that ended in an error, by class; Killed: without a word.",
        labels=["source_id", "error"],
    )
    left_out = CounterMetricFamily(
        "connector_items_left_out",
        "Items of a source that were not published, by reason.",
        labels=["source_id", "reason"],
    )
    for source in health:
        hits.add_metric([source.source_id], source.rate_limit_hits)
        runs.add_metric([source.source_id], source.runs)
        if source.last_published_at is not None:
            last.add_metric([source.source_id], source.last_published_at.timestamp())
        for error, failed in sorted(source.errors.items()):
            errors.add_metric([source.source_id, error], failed)
        for reason, items in sorted(source.left_out.items()):
            left_out.add_metric([source.source_id, reason], items)
    yield from (last, hits, runs, errors, left_out)
