"""The scoring script that belongs to the published pairs, and confidence intervals of its figures.

The script's rule: a predicted pair is judged when one side occurs in a published pair. The interval
comes from a bootstrap over components, since the pairs of one site are right or wrong together.
"""

import importlib.util
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

Record: TypeAlias = tuple[str, str]
"""Source and id, as published pairs name them."""

RecordPair: TypeAlias = tuple[Record, Record]

_RESAMPLES = 1_000
_SEED = 20_260_101
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Counts:
    """Pairs of one component, or of several."""

    truth: int = 0
    judged: int = 0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the bounds between which 95 of 100 resamples lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def load_scoring(path: Path) -> ModuleType:
    """The scoring script as a module."""
    spec = importlib.util.spec_from_file_location("score_reconciliation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def intervals(counts: Sequence[Counts]) -> dict[str, Interval]:
    """Precision, recall and F1 of components, the same in every run."""
    source = random.Random(_SEED)
    resamples = [_figures(source.choices(counts, k=len(counts))) for _ in range(_RESAMPLES)]
    cut = round(_RESAMPLES * _TAIL)
    found = {}
    for name, value in _figures(counts).items():
        values = sorted(resample[name] for resample in resamples)
        found[name] = Interval(value, values[cut], values[-cut - 1])
    return found


def components(clusters: Any, truth: Any, *, hard: bool = False) -> list[Counts]:
    """Counts of each component of the published and the judged pairs of two sources.

    Args:
        clusters: `Clusters` of the script.
        truth: `Truth` of the script for these sources.
        hard: Only pairs of which the positions were not copied.
    """
    target: set[RecordPair] = truth.hard if hard else truth.ok
    judged = set(_judged(clusters, target)) - truth.disputed - (truth.ok - target)
    hits = judged & target
    member_of = _component_of(judged | target)
    found: defaultdict[Record, list[int]] = defaultdict(lambda: [0, 0, 0])
    for index, pairs in enumerate((target, judged, hits)):
        for pair in pairs:
            found[member_of[pair[0]]][index] += 1
    return [Counts(*found[key]) for key in sorted(found)]


def _judged(clusters: Any, target: Iterable[RecordPair]) -> Iterator[RecordPair]:
    """Predicted pairs of which one side occurs in the target."""
    for left, right in target:
        yield from ((left, other) for other in clusters.partners(left, right[0]))
        yield from ((other, right) for other in clusters.partners(right, left[0]))


def _component_of(pairs: Iterable[RecordPair]) -> Mapping[Record, Record]:
    """The first record of the component of each record."""
    groups: dict[Record, set[Record]] = {}
    for one, other in pairs:
        joined = groups.get(one, {one}) | groups.get(other, {other})
        groups.update(dict.fromkeys(joined, joined))
    first = {id(group): min(group) for group in groups.values()}
    return {record: first[id(group)] for record, group in groups.items()}


def _figures(counts: Iterable[Counts]) -> dict[str, float]:
    truth = judged = hits = 0
    for one in counts:
        truth, judged, hits = truth + one.truth, judged + one.judged, hits + one.hits
    return {
        "precision": hits / judged if judged else 0.0,
        "recall": hits / truth if truth else 0.0,
        "F1": 2 * hits / (judged + truth) if judged + truth else 0.0,
    }
