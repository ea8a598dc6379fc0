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
import psutil
import pytest
from confluent_kafka import ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from streams.avro.topic_codecs import topic_encoder
from streams.core import contract_types as avro
from streams.local.stack import LocalStack
from streams.local.workers import LocalWorker
from streams.topics import NORMALIZED_ASSETS
from streams.worker_pages import pages
from tests.core.reconcile.builders import gem
from tests.fault.cluster import Cluster, fresh_cluster
from tests.fault.snapshot import newest_records, newest_scores

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.soak,
    pytest.mark.timeout(1800),
]

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
REVOKING = ("before_revoke:1", "in_revoke@reconcile:1", "in_revoke@score:1", "after_revoke:1")
FEW = {
    "join": (ACQUIRING[4], REVOKING[1]),
}
"""Steps of each action that are tried when not in full size."""


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
    scores = newest_scores(bootstrap, cluster.registry)
    return Content(
        {
            identity: tuple(sorted(member["record_id"] for member in asset["members"]))
            for identity, asset in newest_records(bootstrap, cluster.registry).items()
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
        text = pages().get(f"{worker.url}/metrics", timeout=30).text
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


def chosen(request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    """Actions and the steps they happen at."""
    full = dict.fromkeys(ACTIONS, ACQUIRING + REVOKING)
    steps = full if request.config.getoption("--soak") else FEW
    return [(action, step) for action, at in steps.items() for step in at]


def start(cluster: Cluster, step: str, action: str) -> LocalWorker:
    """A worker that comes to a step; to one of revoking only when another worker joins."""
    if step.startswith("in_restore"):
        cluster.forget_state("a")  # what it has kept may be all there is
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


def is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def join_at(cluster: Cluster, step: str, records: list[avro.NormalizedAsset]) -> None:
    """Another worker joins while the first one is at a step."""
    hold = cluster.home / "hold"
    publish(cluster, records)
    start(cluster, step, f"hold={hold}")
    cluster.wait_for(hold.exists)
    join(cluster, step)
    cluster.wait_for(lambda: is_rebalancing(cluster))
    hold.unlink()


def kill_at(cluster: Cluster, step: str, records: list[avro.NormalizedAsset]) -> None:
    """A worker is killed at a step."""
    publish(cluster, records)
    worker = start(cluster, step, "kill")
    cluster.wait_ended(worker)
    join(cluster, step)


def stop_at(cluster: Cluster, step: str, records: list[avro.NormalizedAsset]) -> None:
    """A worker is stopped at a step until another one has everything."""
    publish(cluster, records)
    worker = start(cluster, step, "stop")
    pid = worker.process.pid
    assert pid is not None
    cluster.wait_for(partial(is_stopped, pid))
    join(cluster, step)
    cluster.wait_drained()
    os.kill(pid, signal.SIGCONT)
    # Awake again it may fence the other, and finds itself fenced: a fresh one goes on.
    cluster.pipeline("c", STAGES=STAGES)
    publish(cluster, records)  # the same content again


ACTIONS = {"join": join_at, "kill": kill_at, "stop": stop_at}


def test_nothing_is_missing_whatever_happens_at_each_step(
    loaded: Cluster, undisturbed: Content, request: pytest.FixtureRequest
) -> None:
    pairs = chosen(request)
    for number, (action, step) in enumerate(pairs):
        first, end = (PLANTS * each // len(pairs) for each in (number, number + 1))
        ACTIONS[action](loaded, step, units(first, end - first, UNITS_BEFORE, 1))
        loaded.wait_drained()
        loaded.stop_all()
    # A worker that starts now exports the score of everything.
    last = loaded.pipeline("d", STAGES=STAGES)
    loaded.wait_for(lambda: exported(last) == undisturbed.total)
    loaded.stop_all()
    found = content(loaded)
    assert found.members == undisturbed.members
    assert found.scores == undisturbed.scores
