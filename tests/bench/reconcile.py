"""Cost of reconciling one more record while everything is in state, on one core."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from streams.core import contract_types as avro
from streams.core.reconcile.graph import Graph
from streams.core.reconcile.prepare import EntityKey, prepare
from streams.core.reconcile.score import KINDS
from tests.core.reconcile.real_records import gem_records, gppd_records
from tests.core.reconcile.regions import Regions

_IN_STATE = 52_000
_ARRIVING = 3_000


@dataclass(frozen=True, slots=True)
class ReconcileCost:
    """Milliseconds for one arriving record.

    Attributes:
        resolve_median, resolve_p99: Preparing, scoring and resolving.
        whole_median, whole_p99: The same with survivorship and the published record.
        in_state: Records stored meanwhile.
    """

    resolve_median: float
    resolve_p99: float
    whole_median: float
    whole_p99: float
    in_state: int


def reconcile_cost(folder: Path) -> ReconcileCost:
    """Measure with the records of two real sources."""
    records = [*gppd_records(folder), *gem_records(folder)]
    random.Random(1).shuffle(records)
    stored, arriving = records[:_IN_STATE], records[_IN_STATE : _IN_STATE + _ARRIVING]
    regions = Regions().apply_all(stored)
    whole = [_milliseconds(lambda event=event: regions.apply(event)) for event in _newer(arriving)]
    entities: dict[EntityKey, list[avro.NormalizedAsset]] = {}
    for record in stored:
        key = (record["kind"], record["source_id"], record["entity_id"])
        entities.setdefault(key, []).append(record)
    graph = Graph()
    for key, members in entities.items():
        if key[0] in KINDS:
            graph.put(prepare(members))
    graph.regroup(entities)
    chosen = random.Random(2).sample(sorted(entities), _ARRIVING)
    resolve = [_milliseconds(lambda key=key: _resolve(graph, entities[key])) for key in chosen]
    return ReconcileCost(median(resolve), _p99(resolve), median(whole), _p99(whole), len(stored))


def _resolve(graph: Graph, members: list[avro.NormalizedAsset]) -> None:
    entity = prepare(members)
    before = graph.component(entity.key)
    graph.put(entity)
    graph.regroup(before | graph.component(entity.key))


def _newer(records: Iterable[avro.NormalizedAsset]) -> list[avro.NormalizedAsset]:
    later = timedelta(days=1)
    return [
        {
            **record,
            "order": {**record["order"], "fetched_at": record["order"]["fetched_at"] + later},
        }
        for record in records
    ]


def _milliseconds(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
