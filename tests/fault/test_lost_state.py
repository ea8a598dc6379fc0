"""A worker that cannot trust its state refuses to start; a rebuild brings everything back."""

from typing import cast

import pytest

from streams.avro.codec import AvroRecord, Registry
from streams.avro.contracts import contract
from streams.avro.topic_codecs import topic_encoder
from streams.core import contract_types as avro
from streams.kafka.topic_reader import read_all
from streams.settings import Settings
from streams.topics import MARKET_INFRASTRUCTURE
from streams.topology import changelogs
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, Load
from tests.fault.runbook import Runbook
from tests.fault.snapshot import take_snapshot

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]


def newest(settings: Settings) -> dict[str, AvroRecord]:
    """Canonical record of the highest version, by id."""
    found: dict[str, AvroRecord] = {}
    with Registry(settings.schema_registry_url) as registry:
        decoder = registry.decoder(contract(MARKET_INFRASTRUCTURE.contract_name))
        for record in read_all(settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name):
            canonical = decoder.decode(record.value)
            known = found.setdefault(canonical["record_id"], canonical)
            if canonical["version"] > known["version"]:
                found[canonical["record_id"]] = canonical
    return found


def published_by_earlier_code(cluster: Cluster, before: dict[str, AvroRecord]) -> tuple[str, str]:
    """Ids of two assets of the generation before: one that code of today rejects, and one whose
    member is in another asset now."""
    encoder = topic_encoder(cluster.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    asset = next(one for one in before.values() if one["status"] == "current")
    (member,) = asset["members"]
    rejected = {**asset, "record_id": "rejected", "members": [{**member, "record_id": "no more"}]}
    elsewhere = {**asset, "record_id": "elsewhere"}
    records = [
        (str(one["record_id"]).encode(), encoder.encode(cast(avro.InfrastructureRecord, one)))
        for one in (rejected, elsewhere)
    ]
    cluster.publish_again(MARKET_INFRASTRUCTURE, records)
    return "rejected", "elsewhere"


def test_lost_changelog_stops_the_worker_and_a_rebuild_restores_the_content(
    cluster: Cluster, runbook: Runbook
) -> None:
    cluster.load(Load(3_000, plants=700))
    cluster.pipeline()
    cluster.wait_drained()
    cluster.stop_all()
    before = newest(cluster.settings)
    cluster.recreate(changelogs(cluster.settings.app_id, [CONNECTOR]))
    refused = cluster.pipeline()
    cluster.wait_ended(refused)
    said = refused.process.log_path.read_text(errors="replace")
    assert "state is lost" in said
    assert "make rebuild" in said
    left = published_by_earlier_code(cluster, before)

    def started_again() -> None:
        cluster.pipeline()
        cluster.wait_drained()
        cluster.stop_all()

    runbook.follow(
        "State lost",
        {
            "kubectl scale statefulset/pipeline --replicas=0": cluster.stop_all,
            "kubectl scale statefulset/pipeline --replicas=2": started_again,
        },
    )
    after = newest(cluster.settings)
    gone, merged = (after.pop(record_id) for record_id in left)
    assert (gone["status"], gone["replaced_by"]) == ("withdrawn", None)
    assert (merged["status"], after[merged["replaced_by"]]["status"]) == ("merged", "current")
    current = {key: one for key, one in before.items() if one["status"] == "current"}
    assert {key for key, one in after.items() if one["status"] == "current"} == current.keys()
    for key, record in current.items():
        assert after[key] == record
    assert take_snapshot(cluster.settings).problems == ()
