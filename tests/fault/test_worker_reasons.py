"""Why a worker ended, read in its log: one sentence with what to do, no traceback, exit code 3."""

import re
import socket
from pathlib import Path

import pytest

from streams.local.errors import ComponentFailedError, StartTimeoutError
from streams.local.workers import LocalWorker
from streams.topology import SCORE
from tests.fault.cluster import READY_SECONDS, Cluster

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

NOWHERE = "127.0.0.1:1"


def test_what_does_not_let_a_worker_start_is_the_first_thing_its_owner_is_told(
    cluster: Cluster, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("of somebody")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        # At once: each is mostly starting.
        started: list[tuple[LocalWorker, str]] = [
            (
                cluster.pipeline("registry", SCHEMA_REGISTRY_URL=f"http://{NOWHERE}"),
                r"Schema registry http://127\.0\.0\.1:1 .* SCHEMA_REGISTRY_URL names it\.",
            ),
            (
                cluster.sink(CLICKHOUSE_DSN=f"clickhouse://reader:s3cret@{NOWHERE}/default"),
                r"ClickHouse clickhouse://reader:\*\*\*@127\.0\.0\.1:1/default failed: "
                r"Connection refused\. .* CLICKHOUSE_DSN is right\.",
            ),
            (cluster.pipeline("port", WORKER_PORT=port), rf"Port {port} is already in use: "),
            (cluster.pipeline("state", STATE_DIR=str(in_the_way)), rf"{in_the_way} is a file: "),
        ]
        for worker, reason in started:
            cluster.wait_ended(worker)
            with pytest.raises(ComponentFailedError) as failure:
                worker.process.require_running()
            message = str(failure.value)
            assert re.match(rf"{worker.process.component} ended: {reason}", message), message
            assert "\n" not in message
            said = worker.process.log_path.read_text()
            assert "Traceback" not in said
            assert "s3cret" not in said


def test_what_a_worker_waits_for_is_said_when_it_is_not_ready_in_time(cluster: Cluster) -> None:
    hold = cluster.home / "hold"
    worker = cluster.pipeline(STAGES=SCORE.name, FAILPOINT=f"before_fence@score:1:hold={hold}")
    with pytest.raises(
        StartTimeoutError, match=r"within 0 s: http://127\.\S+/ready does not answer;"
    ):
        worker.wait_ready(0)
    cluster.wait_for(hold.exists)
    with pytest.raises(StartTimeoutError, match="within 1 s: restores the state of 1 partitions;"):
        worker.wait_ready(1)
    hold.unlink()
    worker.wait_ready(READY_SECONDS)
