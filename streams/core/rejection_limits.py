"""When a source rejects so much that something else is wrong than its data.

Pure. A broken parser or a new format would turn a whole source into dead letters; its partition
pauses instead, until somebody has looked.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RejectionLimits:
    """Where a partition of a raw topic pauses.

    Attributes:
        share: Of the last `of_records`, more than this share rejected.
        of_records: Records the share is taken of; with fewer nothing is said.
        run: So many rejected one after the other.
    """

    share: float
    of_records: int
    run: int


@dataclass(slots=True)
class RecentDecisions:
    """The last decisions of one partition, oldest first: true is a rejection."""

    limits: RejectionLimits
    _last: deque[bool] = field(default_factory=deque)
    _rejected: int = 0
    _run: int = 0

    def after(self, decisions: Iterable[bool]) -> "RecentDecisions":
        """What is recent after more decisions; this one stays as it is."""
        following = RecentDecisions(self.limits, self._last.copy(), self._rejected, self._run)
        for rejected in decisions:
            following._add(rejected)
        return following

    def exceeded_by(self, decisions: Iterable[bool]) -> str | None:
        """Why more decisions exceed a limit, at whichever of them; None when they do not."""
        following = RecentDecisions(self.limits, self._last.copy(), self._rejected, self._run)
        for rejected in decisions:
            following._add(rejected)
            reason = following._reason() if rejected else None
            if reason is not None:
                return reason
        return None

    def _add(self, rejected: bool) -> None:
        self._last.append(rejected)
        self._rejected += rejected
        if len(self._last) > self.limits.of_records:
            self._rejected -= self._last.popleft()
        self._run = self._run + 1 if rejected else 0

    def _reason(self) -> str | None:
        limits = self.limits
        if self._run >= limits.run:
            return f"{self._run:,} records in a row were rejected"
        full = len(self._last) >= limits.of_records
        if full and self._rejected > limits.share * limits.of_records:
            return f"{self._rejected:,} of the last {limits.of_records:,} records were rejected"
        return None
