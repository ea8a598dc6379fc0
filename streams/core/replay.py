"""What replaying a raw record means: which are chosen, and what today's code makes of each.

Pure. A replay gives raw records to the code of today again. The newest raw record of a source
record alone has a say in what is current, so older ones change nothing.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from streams.core.records import Outcome


class Effect(StrEnum):
    """What today's code makes of a raw record, compared with what is current."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    ACCEPTED = "accepted, was rejected"
    WITHDRAWN = "rejected, was accepted"
    REJECTED = "rejected as before"
    SUPERSEDED = "superseded"
    UNDECIDED = "not decided yet"
    TOO_LARGE = "too large to send"


REPLAYED = frozenset({Effect.CHANGED, Effect.ACCEPTED, Effect.WITHDRAWN})
"""Raw records with one of these effects go through the pipeline again; the others need not."""


def effect_of(outcome: Outcome | None, *, was_accepted: bool, differs: bool) -> Effect:
    """The effect of a raw record that was decided before.

    Args:
        outcome: What today's code decides; None when it decides nothing.
        was_accepted: Whether it was accepted before and is listed.
        differs: Whether anything that is published or kept would differ.
    """
    match outcome:
        case "superseded":
            return Effect.SUPERSEDED
        case "rejected":
            return Effect.WITHDRAWN if was_accepted else Effect.REJECTED
    if not differs:
        return Effect.UNCHANGED
    return Effect.CHANGED if was_accepted else Effect.ACCEPTED


@dataclass(frozen=True, slots=True)
class Selection:
    """Which raw records of a source are meant; None does not restrict.

    Attributes:
        fetched_from: First fetch time.
        fetched_to: Fetch time that is not meant any more.
        record_id: The source's own identifier.
    """

    fetched_from: datetime | None = None
    fetched_to: datetime | None = None
    record_id: str | None = None

    def has(self, fetched_at: datetime, record_id: str) -> bool:
        """Whether a raw record is meant."""
        return (
            self.record_id in (None, record_id)
            and (self.fetched_from is None or fetched_at >= self.fetched_from)
            and (self.fetched_to is None or fetched_at < self.fetched_to)
        )


@dataclass(slots=True)
class ReplayCounts:
    """What a replay found, so far.

    Attributes:
        effects: Raw records by effect.
        rules: Raw records that are rejected now and were accepted, by rule.
        sent: Raw records that were sent through the pipeline again.
    """

    effects: Counter[Effect] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    sent: int = 0
