"""Metrics of the sink that are read when asked for: from ClickHouse."""

import logging
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.core.errors import SinkError
from streams.sink.clickhouse import ClickHouse
from streams.sink.readback import count_assets

logger = logging.getLogger(__name__)


class AssetCollector(Collector):
    """`infrastructure_assets_total{type, country}` from ClickHouse."""

    def __init__(self, clickhouse: ClickHouse, is_exporter: Callable[[], bool]) -> None:
        self._clickhouse = clickhouse
        self._is_exporter = is_exporter

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked for when collected."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Nothing when another process exports, or ClickHouse does not answer."""
        if not self._is_exporter():
            return
        gauge = GaugeMetricFamily(
            "infrastructure_assets_total",
            "Assets some source lists, by kind and ISO 3166-1 country; none: not known.",
            labels=["type", "country"],
        )
        try:
            counted = count_assets(self._clickhouse)
        except SinkError as error:
            logger.warning("No metrics of the assets: %s", error)
            return
        for (kind, country), assets in counted.items():
            gauge.add_metric([kind, country or "none"], assets)
        yield gauge
