"""Counting verdicts: what failed of each raw record, and how often in each window.

Pure. The last verdict on a raw record counts: of its newest generation, the outcome published last
for each output kind. So a dead letter that is redriven after a fix recovers its window, and the
same outcome again changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Self

from streams.core import contract_types as avro

WINDOW = timedelta(days=1)

UNKNOWN_KIND = "unknown"
"""Output kind of a raw record that could not be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What failed of one raw record.

    Attributes:
        source_id: Source.
        window_start: Start of the UTC day of its record time.
        generation: Newest generation that decided.
        failed: Ids of the rules that reject or flag it, sorted, by output kind.
    """

    source_id: str
    window_start: datetime
    generation: int
    failed: Mapping[str, tuple[str, ...]]

    @property
    def rules(self) -> frozenset[str]:
        """Rules it fails under any kind."""
        return frozenset(rule_id for found in self.failed.values() for rule_id in found)

    def to_avro(self) -> avro.Verdict:
        """Avro form."""
        return {
            "source_id": self.source_id,
            "window_start": self.window_start,
            "generation": self.generation,
            "failed": {kind: list(rules) for kind, rules in self.failed.items()},
        }

    @classmethod
    def from_avro(cls, record: avro.Verdict) -> Self:
        """Inverse of `to_avro`."""
        failed = {kind: tuple(rules) for kind, rules in record["failed"].items()}
        return cls(record["source_id"], record["window_start"], record["generation"], failed)


def after_outcome(previous: Verdict | None, outcome: avro.RecordOutcome) -> Verdict:
    """The verdict on a raw record after one more outcome; `previous` itself when none follows.

    Args:
        previous: What was known; None for the first outcome.
        outcome: A `RecordOutcome`.
    """
    generation, kind = outcome["generation"], outcome["output_kind"]
    if previous is not None and generation < previous.generation:
        return previous
    rejected = () if outcome["rule_id"] is None else (outcome["rule_id"],)
    rules = tuple(sorted({*outcome["flags"], *rejected}))
    earlier = previous.failed if previous is not None and previous.generation == generation else {}
    if kind == UNKNOWN_KIND and any(output_kind != UNKNOWN_KIND for output_kind in earlier):
        assert previous is not None
        return previous  # it was read since
    failed = {
        output_kind: found for output_kind, found in earlier.items() if output_kind != UNKNOWN_KIND
    } | {kind: rules}
    record_time = outcome["record_time"]
    start = record_time.replace(hour=0, minute=0, second=0, microsecond=0)
    verdict = Verdict(outcome["source_id"], start, generation, failed)
    return previous if previous is not None and previous == verdict else verdict


@dataclass(frozen=True, slots=True)
class QualityCounts:
    """How many raw records of a window there are, and how many fail what.

    Attributes:
        changes: Verdicts that came, changed or left. It grows with every change of the figures and
            does not depend on batches, so it serves as a version.
        record_count: Distinct raw records.
        failed_count: Of these, records that fail any rule.
        dimensions: Of these, records that fail a dimension; zeros are left out.
        rules: Of these, records that fail a rule; zeros are left out.
    """

    changes: int = 0
    record_count: int = 0
    failed_count: int = 0
    dimensions: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)

    def with_record(self, rules: Iterable[str], dimensions: Iterable[str]) -> "QualityCounts":
        """One record more, failing these."""
        return self._counted(1, rules, dimensions)

    def without_record(self, rules: Iterable[str], dimensions: Iterable[str]) -> "QualityCounts":
        """One record less, which failed these."""
        return self._counted(-1, rules, dimensions)

    def _counted(
        self, step: int, rules: Iterable[str], dimensions: Iterable[str]
    ) -> "QualityCounts":
        failing = dict.fromkeys(rules, step)
        return QualityCounts(
            self.changes + 1,
            self.record_count + step,
            self.failed_count + (step if failing else 0),
            _sum(self.dimensions, dict.fromkeys(dimensions, step)),
            _sum(self.rules, failing),
        )

    def __add__(self, other: "QualityCounts") -> "QualityCounts":
        return QualityCounts(
            self.changes + other.changes,
            self.record_count + other.record_count,
            self.failed_count + other.failed_count,
            _sum(self.dimensions, other.dimensions),
            _sum(self.rules, other.rules),
        )

    def same_figures(self, other: "QualityCounts") -> bool:
        """Whether nothing but the number of changes differs."""
        return self == replace(other, changes=self.changes)

    def to_avro(self, source_id: str, window_start: datetime) -> avro.WindowCounts:
        """Avro form, as the figures of a window of a source."""
        return {
            "source_id": source_id,
            "window_start": window_start,
            "changes": self.changes,
            "record_count": self.record_count,
            "failed_count": self.failed_count,
            "dimensions": dict(self.dimensions),
            "rules": dict(self.rules),
        }

    @classmethod
    def from_avro(
        cls, record: avro.WindowCounts | avro.PartitionCounts | avro.QualityCounts
    ) -> Self:
        """The figures of any record of counts."""
        return cls(
            record["changes"],
            record["record_count"],
            record["failed_count"],
            record["dimensions"],
            record["rules"],
        )


NOTHING = QualityCounts()


def total(counts: Iterable[QualityCounts]) -> QualityCounts:
    """The sum of counts."""
    return reduce(QualityCounts.__add__, counts, NOTHING)


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    if not other:
        return one
    # Sorted, so that equal figures are equal bytes whatever the order they came in.
    both = {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
    return {name: count for name, count in both.items() if count}
