"""Dead letters and flagged records: which are open, and what each says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.tables import DEAD_LETTERS, RECORD_OUTCOMES

_RAW = "raw_topic, raw_partition, raw_offset"
RESOLVED = (
    f"({_RAW}) IN (SELECT {_RAW} FROM {RECORD_OUTCOMES.name} FINAL "  # noqa: S608
    f"WHERE outcome != 'rejected' AND ({_RAW}) IN (SELECT {_RAW} FROM {DEAD_LETTERS.name}))"
)
"""Condition of a dead letter that its record was accepted since, by the key of the outcomes."""


@dataclass(frozen=True, slots=True)
class OpenDeadLetters:
    """How many raw records one stage rejects by one rule, and were not accepted since."""

    source_id: str
    stage: str
    rule_id: str
    count: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """One rejected raw record.

    Attributes:
        record_id: The source's own identifier; None: unreadable.
        field, observed, limit: None as in the dead letter.
        resolved: Whether it was accepted since.
    """

    raw_topic: str
    raw_partition: int
    raw_offset: int
    record_id: str | None
    record_time: datetime
    stage: str
    field: str | None
    observed: str | None
    limit: str | None
    message: str
    resolved: bool


@dataclass(frozen=True, slots=True)
class FlaggedRecord:
    """One raw record that a soft check flags, and the canonical records it is part of."""

    raw_topic: str
    raw_partition: int
    raw_offset: int
    record_id: str | None
    record_time: datetime
    output_kind: str
    canonical_ids: Sequence[str]


def open_dead_letters() -> BoundQuery[OpenDeadLetters]:
    """Open dead letters by source, stage and rule, the most first."""
    return BoundQuery(
        f"""
SELECT source_id, stage, rule_id, toInt64(uniqExact({_RAW})) AS open_count, max(record_time)
FROM {DEAD_LETTERS.name} FINAL WHERE NOT {RESOLVED}
GROUP BY source_id, stage, rule_id ORDER BY open_count DESC, source_id, stage, rule_id""",  # noqa: S608
        {},
        OpenDeadLetters,
    )


def dead_letters_of(source_id: str, rule_id: str, limit: int = 100) -> BoundQuery[DeadLetterRow]:
    """Dead letters of a source by one rule, open ones first, newest first.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    columns = tuple(DeadLetterRow.__dataclass_fields__)[:-1]
    return BoundQuery(
        f"""
SELECT {", ".join(f"`{one}`" for one in columns)}, toBool({RESOLVED}) AS resolved
FROM {DEAD_LETTERS.name} FINAL
WHERE source_id = {{source:String}} AND rule_id = {{rule:String}}
ORDER BY resolved, record_time DESC, {_RAW} LIMIT {{most:UInt32}}""",  # noqa: S608
        _of_rule(source_id, rule_id, limit),
        DeadLetterRow,
    )


def flagged_records(source_id: str, rule_id: str, limit: int = 100) -> BoundQuery[FlaggedRecord]:
    """Raw records of a source that one rule flags now, newest first.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    return BoundQuery(
        f"""
SELECT {_RAW}, record_id, record_time, output_kind, canonical.record_id
FROM {RECORD_OUTCOMES.name} FINAL
WHERE source_id = {{source:String}} AND has(flags, {{rule:String}})
ORDER BY record_time DESC, {_RAW} LIMIT {{most:UInt32}}""",  # noqa: S608
        _of_rule(source_id, rule_id, limit),
        FlaggedRecord,
    )


def _of_rule(source_id: str, rule_id: str, limit: int) -> dict[str, str | int]:
    return {
        "source": bounds.text("source", source_id),
        "rule": bounds.text("rule", rule_id),
        "most": bounds.whole("limit", limit, 1, bounds.MOST_ROWS),
    }
