"""Queries, threads, processes and addresses."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_current
from streams.core.errors import SinkError
from streams.sink.collector import AssetCollector
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL
from tests.sink.records import batch, framed, plant, plant_with

pytestmark = pytest.mark.integration


def test_queries_run_beside_loads(clickhouse: ClickHouse, loader: Loader) -> None:
    """Each thread sees whole batches: versions and latest may differ, a batch is never cut."""
    with ThreadPoolExecutor(6) as pool:
        loads = [
            pool.submit(
                loader.load,
                batch(
                    CANONICAL,
                    [framed(CANONICAL, plant(start + number)) for number in range(50)],
                    first_offset=start,
                    partition=start % 4,
                ),
            )
            for start in range(0, 1000, 50)
        ]
        counts = [pool.submit(count_current, clickhouse) for _ in range(20)]
        assert sum(load.result().loaded for load in loads) == 1000
        assert {count.result()["power_plant"] % 50 for count in counts} == {0}
    assert count_current(clickhouse)["power_plant"] == 1000


def test_assets_that_no_source_lists_any_more_leave_the_metric(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    def assets() -> dict[tuple[str, ...], float]:
        (metric,) = AssetCollector(clickhouse, lambda: True).ask()
        return {tuple(one.labels.values()): one.value for one in metric.samples}

    def load(*records: dict[str, Any], first_offset: int) -> None:
        values = [framed(CANONICAL, record) for record in records]
        loader.load(batch(CANONICAL, values, first_offset=first_offset))

    load(*(plant_with(n, country_code="ES") for n in (1, 2)), first_offset=0)
    load(plant_with(3, country_code=None), first_offset=2)
    assert assets() == {("power_plant", "ES"): 2, ("power_plant", "none"): 1}
    load(plant_with(1, version=2, status="withdrawn", country_code="ES"), first_offset=3)
    assert assets() == {("power_plant", "ES"): 1, ("power_plant", "none"): 1}


def test_it_answers(clickhouse: ClickHouse) -> None:
    assert clickhouse.ping()


def test_parameters_are_data(clickhouse: ClickHouse) -> None:
    text = "'; DROP TABLE store_quality_scores; --"
    assert clickhouse.query("SELECT {text:String}", {"text": text}).rows == [(text,)]


def test_a_wrong_query_says_what_is_wrong(clickhouse: ClickHouse) -> None:
    with pytest.raises(SinkError, match="no_such_table"):
        clickhouse.query("SELECT * FROM no_such_table")
    assert clickhouse.ping()


def test_a_second_process_is_told_who_holds_the_directory(engine: ClickHouse) -> None:
    program = (
        "import sys; from streams.clickhouse.client import ClickHouse\n"
        "from streams.core.errors import SinkError\n"
        "try: ClickHouse(sys.argv[1])\n"
        "except SinkError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, engine.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"in use by process {os.getpid()}" in done.stdout


def test_no_server_is_said_without_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dsn = f"clickhouse://reader:s3cret@127.0.0.1:{port}/default"
    with pytest.raises(SinkError, match=rf"127\.0\.0\.1:{port}.*CLICKHOUSE_DSN") as caught:
        ClickHouse(dsn)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_address_names_the_right_ones() -> None:
    with pytest.raises(SinkError, match="chdb:///"):
        ClickHouse("postgresql://127.0.0.1")
