"""Services that hang without a word: pages of workers answer all the same and say what is stuck."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from streams.local.process import ManagedProcess
from streams.local.workers import LocalWorker
from streams.topology import SCORE
from streams.worker_pages import pages
from tests.fault.cluster import READY_SECONDS, Cluster

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.soak,
    pytest.mark.timeout(600),
]

PAGE_SECONDS = 2.0
SERVICES = ("kafka", "postgresql")


@contextmanager
def frozen(process: ManagedProcess) -> Iterator[None]:
    """A component that neither answers nor closes its connections."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def page(worker: LocalWorker, path: str) -> httpx.Response:
    """A page, which comes within two seconds whatever hangs."""
    began = time.monotonic()
    answer = pages().get(worker.url + path, timeout=60)
    assert time.monotonic() - began < PAGE_SECONDS, path
    return answer


def exports_lag(worker: LocalWorker) -> bool:
    metrics = page(worker, "/metrics").text
    answers = all(f'connector_scrape_error{{service="{name}"}} 0.0' in metrics for name in SERVICES)
    return answers and "consumer_lag_records{" in metrics


def test_pages_answer_while_kafka_and_postgres_are_frozen(cluster: Cluster) -> None:
    worker = cluster.pipeline(STAGES=SCORE.name)
    worker.wait_ready(READY_SECONDS)
    cluster.wait_for(lambda: exports_lag(worker))
    with frozen(cluster.stack.kafka.process), frozen(cluster.stack.postgres.process):
        for _ in range(3):
            metrics = page(worker, "/metrics").text
            assert "recovery_seconds" in metrics
            for name in SERVICES:
                assert f'connector_scrape_error{{service="{name}"}} 1.0' in metrics
            assert page(worker, "/live").status_code == httpx.codes.OK
            ready = page(worker, "/ready")
            assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert "has not answered for" in ready.json()["stuck"]["Kafka"]
    cluster.wait_for(lambda: page(worker, "/ready").json()["stuck"] == {})
    cluster.wait_for(lambda: exports_lag(worker))
