"""Lag and offsets of consumer groups as metrics, asked of Kafka."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from streams.kafka.topic_admin import PartitionId, group_positions
from streams.metrics import AskingCollector


class LagCollector(AskingCollector):
    """Where the consumer groups are in their topics."""

    def __init__(
        self, bootstrap: str, topics: Mapping[str, Sequence[str]], is_exporter: Callable[[], bool]
    ) -> None:
        """Ask for groups.

        Args:
            bootstrap: Kafka bootstrap servers.
            topics: Topics of each group.
            is_exporter: Whether this process exports it.
        """
        super().__init__("kafka", is_exporter)
        self._bootstrap = bootstrap
        self._topics = topics

    def ask(self) -> Iterator[Metric]:
        """What a group has read and has still to read, for each partition."""
        behind = GaugeMetricFamily(
            "consumer_lag_records",
            "Records a group has still to read; exactly 0 when none is left.",
            labels=["group", "topic", "partition"],
        )
        committed = GaugeMetricFamily(
            "consumer_committed_offset",
            "Committed offset of a group; it moves while the group works.",
            labels=["group", "topic", "partition"],
        )
        ends = GaugeMetricFamily(
            "topic_end_offset",
            "Offset after the last record of a partition.",
            labels=["topic", "partition"],
        )
        end_of: dict[PartitionId, int] = {}
        for group, topics in self._topics.items():
            for place, position in group_positions(self._bootstrap, group, topics).items():
                labels = [group, place.topic, str(place.partition)]
                behind.add_metric(labels, position.lag)
                if position.committed is not None:
                    committed.add_metric(labels, position.committed)
                # Groups are asked one after the other: the later end is above every commit.
                end_of[place] = position.end
        for place, end in end_of.items():
            ends.add_metric([place.topic, str(place.partition)], end)
        yield from (behind, committed, ends)
