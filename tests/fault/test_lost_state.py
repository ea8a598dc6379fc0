"""A worker that cannot trust its state refuses to start; a rebuild brings everything back."""

import pytest

from streams.avro.codec import AvroRecord, Registry
from streams.avro.contracts import contract
from streams.commands.rebuild import rebuild
from streams.kafka.topic_reader import read_all
from streams.settings import Settings
from streams.topics import MARKET_INFRASTRUCTURE
from streams.topology import changelogs
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, Load
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


def test_lost_changelog_stops_the_worker_and_a_rebuild_restores_the_content(
    cluster: Cluster,
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
    cluster.wait_group_empty()
    generation = rebuild(cluster.settings)
    cluster.forget_state()
    cluster.pipeline(GENERATION=str(generation))
    cluster.wait_drained()
    cluster.stop_all()
    after = newest(cluster.settings)
    current = {key: one for key, one in before.items() if one["status"] == "current"}
    assert {key for key, one in after.items() if one["status"] == "current"} == current.keys()
    for key, record in current.items():
        assert after[key]["power_plant"] == record["power_plant"]
        assert after[key]["version"] > record["version"]
    assert take_snapshot(cluster.settings).problems == ()
