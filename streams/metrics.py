"""Every metric a process counts itself, declared once, and the base of those it asks for."""

import logging
import time
from abc import abstractmethod
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streams.core.errors import InfrastructureError

logger = logging.getLogger(__name__)

STAGE_RECORDS = Counter("stage_records_total", "Input records a stage has applied.", ["stage"])
STAGE_BATCH_RECORDS = Histogram(
    "stage_batch_records",
    "Records in one batch.",
    ["stage"],
    buckets=(1, 10, 50, 100, 250, 500, 1000, 2000, 5000),
)
STAGE_BATCH_SECONDS = Histogram(
    "stage_batch_seconds", "Seconds from the start of a batch to its acknowledgement.", ["stage"]
)
STAGE_OUTPUTS = Counter(
    "stage_outputs_total",
    "Records a stage has published, by topic: those to dead_letters are its rejections.",
    ["stage", "topic"],
)
RECORDS_PROCESSED = Gauge(  # a counter's name would end in _total
    "connector_records_processed",
    "Raw records of a source that this worker has normalized or rejected since its start.",
    ["source_id"],
)
RECOVERY_SECONDS = Gauge("recovery_seconds", "Seconds the last acquisition of partitions took.")
RECOVERY_ENTRIES = Gauge("recovery_entries", "Changelog entries the last acquisition restored.")
PAUSED = Gauge(
    "connector_paused",
    "1 while a partition of a source's raw topic waits for `make resume`.",
    ["source_id", "partition"],
)
QUALITY_SCORE = Gauge(
    "connector_data_quality_score",
    "Total quality score of a source's newest window, 0 to 100.",
    ["source_id"],
)
VALIDATION_FAILURES = Gauge(
    "connector_validation_failures",
    "Raw records of a source whose last verdict fails a rule; validation_type is the rule id.",
    ["source_id", "validation_type"],
)
SINK_ROWS = Counter("sink_rows_total", "Rows inserted into ClickHouse.", ["table"])
SINK_INSERT_SECONDS = Histogram("sink_insert_seconds", "Seconds of one insert.", ["table"])


class StageMetrics:
    """Measures the batches of one stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    @contextmanager
    def batch(self, records: int) -> Iterator[Counted[str]]:
        """Count and time one batch; a batch that fails counts nothing.

        Yields what takes the number of outputs by topic.
        """
        started = time.perf_counter()
        outputs: Counted[str] = Counted()
        yield outputs
        for topic, published in outputs.items():
            STAGE_OUTPUTS.labels(self._stage, topic).inc(published)
        STAGE_BATCH_SECONDS.labels(self._stage).observe(time.perf_counter() - started)
        STAGE_BATCH_RECORDS.labels(self._stage).observe(records)
        STAGE_RECORDS.labels(self._stage).inc(records)


class AskingCollector(Collector):
    """Asks another service when this process exports; says nothing when that does not answer.

    What is about the whole deployment is exported by one process only, the owner of a certain
    partition, so that sums over processes are right.
    """

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
