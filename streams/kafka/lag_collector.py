"""The lag of consumer groups as a metric, asked of Kafka."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from streams.kafka.topic_admin import lag
from streams.metrics import AskingCollector


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
