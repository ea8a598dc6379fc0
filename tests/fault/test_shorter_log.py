"""A raw topic that lost its end, or records that nobody had read, is never passed over."""

import os
import signal

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streams.commands.audit import run_audit
from streams.kafka.broker import PartitionId
from streams.kafka.topic_admin import end_offsets
from streams.local.workers import LocalWorker
from streams.topology import DECIDE, normalize_stage
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.fault.load import CONNECTOR, RAW, Load

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]

LOAD = Load(2_000, plants=500)
STAGES = f"{normalize_stage(CONNECTOR)},{DECIDE.name}"
HERE = PartitionId(RAW.name, 0)


def cut_end(cluster: Cluster) -> None:
    """Take the broker down and the second half of one raw partition with it."""
    (segment,) = cluster.stack.data_dir.glob(f"kafka/**/{HERE.topic}-{HERE.partition}/*0.log")
    before = end_offset(cluster)
    cluster.stack.kafka.kill()
    os.truncate(segment, segment.stat().st_size // 2)
    cluster.stack.kafka.start(READY_SECONDS)
    assert 0 < end_offset(cluster) < before


def end_offset(cluster: Cluster) -> int:
    return end_offsets(cluster.settings.kafka_bootstrap, [HERE.topic])[HERE]


def problems(cluster: Cluster) -> tuple[str, ...]:
    return run_audit(cluster.settings, {CONNECTOR: CONNECTOR}).problems


def require_refusal(cluster: Cluster, worker: LocalWorker, why: str) -> None:
    cluster.wait_ended(worker)
    said = worker.process.log_path.read_text(errors="replace")
    assert why in said
    assert "make rebuild" in said


@pytest.mark.soak
def test_log_that_lost_its_end_stops_workers_and_a_rebuild_goes_on_with_what_is_left(
    cluster: Cluster,
) -> None:
    for part in LOAD.split(8):  # each is at least one record batch of the log
        cluster.load(part)
    running = cluster.pipeline()
    cluster.wait_drained()
    cut_end(cluster)
    # While it runs: the fetch is out of range.
    require_refusal(cluster, running, "the input log ends at offset")
    # And when it starts.
    require_refusal(cluster, cluster.pipeline(), "the input log ends at offset")
    assert any("the log lost its end" in problem for problem in problems(cluster))
    # Producers have gone on meanwhile, beyond the offset that was read.
    cluster.load(Load(4_000, plants=500, first=10_000))
    require_refusal(cluster, cluster.pipeline(), "the input log lost its end and has grown again")
    assert any("has grown again" in problem for problem in problems(cluster))
    cluster.wait_group_empty()
    cluster.rebuild()
    cluster.pipeline()
    cluster.wait_drained()
    cluster.stop_all()
    assert problems(cluster) == ()


def delete_before(cluster: Cluster, offset: int) -> None:
    """What retention does, at once."""
    admin = AdminClient({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    for future in admin.delete_records([TopicPartition(*HERE, offset)]).values():
        future.result()


def test_unread_records_that_retention_deleted_are_counted_and_named(cluster: Cluster) -> None:
    cluster.load(LOAD)
    worker = cluster.pipeline(STAGES=STAGES)
    cluster.wait_for(lambda: cluster.lag([RAW.name]) == 0)
    read = end_offset(cluster)
    # Deleted while nobody runs.
    cluster.stop_all()
    cluster.load(Load(400, plants=500, first=10_000))
    first_gap = end_offset(cluster) - 10
    delete_before(cluster, first_gap)
    worker = cluster.pipeline(STAGES=STAGES)
    cluster.wait_for(lambda: cluster.lag([RAW.name]) == 0)
    said = f"{first_gap - read} records of {HERE.topic}/0 deleted by retention before anybody read"
    assert f"{said} them: offsets {read} to {first_gap - 1}" in problems(cluster)
    # Deleted while a worker is away for a moment.
    again = end_offset(cluster)
    pid = worker.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    # The first records are the answer to what it asked before it was stopped.
    for part in Load(500, plants=500, first=20_000).split(5):
        cluster.load(part)
    second_gap = end_offset(cluster) - 10
    delete_before(cluster, second_gap)
    os.kill(pid, signal.SIGCONT)
    cluster.wait_for(lambda: cluster.lag([RAW.name]) == 0)
    cluster.stop_all()
    found = problems(cluster)
    assert any(f"offsets {read} to {first_gap - 1}" in problem for problem in found)
    assert any(
        f"of {HERE.topic}/0 deleted" in one and f"to {second_gap - 1}" in one for one in found
    ), (again, second_gap, found)
