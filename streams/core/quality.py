"""Quality of a source in a window: which dimensions a record fails, and what that makes of 100.

A raw record counts once, in the UTC day of its record time. It fails a dimension when a rule of
that dimension rejects or flags it; a score is the share of records that do not fail, and the total
the weighted mean of the five.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from streams.core.all_rules import RULES
from streams.core.quality_counts import QualityCounts
from streams.core.rule import Dimension

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

TOTAL = "total"

UNKNOWN_RULE_DIMENSION: Dimension = "validity"
"""Dimension of a rule that only another version of the code knows."""

Weights = Mapping[Dimension, float]
"""Share of each dimension in the total; they add up to 1."""


@dataclass(frozen=True, slots=True)
class DimensionScore:
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


def failed_dimensions(rule_ids: Iterable[str]) -> frozenset[str]:
    """Dimensions a record fails, by the rules that reject or flag it."""
    return frozenset(
        RULES[rule_id].dimension if rule_id in RULES else UNKNOWN_RULE_DIMENSION
        for rule_id in rule_ids
    )


def scores(counts: QualityCounts, weights: Weights) -> tuple[DimensionScore, ...]:
    """The five scores and the total of one window; 100 each when no record is left in it."""
    count = counts.record_count
    single = tuple(
        DimensionScore(dimension, count, failed, 100.0 if not count else 100 * (1 - failed / count))
        for dimension in DIMENSIONS
        for failed in (counts.dimensions.get(dimension, 0),)
    )
    total = sum(weights[d] * one.score for d, one in zip(DIMENSIONS, single, strict=True))
    return (*single, DimensionScore(TOTAL, count, counts.failed_count, total))
