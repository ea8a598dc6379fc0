"""Reconciliation as a worker does it: assets of two sources, decisions, members, a restart."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from streams.avro.topic_codecs import topic_encoder
from streams.commands.candidates import open_candidates
from streams.commands.decide import decide, entity_key
from streams.commands.members import current_assets, write_members
from streams.core import contract_types as avro
from streams.core.keys import asset_id
from streams.core.records import source_key
from streams.core.regions import EUROPE
from streams.local.stack import LocalStack
from streams.serve.addresses import PREFIX
from streams.topics import NORMALIZED_ASSETS
from tests.core.reconcile.builders import gem, gppd
from tests.core.reconcile.real_records import GEM, GPPD
from tests.fault.cluster import Cluster, fresh_cluster
from tests.serve.client import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

KIND = "power_plant"
GPPD_ID = asset_id(KIND, GPPD, "WRI1")
GEM_ID = asset_id(KIND, GEM, "L1/GCPT", EUROPE)


@pytest.fixture
def cluster(stack: LocalStack, tmp_path: Path) -> Iterator[Cluster]:
    """A fresh deployment."""
    with fresh_cluster(stack, tmp_path) as running:
        yield running


def publish(cluster: Cluster, events: Iterable[avro.NormalizedAsset]) -> None:
    """Publish normalized records as the normalize stage does."""
    encoder = topic_encoder(cluster.registry, NORMALIZED_ASSETS, avro.NormalizedAsset)
    producer = Producer({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    for event in events:
        key = source_key(event["source_id"], event["record_id"])
        producer.produce(
            NORMALIZED_ASSETS.name,
            key=key.encode(),
            value=encoder.encode(event),
            partition=event["region"],
        )
    assert producer.flush(60) == 0


def live(cluster: Cluster) -> dict[str, avro.InfrastructureRecord]:
    """Live assets by id."""
    return {asset["record_id"]: asset for asset in current_assets(cluster.settings)}


def pairs_of(api: str, **conditions: str) -> list[dict[str, Any]]:
    """Undecided pairs as the API has them; none while it does not answer."""
    try:
        answer = httpx.get(f"{api}{PREFIX}/candidates", params=conditions)
    except httpx.TransportError:
        return []
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return found


def test_two_sources_become_one_asset_until_somebody_decides_otherwise(cluster: Cluster) -> None:
    publish(
        cluster,
        [
            gem("G1", "L1/GCPT", "Example", 200),
            gem("G2", "L1/GCPT", "Example", 250),
            gppd("WRI1", "Example"),
        ],
    )
    worker = cluster.pipeline()
    cluster.wait_drained()
    (asset,) = live(cluster).values()
    assert asset["record_id"] == GPPD_ID
    assert [member["record_id"] for member in asset["members"]] == ["G1", "G2", "WRI1"]
    written = io.StringIO()
    write_members(cluster.settings, written)
    assert list(csv.reader(written.getvalue().splitlines()))[1:] == [
        [GPPD_ID, "GEM", "L1"],
        [GPPD_ID, "GPPD", "WRI1"],
    ]

    one, other = entity_key(KIND, f"{GPPD}:WRI1"), entity_key(KIND, f"{GEM}:L1/GCPT")
    assert open_candidates(cluster.settings) == []
    decide(cluster.settings, one, other, "cannot-link", "Two blocks behind one fence.")
    cluster.wait_for(lambda: set(live(cluster)) == {GPPD_ID, GEM_ID})
    cluster.wait_drained()
    apart = live(cluster)[GPPD_ID]["version"]

    worker.process.kill()
    cluster.forget_state()
    decide(cluster.settings, other, one, None)
    cluster.pipeline()
    cluster.wait_for(lambda: set(live(cluster)) == {GPPD_ID})
    assert live(cluster)[GPPD_ID]["version"] > apart


def test_a_pair_that_scores_cannot_tell_is_a_candidate_until_somebody_decides(
    cluster: Cluster,
) -> None:
    seen = gppd("WRI1", "Example", capacity_mw=150.0, commissioning_year=None)
    publish(cluster, [seen, gem("G1", "L1/GCPT", "Example", 450, latitude=50.22)])
    cluster.pipeline()
    api = f"http://127.0.0.1:{free_port()}"
    cluster.sink(SINK_SERVES_API="true", API_PORT=api.rpartition(":")[2])
    cluster.wait_drained(sink=True)
    (found,) = open_candidates(cluster.settings)
    cluster.wait_for(lambda: pairs_of(api) != [])
    (asked,) = pairs_of(api)
    assert (asked["match_score"], asked["joined"]) == (found["match_score"], False)
    assert {asked["one_asset_id"], asked["other_asset_id"]} == {GPPD_ID, GEM_ID}
    assert pairs_of(api, asset_id=GEM_ID) == [asked]
    page = httpx.get(f"{api}/assets/{GPPD_ID}").text
    assert "May be the same as" in page
    assert GEM_ID in page
    one = entity_key(KIND, f"{found['one_source_id']}:{found['one_entity_id']}")
    other = entity_key(KIND, f"{found['other_source_id']}:{found['other_entity_id']}")
    decide(cluster.settings, one, other, "must-link", "Same stack on the aerial photograph.")
    cluster.wait_for(lambda: set(live(cluster)) == {GPPD_ID})
    cluster.wait_for(lambda: open_candidates(cluster.settings) == [] == pairs_of(api))
    assert "May be the same as" not in httpx.get(f"{api}/assets/{GPPD_ID}").text
