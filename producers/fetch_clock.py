"""Times of one run: when something was fetched, by one clock for all runs and machines.

The clock is that of the checkpoint database. Every run asks it before it reads anything, it is the
same for every machine that polls, and an answer of it needs no trust in caches or in an upstream.
What is newer does not depend on these times (`streams.core.records.newness`): a wrong clock gives
wrong dates, it hides nothing.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

TOLERATED = timedelta(minutes=5)
"""Clocks that differ by less are the same."""

_SCHEDULES_MISSED = 10


class FetchClock:
    """The present, and fetch times that never go back.

    Args:
        present: What the checkpoint database says now.
        last_fetch: When the run before this one fetched its last item; None when there is none.
        elapsed: Seconds that pass, from any start.
    """

    def __init__(
        self,
        present: datetime,
        last_fetch: datetime | None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_fetch = last_fetch
        self._began = present
        self._elapsed = elapsed
        self._started = elapsed()

    def present(self) -> datetime:
        """The time of the checkpoint database."""
        return self._began + timedelta(seconds=self._elapsed() - self._started)

    def fetch_time(self) -> datetime:
        """When what comes now was fetched: the present, never before the last fetch."""
        present = self.present()
        if self.last_fetch is None or present > self.last_fetch:
            self.last_fetch = present
        return self.last_fetch


def clock_warnings(
    source: str,
    schedule: timedelta,
    present: datetime,
    last_fetch: datetime | None,
    machine: datetime,
) -> tuple[str, ...]:
    """What is odd about the clocks at the start of a run, a sentence each.

    Args:
        source: Name of the source.
        schedule: How often it is polled.
        present: What the checkpoint database says.
        last_fetch: When the run before this one fetched its last item.
        machine: What the clock of this machine says.
    """
    found = []
    if abs(machine - present) > TOLERATED:
        found.append(
            f"The clock of this machine is {_gap(machine - present)} that of the checkpoint "
            "database, which dates the records: set the wrong one right."
        )
    again = f"python -m producers {source} --whole"
    if last_fetch is not None and last_fetch - present > TOLERATED:
        found.append(
            f"{source}: the clock of the checkpoint database is {_gap(present - last_fetch)} the "
            f"last fetch ({last_fetch:%Y-%m-%d %H:%M}Z). Nothing is dated before that; when that "
            f"date was wrong, `{again}` reads everything again and dates it by the present."
        )
    if last_fetch is not None and present - last_fetch > schedule * _SCHEDULES_MISSED:
        found.append(
            f"{source}: the clock of the checkpoint database is {_gap(present - last_fetch)} the "
            f"last fetch ({last_fetch:%Y-%m-%d %H:%M}Z), a poll is due every {schedule}. When no "
            f"poll was missed, that clock is wrong: set it right, then `{again}`."
        )
    return tuple(found)


def _gap(difference: timedelta) -> str:
    words = "ahead of" if difference > timedelta() else "behind"
    size = abs(difference)
    if size >= timedelta(days=2):
        return f"{size.days} days {words}"
    hours, seconds = divmod(int(size.total_seconds()), 3600)
    return f"{hours} h {seconds // 60} min {words}"
