"""Somebody adds partitions to a topic: nothing goes on, and one command brings it back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from producers.errors import ProducerError
from producers.run import RunOptions, Services, run_once
from streams.avro.topic_codecs import topic_encoder
from streams.commands.audit import run_audit
from streams.commands.topic_remake import remake
from streams.core import contract_types as avro
from streams.core.errors import InfrastructureError, StateError, TopicMismatchError
from streams.core.redrive import REDRIVEN_FROM
from streams.ending import reason_in
from streams.kafka.topic_admin import end_offsets, remaking
from streams.kafka.topic_reader import Record, read_all
from streams.kafka.topic_writer import ANY_PARTITION, TopicWriter
from streams.topics import PARTITIONS, RECORD_OUTCOMES
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.fault.load import CONNECTOR, RAW, plant_record
from tests.fault.runbook import Runbook

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

PLANTS = 200
ADDED = 2 * PARTITIONS


def publish(cluster: Cluster, first: int, capacities: Iterable[int]) -> None:
    """Each plant once with each capacity, at times that begin with `first`."""
    encoder = topic_encoder(cluster.registry, RAW, avro.RawRecord)
    with TopicWriter(cluster.settings.kafka_bootstrap, [RAW.name]) as writer:
        time_ms = first
        for capacity in capacities:
            for number in range(PLANTS):
                record = plant_record(f"P{number:04d}", capacity=str(capacity))
                time_ms += 1
                writer.send(
                    RAW.name,
                    record.record_id.encode(),
                    encoder.encode(record.to_avro()),
                    timestamp_ms=time_ms,
                    headers=[("note", str(capacity).encode())],
                )
        # A copy of a dead letter names an offset that will be another one.
        writer.send(
            RAW.name,
            b"P0000",
            b"redriven",
            partition=0 if capacities else ANY_PARTITION,
            headers=[(REDRIVEN_FROM, f"{RAW.name}:0:0".encode())],
        )
        writer.finish()


def add_partitions(cluster: Cluster, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    admin.create_partitions([NewPartitions(topic, ADDED)])[topic].result()
    cluster.wait_for(lambda: len(end_offsets(cluster.settings.kafka_bootstrap, [topic])) == ADDED)


def by_key(cluster: Cluster) -> dict[bytes | None, list[Record]]:
    """Records of each key, redriven copies aside, in their order by time."""
    found: dict[bytes | None, list[Record]] = {}
    records = read_all(cluster.settings.kafka_bootstrap, RAW.name)
    for record in sorted(records, key=lambda record: record.timestamp):
        if record.value != b"redriven":
            found.setdefault(record.key, []).append(record)
    return found


def content(records: Iterable[Record]) -> list[tuple[object, ...]]:
    return [(one.timestamp, one.value, one.headers) for one in records]


def poll(cluster: Cluster) -> InfrastructureError:
    """Why the source cannot be polled."""
    settings = cluster.settings
    services = Services(
        settings.kafka_bootstrap, settings.schema_registry_url, settings.postgres_dsn
    )
    with pytest.raises(InfrastructureError) as caught:
        run_once(CONNECTOR, RunOptions(), services, {"WRI_LOCATION": str(cluster.home / "none")})
    return caught.value


@pytest.mark.soak
def test_a_topic_with_other_partitions_stops_everything_until_it_is_made_again(
    cluster: Cluster, runbook: Runbook
) -> None:
    settings = cluster.settings
    publish(cluster, 1_000_000, [100, 200])
    running = cluster.pipeline()
    cluster.wait_drained()
    add_partitions(cluster, RAW.name)
    publish(cluster, 2_000_000, [300])
    before = by_key(cluster)
    assert any(len({one.partition for one in found}) > 1 for found in before.values())
    advice = f"make topic-remake TOPIC={RAW.name}"
    # Who runs and gets partitions again, who starts, who deploys, who polls.
    assert running.process.pid is not None
    os.kill(running.process.pid, signal.SIGSTOP)
    cluster.wait_group_empty()
    os.kill(running.process.pid, signal.SIGCONT)
    cluster.wait_ended(running)
    starting = cluster.pipeline("b")
    cluster.wait_ended(starting)
    for worker in (running, starting):
        reason = reason_in(worker.process.log_path.read_text())
        assert reason is not None
        assert f"Topic {RAW.name} has 8 partitions, declared are 4." in reason
        assert advice in reason
    deployed = subprocess.run(
        [sys.executable, "-m", "streams", "topics"],
        env={**os.environ, **cluster.stack.environment(), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert deployed.returncode == 3
    assert advice in deployed.stdout
    polled = poll(cluster)
    assert isinstance(polled, TopicMismatchError)
    assert not isinstance(polled, ProducerError)
    assert advice in str(polled)

    def started_again() -> None:
        cluster.pipeline("c")
        cluster.wait_drained()

    printed = runbook.follow(
        "Adding partitions",
        {
            "kubectl scale statefulset/pipeline deployment/sink --replicas=0": cluster.stop_all,
            "kubectl scale statefulset/pipeline --replicas=0": cluster.stop_all,
            "kubectl scale statefulset/pipeline --replicas=2": started_again,
        },
    )
    made = printed[f"make topic-remake TOPIC={RAW.name}"]
    assert f"made again with {3 * PLANTS:,} records" in made
    assert "2 redriven copies were left out" in made
    assert "make rebuild" in made
    after = by_key(cluster)
    assert len(end_offsets(settings.kafka_bootstrap, [RAW.name])) == PARTITIONS
    assert {key: content(found) for key, found in after.items()} == {
        key: content(found) for key, found in before.items()
    }
    for found in after.values():
        assert len({one.partition for one in found}) == 1
        assert [one.offset for one in found] == sorted(one.offset for one in found)
    audit = run_audit(settings, {CONNECTOR: CONNECTOR})
    assert audit.problems == ()
    assert audit.sources[0].raw == 3 * PLANTS
    assert audit.published.current == {"power_plant": PLANTS}


def test_one_that_was_interrupted_goes_on_and_nobody_uses_the_topic_meanwhile(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = cluster.settings
    publish(cluster, 1_000_000, [100])
    before = by_key(cluster)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # After the topic is created anew, before anything is in it.
        patch.setattr("streams.commands.topic_remake._is_mark", killed)
        with pytest.raises(KeyboardInterrupt):
            remake(settings, RAW.name)
    assert by_key(cluster) == {}
    assert "is being made again" in str(poll(cluster))
    assert remake(settings, RAW.name).records == PLANTS
    assert {key: content(found) for key, found in by_key(cluster).items()} == {
        key: content(found) for key, found in before.items()
    }
    assert remaking(RAW.name) not in str(poll(cluster))


def test_it_is_refused_while_a_worker_reads(cluster: Cluster) -> None:
    worker = cluster.pipeline()
    worker.wait_ready(READY_SECONDS)
    with pytest.raises(StateError, match="are running: stop them"):
        remake(cluster.settings, RECORD_OUTCOMES.name)
