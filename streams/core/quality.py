"""Quality of a source in a window: which dimensions a record fails, and what that makes of 100.

A raw record counts once, in the UTC day of its record time. It fails a dimension when a rule of
that dimension rejects or flags it; a score is the share of records that do not fail, and the total
the weighted mean of the five.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from streams.core.rule import Dimension
from streams.core.rules import RULES

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

TOTAL = "total"

WEIGHTS: Mapping[Dimension, float] = MappingProxyType(
    {
        "completeness": 0.25,
        "validity": 0.25,
        "consistency": 0.2,
        "timeliness": 0.1,
        "accuracy": 0.2,
    }
)
"""Share of each dimension in the total; they add up to 1."""

UNKNOWN_RULE_DIMENSION: Dimension = "validity"
"""Dimension of a rule that only another version of the code knows."""


@dataclass(frozen=True, slots=True)
class Score:
    """One score.

    Attributes:
        dimension: One of the five, or `total`.
        record_count: Distinct raw records.
        failed_count: Of these, records that fail the dimension; for the total, any.
        score: 0 to 100.
    """

    dimension: str
    record_count: int
    failed_count: int
    score: float


def failed_dimensions(rule_ids: Iterable[str]) -> frozenset[Dimension]:
    """Dimensions a record fails, by the rules that reject or flag it."""
    return frozenset(
        RULES[rule_id].dimension if rule_id in RULES else UNKNOWN_RULE_DIMENSION
        for rule_id in rule_ids
    )


def scores(records: Iterable[frozenset[Dimension]]) -> tuple[Score, ...]:
    """The five scores and the total of one window; empty when it has no records.

    Args:
        records: Failed dimensions of each distinct raw record.
    """
    held = tuple(records)
    if not held:
        return ()
    count = len(held)
    single = tuple(
        Score(dimension, count, failed, 100 * (1 - failed / count))
        for dimension in DIMENSIONS
        for failed in (sum(dimension in it for it in held),)
    )
    total = sum(WEIGHTS[d] * it.score for d, it in zip(DIMENSIONS, single, strict=True))
    return (*single, Score(TOTAL, count, sum(map(bool, held)), total))
