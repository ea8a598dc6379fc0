"""A worker is killed, stopped or joined at each step of acquiring and revoking a partition.

Assets of several units show whether a batch ran on a whole index: one that did not would publish an
asset without the units that were there before.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from confluent_kafka import ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from streams.avro.topic_codecs import topic_decoder, topic_encoder
from streams.core import contract_types as avro
from streams.kafka.topic_reader import read_all
from streams.local.stack import LocalStack
from streams.local.workers import LocalWorker
from streams.topics import MARKET_INFRASTRUCTURE, NORMALIZED_ASSETS, QUALITY_SCORES
from tests.core.reconcile.builders import gem
from tests.fault.cluster import Cluster, fresh_cluster

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(1800)]

PLANTS = 120
UNITS_BEFORE = 2
STAGES = "reconcile,count,score"

ACQUIRING = (
    "before_fence@reconcile:1",
    "after_fence@reconcile:1",
    "in_restore@infrastructure-pipeline-reconcile-changelog:1",
    "after_check@reconcile:1",
    f"in_index@reconcile:{PLANTS}",
    "after_index@reconcile:1",
    "in_index@score:1",
    "after_index@score:1",
)
REVOKING = ("before_revoke:2", "in_revoke@reconcile:1", "in_revoke@score:1", "after_revoke:2")
FEW = (ACQUIRING[3], ACQUIRING[4], ACQUIRING[6], REVOKING[1])
"""What is tried when not in full size."""


@dataclass(frozen=True, slots=True)
class Content:
    """What readers have in the end.

    Attributes:
        members: Record ids of each live asset.
        scores: Counts and score of each source, dimension and window.
        total: Total of the newest window by source.
    """

    members: dict[str, tuple[str, ...]]
    scores: dict[tuple[str, str, str], tuple[int, int, float]]
    total: dict[str, float]


def units(first_plant: int, plants: int, first_unit: int, count: int) -> list[avro.NormalizedAsset]:
    """Units of plants in one region, far enough apart."""
    return [
        gem(
            f"P{plant:03d}-{unit}",
            f"P{plant:03d}",
            f"Plant {plant:03d}",
            100.0 + unit,
            minute=unit,
            latitude=46.0 + (plant % 12) * 0.6,
            longitude=6.0 + (plant // 12) * 0.8,
        )
        for plant in range(first_plant, first_plant + plants)
        for unit in range(first_unit, first_unit + count)
    ]


def publish(cluster: Cluster, records: list[avro.NormalizedAsset]) -> None:
    encoder = topic_encoder(cluster.registry, NORMALIZED_ASSETS, avro.NormalizedAsset)
    producer = Producer({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    for record in records:
        producer.produce(NORMALIZED_ASSETS.name, encoder.encode(record), b"unit", record["region"])
    assert producer.flush(60) == 0


def content(cluster: Cluster) -> Content:
    bootstrap = cluster.settings.kafka_bootstrap
    newest: dict[str, avro.InfrastructureRecord] = {}
    decoder = topic_decoder(cluster.registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
    for record in read_all(bootstrap, MARKET_INFRASTRUCTURE.name):
        asset = decoder.decode(record.value)
        if asset["version"] >= newest.get(asset["record_id"], asset)["version"]:
            newest[asset["record_id"]] = asset
    scores: dict[tuple[str, str, str], avro.QualityScore] = {}
    score_decoder = topic_decoder(cluster.registry, QUALITY_SCORES, avro.QualityScore)
    for record in read_all(bootstrap, QUALITY_SCORES.name):
        score = score_decoder.decode(record.value)
        key = (score["source_id"], score["dimension"], score["window_start"].isoformat())
        if score["version"] >= scores.get(key, score)["version"]:
            scores[key] = score
    return Content(
        {
            identity: tuple(sorted(member["record_id"] for member in asset["members"]))
            for identity, asset in newest.items()
            if asset["status"] == "current"
        },
        {
            key: (one["record_count"], one["failed_count"], one["score"])
            for key, one in scores.items()
        },
        {
            source: one["score"]
            for (source, name, _), one in sorted(scores.items())
            if name == "total"
        },
    )


def exported(worker: LocalWorker) -> dict[str, float]:
    """Total by source, as a worker's metrics have it."""
    try:
        text = httpx.get(f"{worker.url}/metrics", timeout=30).text
    except httpx.TransportError:
        return {}
    return {
        sample.labels["source_id"]: sample.value
        for family in text_string_to_metric_families(text)
        if family.name == "connector_data_quality_score"
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def undisturbed(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The same records through one worker."""
    with fresh_cluster(stack, tmp_path_factory.mktemp("undisturbed_units")) as cluster:
        publish(cluster, units(0, PLANTS, 0, UNITS_BEFORE + 1))
        cluster.pipeline(STAGES=STAGES)
        cluster.wait_drained()
        cluster.stop_all()
        found = content(cluster)
    assert len(found.members) == PLANTS
    assert {len(members) for members in found.members.values()} == {UNITS_BEFORE + 1}
    return found


@pytest.fixture
def loaded(stack: LocalStack, tmp_path: Path) -> Iterator[Cluster]:
    """A deployment that has all but the last unit of every plant, and no worker."""
    with fresh_cluster(stack, tmp_path) as cluster:
        publish(cluster, units(0, PLANTS, 0, UNITS_BEFORE))
        cluster.pipeline(STAGES=STAGES)
        cluster.wait_drained()
        cluster.stop_all()
        yield cluster


def chosen_steps(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return ACQUIRING + REVOKING if request.config.getoption("--soak") else FEW


def parts(steps: tuple[str, ...]) -> Iterator[tuple[str, list[avro.NormalizedAsset]]]:
    """Each step with the last units of some of the plants, which are read around it."""
    size = -(-PLANTS // len(steps))
    for number, step in enumerate(steps):
        first = number * size
        yield step, units(first, min(size, PLANTS - first), UNITS_BEFORE, 1)


def start(cluster: Cluster, step: str, action: str) -> LocalWorker:
    """A worker that comes to a step; to one of revoking only when another worker joins."""
    worker = cluster.pipeline("a", STAGES=STAGES, FAILPOINT=f"{step}:{action}")
    if step in REVOKING:
        cluster.wait_for(lambda: cluster.assigned(worker) > 0)
        cluster.pipeline("b", STAGES=STAGES)
    return worker


def join(cluster: Cluster, step: str) -> None:
    if step in ACQUIRING:
        cluster.pipeline("b", STAGES=STAGES)


def is_rebalancing(cluster: Cluster) -> bool:
    admin = AdminClient({"bootstrap.servers": cluster.settings.kafka_bootstrap})
    group = cluster.settings.app_id
    described = admin.describe_consumer_groups([group])[group].result()
    return bool(described.state == ConsumerGroupState.PREPARING_REBALANCING)


def finish(cluster: Cluster, expected: Content) -> None:
    """Nothing is missing, and a worker that starts now exports the score of everything."""
    last = cluster.pipeline("c", STAGES=STAGES)
    cluster.wait_drained()
    cluster.wait_for(lambda: exported(last) == expected.total)
    cluster.stop_all()
    found = content(cluster)
    assert found.members == expected.members
    assert found.scores == expected.scores


def test_another_worker_joins_at_each_step(
    loaded: Cluster, undisturbed: Content, request: pytest.FixtureRequest
) -> None:
    hold = loaded.home / "hold"
    for step, records in parts(chosen_steps(request)):
        publish(loaded, records)
        start(loaded, step, f"hold={hold}")
        loaded.wait_for(hold.exists)
        join(loaded, step)
        loaded.wait_for(lambda: is_rebalancing(loaded))
        hold.unlink()
        loaded.wait_drained()
        loaded.stop_all()
    finish(loaded, undisturbed)


def test_killed_at_each_step(
    loaded: Cluster, undisturbed: Content, request: pytest.FixtureRequest
) -> None:
    for step, records in parts(chosen_steps(request)):
        publish(loaded, records)
        worker = start(loaded, step, "kill")
        loaded.wait_ended(worker)
        join(loaded, step)
        loaded.wait_drained()
        loaded.stop_all()
    finish(loaded, undisturbed)


def test_stopped_at_each_step_until_another_worker_has_everything(
    loaded: Cluster, undisturbed: Content, request: pytest.FixtureRequest
) -> None:
    for step, records in parts(chosen_steps(request)):
        publish(loaded, records)
        worker = start(loaded, step, "stop")
        pid = worker.process.pid
        assert pid is not None
        loaded.wait_for(partial(is_stopped, pid))
        join(loaded, step)
        loaded.wait_drained()
        os.kill(pid, signal.SIGCONT)
        # Awake again it may fence the other, and finds itself fenced: a fresh one goes on.
        loaded.pipeline("c", STAGES=STAGES)
        publish(loaded, records)  # the same content again
        loaded.wait_drained()
        loaded.stop_all()
    finish(loaded, undisturbed)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
