"""Reconciliation of the development data: scores, and the same result in any order.

By default a few countries and all terminals; `--soak` takes everything and 20 orders.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from streams.commands.members import member_rows
from streams.core import contract_types as avro
from streams.core.payload_field import asset_payload, set_payload
from tests.core.reconcile.builders import withdrawal
from tests.core.reconcile.real_records import real_records
from tests.core.reconcile.regions import Regions, decision
from tests.score.scoring import load_scoring

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(3600)]

SMALL_COUNTRIES = frozenset({"BE", "NL", "HR", "JM"})


@pytest.fixture(scope="module")
def soak(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="module")
def records(real_data: Path, soak: bool) -> list[avro.NormalizedAsset]:
    found = list(real_records(real_data / "reconcile"))
    if soak:
        return found
    return [
        record
        for record in found
        if record["kind"] == "lng_terminal"
        or asset_payload(record)["country_code"] in SMALL_COUNTRIES
    ]


@pytest.fixture(scope="module")
def scoring_module(scoring: Path) -> ModuleType:
    """The scoring script that belongs to the data."""
    return load_scoring(scoring)


@pytest.fixture(scope="module")
def scores(
    records: list[avro.NormalizedAsset],
    scoring_module: ModuleType,
    real_data: Path,
    tmp_path_factory: Any,
) -> dict[str, Any]:
    regions = Regions().apply_all(records)
    path = tmp_path_factory.mktemp("members") / "members.csv"
    rows = [
        ",".join(row)
        for canonical in regions.current.values()
        if canonical["status"] == "current"
        for row in member_rows(cast(avro.InfrastructureRecord, canonical))
    ]
    path.write_text("asset_id,source,source_id\n" + "\n".join(rows) + "\n", encoding="utf-8")
    folder = real_data / "reconcile"
    found: dict[str, Any] = scoring_module.score(
        scoring_module.Clusters.read(path),
        scoring_module.read_truth(folder / "truth_pairs_dev.csv"),
        scoring_module.read_lng(folder / "truth_lng_dev.csv"),
    )
    return found


def test_terminals_meet_their_facts_and_a_virtual_tank_stays_alone(scores: dict[str, Any]) -> None:
    lng = scores["lng"]
    assert lng["wrong"] == 0
    assert lng["missed"] <= 1
    assert lng["alone"] == lng["must_stay_alone"]


def test_plants_meet_as_their_publishers_say(scores: dict[str, Any], soak: bool) -> None:
    if not soak:
        labelled = scores["clusters"]
        assert labelled["purity"] >= 0.99
        return
    pairs = scores["pairs"]
    assert pairs["GEM-GPPD"]["precision"] >= 0.963
    assert pairs["GEM-GPPD"]["recall"] >= 0.955
    assert pairs["GEM-GPPD"]["F1"] >= 0.96
    assert pairs["GEM-GPPD"]["hard"]["F1"] >= 0.885
    assert pairs["GPPD-JRC"]["F1"] >= 0.895
    assert pairs["GEM-JRC"]["F1"] >= 0.92
    assert scores["clusters"]["purity"] >= 0.998


def test_the_result_does_not_depend_on_the_order(
    records: list[avro.NormalizedAsset], soak: bool
) -> None:
    """With repeats, late updates, withdrawals and decisions among the records."""
    source = random.Random(6)
    events = [*records, *_disturbances(records, source)]
    expected = Regions().apply_all(events).members()
    for _ in range(20 if soak else 2):
        shuffled = [*events, *source.sample(events, len(events) // 10)]
        source.shuffle(shuffled)
        assert Regions().apply_all(shuffled).members() == expected


def _disturbances(
    records: Sequence[avro.NormalizedAsset], source: random.Random
) -> list[avro.NormalizedAsset]:
    chosen = source.sample(list(records), max(len(records) // 20, 6))
    third = len(chosen) // 3
    gone = [withdrawal(record, 400_000) for record in chosen[:third]]
    late = [_renamed(record) for record in chosen[third : 2 * third]]
    plants = [record for record in records if record["kind"] == "power_plant"]
    decisions = []
    for number in range(10):
        one = source.choice(plants)
        near = [plant for plant in plants if plant["region"] == one["region"]]
        other = source.choice(near)
        if one["entity_id"] != other["entity_id"]:
            verdict = source.choice(("must-link", "cannot-link"))
            decisions.append(decision(verdict, one, other, number))
    return [*gone, *late, *decisions]


def _renamed(record: avro.NormalizedAsset) -> avro.NormalizedAsset:
    """An older state of a record under another name."""
    newer = withdrawal(record, -1)
    renamed: avro.NormalizedAsset = {
        **record,
        "order": newer["order"],
        "lineage": newer["lineage"],
    }
    payload = asset_payload(record)
    set_payload(renamed, record["kind"], {**payload, "name": f"Former {payload['name']}"})
    return renamed
