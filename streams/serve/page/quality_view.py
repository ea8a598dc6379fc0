"""Quality as people look at it: sources by dimension with their trend, and what to do next."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.clickhouse.dead_letter_queries import OpenDeadLetters
from streams.clickhouse.quality_queries import QualityScore, RuleFailures
from streams.core.all_rules import RULES
from streams.core.quality import DIMENSIONS, TOTAL

COLUMNS: Final = (TOTAL, *DIMENSIONS)
SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 24
_LOWEST: Final = 60.0
_LEVELS: Final = ((99.0, "good"), (95.0, "fair"), (80.0, "poor"))
_MOST_STEPS: Final = 8
_MOST_WINDOWS: Final = 60

DRIFT: Final = (
    "unknown_schema_id",
    "bad_avro",
    "unknown_form",
    "unknown_status",
    "unknown_fuel",
    "unknown_unit",
    "unreadable_number",
    "unreadable_gas_day",
    "missing_id",
    "missing_name",
    "status_not_in_vocabulary",
    "fuel_not_in_vocabulary",
    "capacity_unreadable",
    "year_unreadable",
    "position_unreadable",
    "figure_unreadable",
)
"""Rules that fail when a source says something in a form or with a word it did not use before."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One source in one dimension.

    Attributes:
        level: How good, as a class of the style sheet; its number says the same.
        change: Points since the window before; None: there is none.
        trend: Points of a small line over all windows, as SVG draws them; empty with one window.
        scores: What the line shows, oldest first.
    """

    score: float
    level: str
    change: float | None
    failed_count: int
    record_count: int
    trend: str
    scores: Sequence[float]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source in its newest window; a dimension that was not scored has no cell."""

    source_id: str
    window_start: datetime
    record_count: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something to do: why, and the command that does it or shows more."""

    reason: str
    command: str
    rule_id: str
    source_id: str


def source_rows(scores: Iterable[QualityScore]) -> Sequence[SourceRow]:
    """Every source, the worst first.

    Args:
        scores: Of every window that is shown.
    """
    by_source: dict[str, dict[str, list[QualityScore]]] = defaultdict(lambda: defaultdict(list))
    for one in sorted(scores, key=lambda one: one.window_start):
        by_source[one.source_id][one.dimension].append(one)
    rows = [_row(source_id, dimensions) for source_id, dimensions in by_source.items()]
    return sorted(rows, key=lambda row: row.cells[TOTAL].score if TOTAL in row.cells else 0.0)


def _row(source_id: str, dimensions: Mapping[str, Sequence[QualityScore]]) -> SourceRow:
    newest = max((one[-1] for one in dimensions.values()), key=lambda one: one.window_start)
    cells = {name: _cell(found) for name, found in dimensions.items()}
    return SourceRow(source_id, newest.window_start, newest.record_count, cells)


def _cell(windows: Sequence[QualityScore]) -> Cell:
    newest = windows[-1]
    scores = [one.score for one in windows[-_MOST_WINDOWS:]]
    return Cell(
        newest.score,
        level(newest.score),
        newest.score_change,
        newest.failed_count,
        newest.record_count,
        spark(scores),
        scores,
    )


def level(score: float) -> str:
    """good, fair, poor or bad."""
    return next((name for least, name in _LEVELS if score >= least), "bad")


def spark(scores: Sequence[float], width: float = SPARK_WIDTH, height: float = SPARK_HEIGHT) -> str:
    """Points of a line from the oldest score to the newest; empty with fewer than two.

    From 60, or the lowest score below that, at the bottom to 100 at the top.
    """
    if len(scores) < 2:
        return ""
    lowest = min(_LOWEST, *scores)
    points = []
    for number, score in enumerate(scores):
        x = width * number / (len(scores) - 1)
        y = height - 1 - (height - 2) * (score - lowest) / (100 - lowest)
        points.append(f"{x:.1f},{y:.1f}")
    return " ".join(points)


def newest_failures(failures: Iterable[RuleFailures]) -> Sequence[RuleFailures]:
    """Of every source what failed in its newest window, the most first."""
    found = list(failures)
    newest: dict[str, datetime] = {}
    for one in found:
        newest[one.source_id] = max(one.window_start, newest.get(one.source_id, one.window_start))
    return sorted(
        (one for one in found if one.window_start == newest[one.source_id]),
        key=lambda one: (-one.failed_pct, one.source_id, one.rule_id),
    )


def next_steps(
    failures: Sequence[RuleFailures], rejected: Sequence[OpenDeadLetters]
) -> Sequence[NextStep]:
    """What is worth doing, lost records first, then what became worse, then the largest shares.

    Args:
        failures: Of the newest windows.
        rejected: Open dead letters.
    """
    steps = [
        NextStep(
            f"{one.count:,} raw record{'s' if one.count > 1 else ''} of "
            f"{one.source_id or 'an unknown source'} "
            f"{'are' if one.count > 1 else 'is'} rejected: {_sentence(one.rule_id)}",
            _command("dlq-redrive", one.source_id, one.rule_id, "--dry-run"),
            one.rule_id,
            one.source_id,
        )
        for one in rejected
    ]
    flagged = [one for one in failures if not _rejects(one.rule_id)]
    for one in sorted(flagged, key=lambda one: (-_growth(one), -one.failed_pct)):
        worse = _growth(one) >= 1
        what = f"{one.failed_pct:.1f} % of {one.source_id}"
        since = f", {_growth(one):.1f} points more than the day before" if worse else ""
        steps.append(
            NextStep(
                f"{what} are flagged{since}: {_sentence(one.rule_id)}",
                _flagged_command(one.source_id, one.rule_id),
                one.rule_id,
                one.source_id,
            )
        )
    return steps[:_MOST_STEPS]


def _growth(one: RuleFailures) -> float:
    return one.failed_pct - (
        one.failed_pct if one.previous_failed_pct is None else one.previous_failed_pct
    )


def _rejects(rule_id: str) -> bool:
    return rule_id in RULES and RULES[rule_id].severity == "reject"


def _sentence(rule_id: str) -> str:
    return RULES[rule_id].sentence if rule_id in RULES else f"rule {rule_id}."


def _command(target: str, source_id: str, rule_id: str, more: str) -> str:
    source = f"--source {source_id} " if source_id else ""
    return f'make {target} ARGS="{source}--rule {rule_id} {more}"'


def _flagged_command(source_id: str, rule_id: str) -> str:
    where = f"source_id == '{source_id}' and '{rule_id}' in flags"
    return f'make inspect TOPIC=record.outcomes ARGS="--where \\"{where}\\" --limit 20"'


def rule_command(source_id: str, rule_id: str) -> str:
    """Prints the dead letters of a rule."""
    return _command("dlq", source_id, rule_id, "--detail")


def redrive_command(source_id: str, rule_id: str) -> str:
    """Tries the dead letters of a rule with the code of today."""
    return _command("dlq-redrive", source_id, rule_id, "--dry-run")


def drift(failures: Iterable[RuleFailures]) -> Sequence[RuleFailures]:
    """What says that a source has changed its form or its words, newest windows."""
    return [one for one in failures if one.rule_id in DRIFT]
