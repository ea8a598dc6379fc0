"""Every metric a process counts itself, declared once, and the base of those it asks for."""

import logging
import time
from abc import abstractmethod
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.core.errors import InfrastructureError
from streams.question import Question

ANSWER_SECONDS = 1.5
"""How long what is asked of other services may take; the page answers within 2 s."""

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
STAGE_COMPUTE_SECONDS = Counter(
    "stage_compute_seconds_total",
    "Processor time in which a stage has decoded, decided and encoded, on the one thread of its "
    "worker.",
    ["stage"],
)
STAGE_OUTPUTS = Counter(
    "stage_outputs_total",
    "Records a stage has published, by topic: those to dead_letters are its rejections.",
    ["stage", "topic"],
)
RECORDS_PROCESSED = Gauge(  # a counter's name would end in _total
    "connector_records_processed",
    "Raw records of a source that have an outcome, over the life of the deployment.",
    ["source_id"],
)
RECOVERY_SECONDS = Gauge("recovery_seconds", "Seconds the last acquisition of partitions took.")
RECOVERY_ENTRIES = Gauge("recovery_entries", "Changelog entries the last acquisition restored.")
PAUSED = Gauge(
    "connector_paused",
    "1 while a partition of a source's raw topic waits for `make resume`.",
    ["source_id", "partition"],
)
WAITING = Gauge(
    "partition_waiting",
    "1 while a partition waits, with nothing acknowledged; for is registry or rejections.",
    ["topic", "partition", "for"],
)
OLDEST_BATCH_SECONDS = Gauge(
    "oldest_batch_seconds",
    "For how long the oldest batch of this worker has been in work; 0 when there is none.",
)
QUALITY_SCORE = Gauge(
    "connector_data_quality_score",
    "Total quality score of a source's newest window, 0 to 100.",
    ["source_id"],
)
VALIDATION_FAILURES = Gauge(
    "connector_validation_failures",
    "Raw records of a source whose last verdict fails a rule; validation_type is the rule id, "
    "severity reject, flag or unknown.",
    ["source_id", "validation_type", "severity"],
)
SINK_ROWS = Counter("sink_rows_total", "Rows inserted into ClickHouse.", ["table"])
SINK_REJECTS = Counter(
    "sink_rejects_total",
    "Records of the sink's topics that ClickHouse keeps in sink_rejects, by reason code.",
    ["topic", "rule_id"],
)
SINK_INSERT_SECONDS = Histogram("sink_insert_seconds", "Seconds of one insert.", ["table"])
API_REQUEST_SECONDS = Histogram(
    "api_request_seconds",
    "Seconds of one answer of the API, by route and status; none: no such route.",
    ["route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class StageMetrics:
    """Measures the batches of one stage.

    Args:
        stage: Its name.
        outputs: Topics whose outputs are counted from 0 on, so that the first one is an increase.
    """

    def __init__(self, stage: str, outputs: Iterable[str]) -> None:
        self._stage = stage
        for topic in outputs:
            STAGE_OUTPUTS.labels(stage, topic)

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

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Count the processor time of what is computed; of a batch that fails, too."""
        started = time.thread_time()
        try:
            yield
        finally:
            STAGE_COMPUTE_SECONDS.labels(self._stage).inc(time.thread_time() - started)


class AskingCollector(Collector):
    """Asks another service when this process exports; `connector_scrape_error` says if in vain.

    The last answer serves for a minute while the service takes longer than `ANSWER_SECONDS`.

    What is about the whole deployment is exported by one process only, the owner of a certain
    partition, so that sums over processes are right.

    Args:
        service: Who is asked, as the label of `connector_scrape_error`; one collector for each.
        is_exporter: Whether this process exports it.
    """

    def __init__(self, service: str, is_exporter: Callable[[], bool]) -> None:
        self.service = service
        self._is_exporter = is_exporter
        self._question = Question(lambda: tuple(self.ask()), type(self).__name__)
        _ASKING.append(self)

    def begin(self) -> None:
        """Ask, if this process exports; `collect` waits for the answer."""
        if self._is_exporter():
            self._question.begin()

    @abstractmethod
    def ask(self) -> Iterable[Metric]:
        """The metrics.

        Raises:
            InfrastructureError: no answer.
        """

    def unanswered(self) -> Iterable[Metric]:
        """What is true when the service has not answered for a minute, or refuses; nothing."""
        return ()

    def has_failed(self) -> bool | None:
        """Whether the service has not answered what `begin` asked; None: it was not asked."""
        if not self._is_exporter():
            return None
        try:
            self._question.answer(ANSWER_SECONDS)
        except InfrastructureError:
            return True
        return self._question.unanswered_seconds(ANSWER_SECONDS) is not None

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked for when collected."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The metrics; none when another process exports them."""
        if not self._is_exporter():
            return ()
        try:
            answer = self._question.answer(ANSWER_SECONDS)
        except InfrastructureError as error:
            logger.warning("%s: nothing to export: %s", type(self).__name__, error)
            return self.unanswered()
        if answer is None:
            logger.warning(
                "%s: nothing to export: no answer within %s s", type(self).__name__, ANSWER_SECONDS
            )
            return self.unanswered()
        return answer


_ASKING: list[AskingCollector] = []


class _ScrapeErrors(Collector):
    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        failed = GaugeMetricFamily(
            "connector_scrape_error",
            "1 when a service that this page asks did not answer in time, or refused.",
            labels=["service"],
        )
        for collector in _ASKING:
            has_failed = collector.has_failed()
            if has_failed is not None:
                failed.add_metric([collector.service], has_failed)
        yield failed


REGISTRY.register(_ScrapeErrors())


def exposition() -> bytes:
    """Every metric of this process as Prometheus reads it, whatever hangs. Blocks up to 2 s."""
    # At once, so that several services that hang take no longer than one.
    for collector in _ASKING:
        collector.begin()
    return generate_latest()
