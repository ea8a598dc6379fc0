"""Metrics of the sink that are read when asked for: from ClickHouse."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_assets
from streams.metrics import AskingCollector


class AssetCollector(AskingCollector):
    """`infrastructure_assets_total{type, country}` from ClickHouse."""

    def __init__(self, clickhouse: ClickHouse, is_exporter: Callable[[], bool]) -> None:
        super().__init__("clickhouse", is_exporter)
        self._clickhouse = clickhouse

    def ask(self) -> Iterator[Metric]:
        """One gauge for each kind and country."""
        gauge = GaugeMetricFamily(
            "infrastructure_assets_total",
            "Assets some source lists, by kind and ISO 3166-1 country; none: not known.",
            labels=["type", "country"],
        )
        for (kind, country), assets in count_assets(self._clickhouse).items():
            gauge.add_metric([kind, country or "none"], assets)
        yield gauge
