"""`make score`: how well plants and terminals are matched, on the complete file of each source.

It writes `figures.txt`, which `make pages` brings to the page of reconciliation.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from streams.commands.members import COLUMNS, member_rows
from streams.core import contract_types as avro
from streams.core.reconcile.assign import anchor
from streams.core.reconcile.block import comparable_by_name, own_keys, reached_keys
from streams.core.reconcile.graph import Graph, Group, Undecided
from streams.core.reconcile.ids import id_of
from streams.core.reconcile.prepare import Entity, EntityKey, prepare
from streams.core.reconcile.score import KINDS
from streams.core.regions import REGION_NAMES
from tests.real_files import how_to_get, real_data_dir, scoring_script
from tests.score.complete_records import complete_records
from tests.score.scoring import Record, RecordPair, components, intervals, load_scoring


def main() -> int:
    """Print and keep the figures; exit code 1 when a file is missing."""
    folder, script = real_data_dir(), scoring_script()
    for needed in (folder / "reconcile", folder / "gem", script):
        if not needed.exists():
            sys.stdout.write(f"{how_to_get(needed)}\n")
            return 1
    scoring = load_scoring(script)
    records = list(complete_records(folder))
    started = time.process_time()
    result = matched(records)
    milliseconds = (time.process_time() - started) * 1000 / len(records)
    clusters = clusters_of(result.groups, scoring)
    truth = scoring.read_truth(folder / "reconcile/truth_pairs_dev.csv")
    lng = scoring.read_lng(folder / "reconcile/truth_lng_dev.csv")
    lines = [*report(scoring, clusters, truth, lng, result.entities), *counts(records, result)]
    text = "".join(f"{line}\n" for line in lines)
    FIGURES.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{text}{milliseconds:.2f} ms of one core for each record\n")
    return 0


FIGURES = Path(__file__).with_name("figures.txt")


@dataclass(frozen=True, slots=True)
class Matched:
    """Entities of every region, their groups by region, and the pairs that scores cannot tell."""

    entities: Sequence[Entity]
    groups: Collection[tuple[int, Group]]
    undecided: Collection[Undecided]


def matched(records: Iterable[avro.NormalizedAsset]) -> Matched:
    """Match the entities of every region, without what is published of them."""
    by_entity: defaultdict[tuple[int, EntityKey], list[avro.NormalizedAsset]] = defaultdict(list)
    for record in records:
        if record["kind"] in KINDS:
            key = (record["kind"], record["source_id"], record["entity_id"])
            by_entity[record["region"], key].append(record)
    graphs = [Graph() for _ in REGION_NAMES]
    entities = []
    for (region, _), members in by_entity.items():
        entities.append(prepare(sorted(members, key=lambda record: record["record_id"])))
        graphs[region].put(entities[-1])
    groups: set[tuple[int, Group]] = set()
    undecided: list[Undecided] = []
    for region, graph in enumerate(graphs):
        keys = [key for other, key in by_entity if other == region]
        groups |= {(region, group) for group in graph.regroup(keys)}
        undecided += graph.undecided(keys).values()
    return Matched(entities, groups, undecided)


def counts(records: Sequence[avro.NormalizedAsset], result: Matched) -> Iterator[str]:
    """Lines that say how much was matched."""
    regions: defaultdict[EntityKey, set[int]] = defaultdict(set)
    for record in records:
        key = (record["kind"], record["source_id"], record["entity_id"])
        regions[key].add(record["region"])
    several = sum(len(found) > 1 for found in regions.values())
    joined = sum(one.one_anchor == one.other_anchor for one in result.undecided)
    merged = sum(len(group) > 1 for _, group in result.groups)
    yield ""
    yield (
        f"{len(records):,} records of {len(regions):,} entities, {several} of them in two regions, "
        f"make {len(result.groups):,} assets, {merged:,} of several entities. "
        f"{len(result.undecided)} pairs are undecided, {joined} of them joined for now."
    )


def clusters_of(groups: Iterable[tuple[int, Group]], scoring: ModuleType) -> Any:
    """Groups as the `Clusters` of the scoring script."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "members.csv"
        rows = [COLUMNS, *(row for group in groups for row in member_rows(_asset(*group)))]
        path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
        return scoring.Clusters.read(path)


def _asset(region: int, group: Collection[EntityKey]) -> avro.InfrastructureRecord:
    """As much of the group's canonical record as its member rows need."""
    first = anchor(group)
    members = [
        {"source_id": source_id, "record_id": entity_id, "entity_id": entity_id}
        for _, source_id, entity_id in sorted(group)
    ]
    found = {"record_id": id_of(first, region), "kind": first[0], "members": members}
    return cast(avro.InfrastructureRecord, found)


def report(
    scoring: ModuleType, clusters: Any, truth: Any, lng: Any, entities: Sequence[Entity]
) -> Iterator[str]:
    """Lines of a Markdown table, and what belongs to it."""
    yield "| pair | precision | recall | F1 | F1 where positions differ | pairs kept by blocking |"
    yield "|---|---|---|---|---|---|"
    for sources, pairs in truth.items():
        if not all(any(source == one[0] for one in clusters.assets) for source in sources):
            continue
        whole = intervals(components(clusters, pairs))
        hard = intervals(components(clusters, pairs, hard=True))
        kept = kept_by_blocking(pairs.ok, entities)
        yield (
            f"| {'-'.join(sources)} | {whole['precision']} | {whole['recall']} | {whole['F1']} "
            f"| {hard['F1']} | {kept:.3f} |"
        )
    found = scoring.score(clusters, truth, lng)
    figures, terminals = found["clusters"], found["lng"]
    yield ""
    yield (
        f"Purity {figures['purity']:.4f}, B-cubed F1 {figures['F1']:.4f}. Of "
        f"{terminals['terminals']} terminals {terminals['right']} right, "
        f"{terminals['missed']} missed, {terminals['wrong']} wrong."
    )


def kept_by_blocking(pairs: Iterable[RecordPair], entities: Iterable[Entity]) -> float:
    """Share of published pairs that meet in a block at all."""
    of_record: defaultdict[Record, list[Entity]] = defaultdict(list)
    for entity in entities:
        for _, source, source_id in member_rows(_asset(_ANY_REGION, [entity.key])):
            of_record[source, source_id].append(entity)
    met = [
        any(_meet(mine, theirs) for mine in of_record[one] for theirs in of_record[other])
        for one, other in pairs
    ]
    return sum(met) / len(met)


_ANY_REGION = 0
"""Region of an id that is not looked at."""


def _meet(one: Entity, other: Entity) -> bool:
    placed = bool(one.positions and other.positions)
    common = own_keys(one) & reached_keys(other)
    return any(not (placed and comparable_by_name(key)) for key in common)


if __name__ == "__main__":
    sys.exit(main())
