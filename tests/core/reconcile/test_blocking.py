"""Blocking keeps the pairs that publishers name: what it drops can never be found again."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from streams.core import contract_types as avro
from streams.core.reconcile.block import comparable_by_name, own_keys, reached_keys
from streams.core.reconcile.prepare import Entity, prepare
from tests.core.reconcile.real_records import (
    gem_records,
    gppd_records,
    jrc_hydro_records,
    jrc_records,
)

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

KEPT_SHARE = 0.995


def meet(one: Entity, other: Entity) -> bool:
    """Whether an entity is a candidate of another, as the index looks it up."""
    both_placed = bool(one.positions) and bool(other.positions)
    return any(
        not (both_placed and comparable_by_name(key)) for key in reached_keys(one) & own_keys(other)
    )


def test_published_pairs_are_candidates(real_data: Path, figures: list[str]) -> None:
    folder = real_data / "reconcile"
    with (folder / "truth_pairs_dev.csv").open(encoding="utf-8", newline="") as file:
        pairs = [
            ((row["left_source"], row["left_id"]), (row["right_source"], row["right_id"]))
            for row in csv.DictReader(file)
            if row["quality"] == "ok"
        ]
    wanted = {record for pair in pairs for record in pair}
    sources = {
        "GPPD": gppd_records(folder),
        "GEM": gem_records(folder),
        "JRC": jrc_records(folder),
        "JRCHYDRO": jrc_hydro_records(folder),
    }
    records: dict[tuple[str, str], dict[str, list[avro.NormalizedAsset]]] = {}
    for source, found in sources.items():
        for record in found:
            published = (source, record["entity_id"].split("/")[0])
            if published in wanted:
                of_site = records.setdefault(published, defaultdict(list))
                of_site[record["entity_id"]].append(record)
    # A site may be an entity of several trackers.
    entities = {key: [prepare(record) for record in each.values()] for key, each in records.items()}
    kept = sum(
        any(meet(one, other) for one in entities[left] for other in entities[right])
        for left, right in pairs
    )
    figures.append(f"pairs kept by blocking: {kept} of {len(pairs)} ({kept / len(pairs):.4f})")
    assert len(pairs) > 2_000
    assert kept / len(pairs) >= KEPT_SHARE
