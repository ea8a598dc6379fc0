"""What is recorded of the runs of a source."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from producers.raw_log import RawLog

KILLED = "Killed"
"""In place of the class of error of a run that left no word: killed, or ended by a bug."""

_LEAST_GRACE = timedelta(minutes=15)
_GRACE_SHARE = 0.1
"""How late a run may begin: jobs start late and wait for the run before."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One row of the history.

    Attributes:
        items: Items the source gave; those not left out are confirmed by the broker.
        delisted: Records published as no longer listed.
        complete: The run read a whole release of at least one stream.
        checkpoint: Where the next run goes on.
        raw_log: The part of the raw topic that runs have recorded: the checkpoint belongs to it.
        fetched_until: Last fetch time that a record of this or an earlier run has.
        left_out: Items that were not published, by reason.
        already_published: Items that say what was published of them last; not published again.
    """

    source_id: str
    run_id: str
    started_at: datetime
    finished_at: datetime
    items: int
    delisted: int
    complete: bool
    checkpoint: dict[str, str]
    raw_log: RawLog
    fetched_until: datetime
    left_out: dict[str, int]
    already_published: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one run ended.

    Attributes:
        id: What `begin_attempt` gave.
        published: Records the broker confirmed.
        rate_limit_hits: Answers that said "too many requests".
        error: Class of the error that ended it; None when it succeeded.
        left_out: Items that were not published, by reason.
        message: What the error said.
    """

    id: int
    ended_at: datetime
    published: int
    rate_limit_hits: int
    error: str | None
    left_out: dict[str, int]
    message: str | None = None


@dataclass(frozen=True, slots=True)
class StartedRun:
    """What one run came to, whether it finished or not.

    Attributes:
        began_at: When it began.
        ended_at: When it ended; None when it runs, or was killed.
        runs_now: Whether it runs at this moment.
        error: Class of the error that ended it; None when it succeeded, runs or was killed.
        message: What the error said.
        finished: What it recorded as done; None when it recorded nothing.
        left_out: Items that were not published, by reason.
    """

    began_at: datetime
    ended_at: datetime | None
    runs_now: bool
    error: str | None
    message: str | None
    finished: FinishedRun | None
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What all runs of a source add up to.

    Attributes:
        succeeded: Whether the last run that is over succeeded; one that was killed did not.
        since_begun: Time since the last run began.
        last_published_at: When a run last published anything; None when none has.
        rate_limit_hits: Answers that said "too many requests".
        runs: Runs that are over.
        errors: Of these, failed ones by class of error; `KILLED` for those that left no word.
        left_out: Items that were not published, by reason.
    """

    source_id: str
    succeeded: bool
    since_begun: timedelta
    last_published_at: datetime | None
    rate_limit_hits: int
    runs: int
    errors: dict[str, int]
    left_out: dict[str, int]

    def is_up(self, every: timedelta) -> bool:
        """Whether the last run succeeded and the next one is not overdue.

        Args:
            every: How often the source is polled.
        """
        return self.succeeded and self.since_begun <= every + max(
            _LEAST_GRACE, every * _GRACE_SHARE
        )
