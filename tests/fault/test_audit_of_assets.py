"""The audit finds an accepted record that no live asset has, and what ClickHouse has otherwise."""

import os
import subprocess
import sys

import pytest

from streams.avro.topic_codecs import topic_decoder, topic_encoder
from streams.core import contract_types as avro
from streams.kafka.topic_reader import read_all
from streams.kafka.topic_writer import TopicWriter
from streams.local.workers import LocalWorker
from streams.topics import MARKET_INFRASTRUCTURE
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, RAW, plant_record

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.soak,
    pytest.mark.timeout(600),
]

PLANTS = 40
CHANGE = """
import sys
from streams.clickhouse.client import ClickHouse
clickhouse = ClickHouse(sys.argv[1])
clickhouse.command(sys.argv[2])
clickhouse.close()
"""


def publish_plants(cluster: Cluster) -> None:
    encoder = topic_encoder(cluster.registry, RAW, avro.RawRecord)
    with TopicWriter(cluster.settings.kafka_bootstrap, [RAW.name]) as writer:
        for number in range(PLANTS):
            # Far from each other: none is part of another.
            record = plant_record(
                f"P{number}", latitude=str(47.6 + number % 8), longitude=str(8 + number // 8)
            )
            writer.send(RAW.name, record.record_id.encode(), encoder.encode(record.to_avro()))
        writer.finish()


def withdraw_one(cluster: Cluster) -> avro.InfrastructureRecord:
    """Publish a higher version of an asset that says that no source lists it; returns it."""
    bootstrap = cluster.settings.kafka_bootstrap
    decoder = topic_decoder(cluster.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    encoder = topic_encoder(cluster.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    record = next(read_all(bootstrap, MARKET_INFRASTRUCTURE.name))
    asset = decoder.decode(record.value)
    asset["version"] += 1
    asset["status"] = "withdrawn"
    with TopicWriter(bootstrap, [MARKET_INFRASTRUCTURE.name]) as writer:
        value = encoder.encode(asset)
        writer.send(MARKET_INFRASTRUCTURE.name, record.key, value, partition=record.partition)
        writer.finish()
    return asset


def audit(cluster: Cluster, sink: LocalWorker) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", "audit"],
        env={
            **os.environ,
            **cluster.stack.environment(),
            "DATA_DIR": str(cluster.home),
            "SINK_PORT": str(sink.program.port),
            "COLUMNS": "300",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_lost_members_and_other_content_in_clickhouse_are_named(cluster: Cluster) -> None:
    publish_plants(cluster)
    cluster.pipeline()
    sink = cluster.sink()
    cluster.wait_drained(sink=True)
    closed = audit(cluster, sink)
    assert closed.returncode == 0, closed.stdout + closed.stderr
    assert "not compared" not in closed.stdout

    lost = withdraw_one(cluster)
    behind = audit(cluster, sink)
    assert behind.returncode == 1
    (member,) = lost["members"]
    named = f"1 accepted asset record in no live asset: {CONNECTOR}:{member['record_id']}"
    assert named in behind.stdout

    cluster.wait_drained(sink=True)
    cluster.stop_all()
    change = (
        "ALTER TABLE store_power_plants_latest UPDATE name = 'x' "
        f"WHERE record_id = '{lost['record_id']}' SETTINGS mutations_sync = 1"
    )
    subprocess.run(
        [sys.executable, "-c", CHANGE, f"chdb://{cluster.clickhouse_dir}", change],
        check=True,
        timeout=60,
    )
    changed = audit(cluster, sink)
    assert changed.returncode == 1
    assert (
        f"ClickHouse differs from market.infrastructure in power_plant: {lost['record_id']} has "
        f"another content at version {lost['version']}"
    ) in changed.stdout
    assert named in changed.stdout
