"""Dead letters as people handle them: which are open, which are chosen, how they group.

Pure. Each raw record that was ever rejected is one dead letter, whatever the number of attempts. It
is resolved when the last outcome of its raw record, for any output kind, is no rejection: nobody
has to mark it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from streams.core import contract_types as avro
from streams.core.record_size import Content, Cut
from streams.core.records import Outcome, RawCoordinates


class Policy(StrEnum):
    """What to do with a dead letter that the code of today rejects again."""

    STOP = "stop"
    DROP = "drop"
    REINSERT = "reinsert"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected raw record, as its newest dead letter says.

    Attributes:
        raw: Its coordinates.
        source_id: Source; empty when the stage could not know it.
        record_id: The source's own identifier; None when it could not be read.
        stage: Stage that rejected it.
        rule_id: Reason code.
        message: What is wrong and what to do.
        record_time: Kafka time of the raw record, UTC.
        content: Key, value and headers, byte for byte as far as they were kept.
        attempts: How often it was rejected.
        resolved: Whether it was accepted since.
    """

    raw: RawCoordinates
    source_id: str
    record_id: str | None
    stage: str
    rule_id: str
    message: str
    record_time: datetime
    content: Content
    attempts: int = 1
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; None does not restrict.

    Attributes:
        source: Source id.
        rule: Rule id.
        since: First record time.
        until: Record time that is not meant any more.
        resolved: Whether those already resolved are meant, too.
    """

    source: str | None = None
    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    resolved: bool = False

    def has(self, dead_letter: DeadLetter) -> bool:
        """Whether a dead letter is meant."""
        return (
            self.source in (None, dead_letter.source_id)
            and self.rule in (None, dead_letter.rule_id)
            and (self.since is None or dead_letter.record_time >= self.since)
            and (self.until is None or dead_letter.record_time < self.until)
            and (self.resolved or not dead_letter.resolved)
        )


def dead_letters(
    records: Iterable[avro.DeadLetter], outcomes: Mapping[RawCoordinates, Mapping[str, Outcome]]
) -> list[DeadLetter]:
    """One letter for each raw record, by coordinates.

    Args:
        records: Values of `dead_letters`, those of one raw record in order.
        outcomes: Last outcome of these raw records by output kind.
    """
    found: dict[RawCoordinates, DeadLetter] = {}
    for record in records:
        dead_letter = _dead_letter(record)
        before = found.get(dead_letter.raw)
        attempts = 1 if before is None else before.attempts + 1
        accepted = any(
            outcome != "rejected" for outcome in outcomes.get(dead_letter.raw, {}).values()
        )
        found[dead_letter.raw] = replace(dead_letter, attempts=attempts, resolved=accepted)
    return [found[raw] for raw in sorted(found)]


def _dead_letter(record: avro.DeadLetter) -> DeadLetter:
    headers = tuple((header["name"], header["value"]) for header in record["headers"])
    return DeadLetter(
        RawCoordinates.from_avro(record["raw"]),
        record["source_id"],
        record["record_id"],
        record["stage"],
        record["rule_id"],
        record["message"],
        record["record_time"],
        Content(
            record["key"],
            record["value"],
            headers,
            tuple(Cut(cut["part"], cut["whole_bytes"], cut["sha256"]) for cut in record["cuts"]),
        ),
    )


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Letters that belong together."""

    source_id: str
    stage: str
    rule_id: str
    day: date
    resolved: bool


def groups(found: Iterable[DeadLetter]) -> list[tuple[Group, int]]:
    """Number of letters by source, stage, rule, UTC day and whether they are resolved; sorted."""
    counted = Counter(
        Group(one.source_id, one.stage, one.rule_id, one.record_time.date(), one.resolved)
        for one in found
    )
    return sorted(counted.items())
