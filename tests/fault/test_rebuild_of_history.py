"""What has grown record by record equals what a rebuild makes of the same raw records.

All real records of every source, with what happens to them in years: revised, said again, rejected,
dropped and listed again, merged and parted by hand, dead letters redriven.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from producers.connectors import CONNECTORS
from streams.commands.dead_letters import find_dead_letters, redrive
from streams.commands.decide import Verdict, decide, entity_key
from streams.commands.next_generation import drop
from streams.commands.rebuild import compare
from streams.core import contract_types as avro
from streams.core.dead_letters import Choice, Policy
from streams.core.regions import region_of
from streams.local.stack import LocalStack
from streams.topics import MARKET_INFRASTRUCTURE, of_next_generation
from tests.fault.cluster import Cluster, fresh_cluster
from tests.fault.real_load import Keyed, RealLoad, publish
from tests.fault.snapshot import newest_records
from tests.fault.test_chaos import polled

pytestmark = [
    pytest.mark.integration,
    pytest.mark.fault,
    pytest.mark.real_data,
    pytest.mark.soak,
    pytest.mark.timeout(3_600),
]

KIND = "power_plant"
PLANTS = "wri_powerplants"
ROUNDS = 2
DECISIONS = 3
"""Pairs that are joined by hand, and as many that are parted."""

_OF_THE_WAY = ("version", "known_at")
"""How often a record was published, and what came and went meanwhile, depend on the way."""


@pytest.fixture
def deployment(stack: LocalStack, tmp_path: Path) -> Iterator[Cluster]:
    with fresh_cluster(stack, tmp_path) as cluster:
        cluster.connectors = tuple(CONNECTORS)
        yield cluster


def current(cluster: Cluster, topic: str = MARKET_INFRASTRUCTURE.name) -> dict[str, object]:
    """Every current record as readers have it, by id."""
    newest = newest_records(cluster.settings.kafka_bootstrap, cluster.registry, topic)
    return {
        record_id: {name: value for name, value in record.items() if name not in _OF_THE_WAY}
        for record_id, record in newest.items()
        if record["status"] == "current"
    }


def plants_of(cluster: Cluster, members: int) -> list[avro.InfrastructureRecord]:
    """Plants that so many sources know, each by one entity."""
    newest = newest_records(cluster.settings.kafka_bootstrap, cluster.registry)
    found = (one for one in newest.values() if (one["kind"], one["status"]) == (KIND, "current"))
    chosen = [
        plant
        for plant in found
        if len(entities(plant)) == members
        and len({member["source_id"] for member in plant["members"]}) == members
    ]
    return sorted(chosen, key=lambda plant: plant["record_id"])


def entities(plant: avro.InfrastructureRecord) -> list[str]:
    names = (f"{one['source_id']}:{one.get('entity_id')}" for one in plant["members"])
    return sorted(set(names))


def decide_by_hand(cluster: Cluster, verdict: Verdict, one: str, other: str) -> None:
    keys = entity_key(KIND, one), entity_key(KIND, other)
    decide(cluster.settings, *keys, verdict, "Looked at.")


def join_and_part(cluster: Cluster) -> None:
    """Join plants of one country and region that nobody takes for one, part some that are."""
    for plant in plants_of(cluster, 2)[:DECISIONS]:
        decide_by_hand(cluster, "cannot-link", *entities(plant))
    alone: dict[tuple[str | None, int], list[str]] = {}
    for plant in plants_of(cluster, 1):
        payload = plant["power_plant"]
        assert payload is not None
        (entity,) = entities(plant)
        country = payload["country_code"]
        region = region_of(payload["latitude"], payload["longitude"], country)
        alone.setdefault((country, region), []).append(entity)
    pairs = [names[:2] for names in alone.values() if len(names) > 1]
    for one, other in pairs[:DECISIONS]:
        decide_by_hand(cluster, "must-link", one, other)


def without_names(load: RealLoad) -> dict[str, list[Keyed]]:
    """Some plants as their source says them, but for the name: they are rejected."""
    found = []
    for keyed in list(load.listed[PLANTS].values())[:DECISIONS]:
        assert keyed.record.item is not None
        item = {**keyed.record.item, "name": ""}
        record = replace(keyed.record, fetched_at=load.now, event="observed", item=item)
        found.append(Keyed(keyed.key, record))
    return {PLANTS: found}


def redrive_all(cluster: Cluster) -> int:
    chosen = find_dead_letters(cluster.settings, Choice())
    report = redrive(
        cluster.settings,
        chosen,
        policy=Policy.REINSERT,
        limit=len(chosen),
        dry_run=False,
        console=Console(quiet=True),
    )
    return report.sent


def test_what_has_grown_equals_what_a_rebuild_makes(deployment: Cluster, real_data: Path) -> None:
    random = Random(1)
    load = polled(deployment, real_data)
    deployment.pipeline()
    deployment.wait_drained()
    for number in range(ROUNDS):
        polls = load.next_round(random)
        deployment.expect(publish(deployment.settings.kafka_bootstrap, deployment.registry, polls))
        if number == 0:
            join_and_part(deployment)
            nameless = without_names(load)
            deployment.expect(
                publish(deployment.settings.kafka_bootstrap, deployment.registry, nameless)
            )
        deployment.wait_drained()
    assert redrive_all(deployment) > 0
    deployment.wait_drained()

    versions = newest_records(deployment.settings.kafka_bootstrap, deployment.registry).values()
    happened = Counter(record["status"] for record in versions)
    assert min(happened[status] for status in ("current", "withdrawn", "merged")) > 0, happened
    assert len(plants_of(deployment, 2)) > 0
    compared = compare(deployment.settings, Console(quiet=True))
    assert (compared.differences.count, compared.unread) == (0, 0), compared.differences
    grown = current(deployment)
    rebuilt = current(deployment, of_next_generation(MARKET_INFRASTRUCTURE).name)
    assert grown == rebuilt
    drop(deployment.settings)
