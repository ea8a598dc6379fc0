"""Every query of the dashboard, on a real Prometheus that scrapes workers, and on ClickHouse."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from producers.checkpoint import open_store
from producers.run_history import Attempt
from streams.local.stack import LocalStack
from streams.serve.addresses import PREFIX
from tests.fault.cluster import Cluster, fresh_cluster
from tests.fault.load import STAGES, Load
from tests.k8s.test_alerts import alerts
from tests.k8s.test_dashboard import targets
from tests.producers.live import fresh_database
from tests.producers.sandbox_server import free_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.prometheus,
    pytest.mark.soak,
    pytest.mark.timeout(600),
]

NOTHING_TO_SHOW = {"Paused and waiting partitions"}
"""Panels without data while nothing is wrong."""

SILENT = {
    "BrokerAway",
    "ClickHouseAway",
    "OffsetsDiverging",
    "RegistryAway",
    "WorkerDown",
    "WorkerStuck",
}
"""Alerts whose expressions are false while all services run."""

SOURCE = "wri_powerplants"
LOAD = Load(800, plants=200)


@contextmanager
def scraping(path: str, home: Path, jobs: dict[str, int]) -> Iterator[httpx.Client]:
    """A client of a Prometheus that scrapes these ports every second."""
    home.mkdir()
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}
            for job, scraped in jobs.items()
        ],
    }
    (home / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with (home / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                path,
                f"--config.file={home / 'prometheus.yaml'}",
                f"--storage.tsdb.path={home / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def found(prometheus: httpx.Client, query: str) -> list[dict[str, Any]]:
    """What a query finds now; nothing while Prometheus starts."""
    try:
        answer = prometheus.get("/query", params={"query": query}, timeout=30)
    except httpx.TransportError:
        return []
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    assert answer.status_code == httpx.codes.OK, answer.text
    series: list[dict[str, Any]] = answer.json()["data"]["result"]
    return [one for one in series if one["value"][1] != "NaN"]


def polled(dsn: str) -> None:
    """One run that failed and one that did not, with everything a run can count."""
    with open_store(dsn) as store:
        for error in ("UnreachableError", None):
            number = store.begin_attempt(SOURCE, uuid.uuid4().hex)
            left_out = {"too_large": 1}
            store.end_attempt(Attempt(number, store.present(), 9, 1, error, left_out))


@pytest.fixture
def cluster(stack: LocalStack, tmp_path: Path) -> Iterator[Cluster]:
    with fresh_cluster(stack, tmp_path, ",".join(STAGES)) as running:
        yield running


def test_every_query_finds_data_or_is_empty_for_a_reason(
    cluster: Cluster, stack: LocalStack, prometheus_path: str, tmp_path: Path
) -> None:
    api = free_port()
    with fresh_database(stack) as dsn:
        polled(dsn)
        pipeline = cluster.pipeline(POSTGRES_DSN=dsn)
        sink = cluster.sink(SINK_SERVES_API="true", API_PORT=str(api))
        jobs = {
            "pipeline": int(pipeline.url.rpartition(":")[2]),
            "sink": int(sink.url.rpartition(":")[2]),
            "api": api,
        }
        with scraping(prometheus_path, tmp_path / "prometheus", jobs) as prometheus:
            # From before the first record on, so that counters are seen to grow.
            cluster.wait_for(lambda: len(found(prometheus, "up == 1")) == len(jobs))
            cluster.wait_for(lambda: bool(found(prometheus, "stage_outputs_total")))
            cluster.load(LOAD)
            cluster.wait_drained(sink=True)
            plants = f"http://127.0.0.1:{api}{PREFIX}/power-plants"
            assert httpx.get(plants, params={"limit": 1}, timeout=30).json()["data"]
            queries = targets("expr")

            def without_data() -> set[str]:
                return {
                    title.rpartition(" (")[0]
                    for title, query in queries.items()
                    if not found(prometheus, query)
                }

            cluster.wait_for(lambda: without_data() == NOTHING_TO_SHOW)
            by_alert = {one["alert"]: one["expr"] for one in alerts()}
            fire = {name for name, query in by_alert.items() if found(prometheus, query)}
            assert not fire & SILENT
            # The failed run, and the sources that nobody has polled here.
            assert fire >= {"SourceDown", "DeadLetters"}
        for title, query in targets("rawSql").items():
            answer = httpx.post(f"{sink.url}/query?format=csv", content=query, timeout=30)
            assert answer.status_code == httpx.codes.OK, f"{title}: {answer.text}"
            assert len(answer.text.splitlines()) > 1, f"{title} has no row"
