"""A registry that has lost a schema, and a ClickHouse that has lost everything."""

import shutil

import httpx
import pytest

from streams.avro.contracts import canonical_json, contract
from streams.core.registry_identity import UsedSchema
from streams.kafka.topic_admin import committed_offsets
from streams.kafka.used_schemas import record_schemas
from streams.local.workers import LocalWorker
from streams.topics import QUALITY_SCORES, SCHEMA_IDS
from streams.worker_pages import pages
from tests.fault.cluster import Cluster
from tests.fault.load import RAW, plant_record
from tests.fault.runbook import Runbook
from tests.fault.test_poison_and_dead_letters import (
    command,
    plant_ids,
    problems,
    publish,
    registered_later,
)

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]


def page(worker: LocalWorker, name: str) -> dict[str, dict[str, str]]:
    """A page of a worker; nothing while it does not answer."""
    try:
        found: dict[str, dict[str, str]] = pages().get(f"{worker.url}/{name}", timeout=10).json()
    except httpx.TransportError:
        return {}
    return found


def waiting(worker: LocalWorker) -> dict[str, str]:
    return page(worker, "ready").get("waiting", {})


def test_a_lost_schema_is_waited_for_and_a_lost_clickhouse_is_loaded_again(
    cluster: Cluster, runbook: Runbook
) -> None:
    later, encoder = registered_later(cluster, RAW.contract_name)
    used = UsedSchema(encoder.schema_id, "later-value", canonical_json(later.latest))
    ids = cluster.registry.encoder(SCHEMA_IDS.subject(), contract(SCHEMA_IDS.contract_name))
    value = encoder.encode(plant_record("LATER").to_avro())
    pipeline, sink = cluster.pipeline(), cluster.sink()
    cluster.wait_for(lambda: bool(cluster.assigned(pipeline) and cluster.assigned(sink)))
    # The deployment has used the id, but the registry does not know it.
    record_schemas(cluster.settings.kafka_bootstrap, ids, (), [used])
    publish(cluster, RAW.name, [value], 1)
    publish(cluster, QUALITY_SCORES.name, [value], 0)
    for worker, place in ((pipeline, f"{RAW.name}/1"), (sink, f"{QUALITY_SCORES.name}/0")):
        cluster.wait_for(lambda worker=worker: bool(waiting(worker)))  # type: ignore[misc]
        assert f"does not know schema {encoder.schema_id}" in waiting(worker)[place]
        assert 'partition_waiting{for="registry"' in pages().get(f"{worker.url}/metrics").text
    bootstrap, groups = cluster.settings.kafka_bootstrap, cluster.settings
    assert (RAW.name, 1) not in committed_offsets(bootstrap, groups.app_id, [RAW.name])
    read = committed_offsets(bootstrap, groups.sink_app_id, [QUALITY_SCORES.name])
    assert (QUALITY_SCORES.name, 0) not in read

    assert cluster.registry.register("later-value", later) == encoder.schema_id
    cluster.wait_drained(sink=True)
    assert (waiting(pipeline), waiting(sink)) == ({}, {})
    assert plant_ids(cluster) == {"LATER"}
    # Among the scores it is foreign, whatever the registry says.
    environment = {"DATA_DIR": str(cluster.home), "SINK_PORT": sink.url.rpartition(":")[2]}
    listed = command(cluster, "dlq", **environment)
    assert "incompatible_schema" in listed.stdout
    again = command(cluster, "dlq-redrive", **environment)
    assert "1 records are refused again: incompatible_schema." in again.stdout
    metrics = pages().get(f"{sink.url}/metrics").text
    assert 'sink_rejects_total{rule_id="incompatible_schema",topic="quality.scores"} 1.0' in metrics

    before = page(sink, "rows")
    refused = command(cluster, "sink-reload")
    assert "are running: stop them" in refused.stdout
    lost, started = sink, []

    def stopped_and_lost() -> None:
        lost.process.stop(15)
        shutil.rmtree(cluster.clickhouse_dir)

    def started_again() -> None:
        sink = cluster.sink(PAUSE_REJECTED_CONSECUTIVE="20")
        started.append(sink)
        runbook.set(SINK_PORT=sink.url.rpartition(":")[2])
        cluster.wait_for(lambda: page(sink, "rows") == before)

    runbook.follow(
        "ClickHouse lost",
        {
            "kubectl scale deployment/sink --replicas=0": stopped_and_lost,
            "kubectl scale deployment/sink --replicas=2": started_again,
        },
    )
    (sink,) = started
    assert before["current"] == {**before["current"], "power_plant": 1}

    publish(cluster, QUALITY_SCORES.name, [b"junk"] * 30, 0)
    cluster.wait_for(lambda: bool(page(sink, "ready").get("paused")))
    reason = page(sink, "ready")["paused"][f"{QUALITY_SCORES.name}/0"]
    assert f"make resume SOURCE={QUALITY_SCORES.name}" in reason
    resumed = command(cluster, "resume", QUALITY_SCORES.name)
    assert f"{QUALITY_SCORES.name}/0 resumed up to offset" in resumed.stdout
    cluster.wait_drained(sink=True)
    assert page(sink, "ready")["paused"] == {}
    assert page(sink, "rows") == {**before, "rejects": 31}
    assert problems(cluster) == ()
