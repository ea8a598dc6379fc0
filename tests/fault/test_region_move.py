"""A plant whose position is corrected to another region and back, with a worker killed between."""

from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import pytest
from confluent_kafka import Producer

from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.avro.topic_codecs import topic_encoder
from streams.commands.audit import run_audit
from streams.core import contract_types as avro
from streams.core.regions import region_of
from streams.kafka.topic_reader import read_all
from streams.topics import MARKET_INFRASTRUCTURE, RECORD_OUTCOMES
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, RAW, plant_record

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.soak,
    pytest.mark.timeout(600),
]

START = datetime(2026, 1, 1, tzinfo=UTC)
GERMANY = {"country": "DEU", "latitude": "50.5", "longitude": "9.5"}
KANSAS = {"country": "USA", "latitude": "38.5", "longitude": "-98.0"}
MOVES = (GERMANY, KANSAS, GERMANY)


def publish(cluster: Cluster, number: int, place: dict[str, Any]) -> None:
    """The plant as reported on a day, among others that stay."""
    encoder = topic_encoder(cluster.registry, RAW, avro.RawRecord)
    producer = Producer({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    fetched_at = START + timedelta(days=number)
    records = [plant_record("MOVED", fetched_at=fetched_at, **place)]
    records += [plant_record(f"STAYS{one}", fetched_at=fetched_at) for one in range(200)]
    for record in records:
        producer.produce(RAW.name, encoder.encode(record.to_avro()), record.record_id, partition=0)
    assert producer.flush(60) == 0


def canonical(cluster: Cluster) -> list[AvroRecord]:
    """Everything published of the plant, by version: regions do not wait for each other."""
    decoder = cluster.registry.decoder(contract(MARKET_INFRASTRUCTURE.contract_name))
    found = (
        decoder.decode(record.value)
        for record in read_all(cluster.settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name)
    )
    of_plant = (one for one in found if any(m["record_id"] == "MOVED" for m in one["members"]))
    return sorted(of_plant, key=itemgetter("version"))


def test_there_is_one_live_asset_and_its_version_grows(cluster: Cluster) -> None:
    assert region_of(50.5, 9.5, None) != region_of(38.5, -98.0, None)
    for number, place in enumerate(MOVES):
        grown = cluster.growth(RECORD_OUTCOMES.name)
        worker = cluster.pipeline()
        publish(cluster, number, place)
        cluster.wait_for_growth(grown, 1 + 50 * number)
        worker.process.kill()
    cluster.pipeline()
    cluster.wait_drained()
    cluster.stop_all()
    published = canonical(cluster)
    assert len({one["record_id"] for one in published}) == 1
    assert len({one["version"] for one in published}) == len(published)
    newest = published[-1]
    assert newest["status"] == "current"
    assert newest["power_plant"]["country_code"] == "DE"
    moves = [one["power_plant"]["country_code"] for one in published if one["status"] == "current"]
    assert moves == ["DE", "US", "DE"]
    assert run_audit(cluster.settings, {CONNECTOR: CONNECTOR}).problems == ()
