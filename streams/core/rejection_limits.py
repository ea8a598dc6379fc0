"""When a source rejects so much that something else is wrong than its data.

Pure. A broken parser or a new format would turn a whole source into dead letters; its partition
pauses instead, until somebody has looked.
"""

import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class RejectionLimits:
    """Where a partition of a raw topic pauses.

    Attributes:
        share: Of the last `of_records`, more than this share rejected.
        of_records: Records the share is taken of; with fewer nothing is said.
        consecutive: So many rejected one after the other.
    """

    share: float
    of_records: int
    consecutive: int


NO_LIMITS = RejectionLimits(share=1.0, of_records=1, consecutive=sys.maxsize)
"""Any number may be rejected."""


@dataclass(slots=True)
class RecentVerdicts:
    """The last verdicts of one partition, oldest first: true is a rejection."""

    limits: RejectionLimits
    _last: deque[bool] = field(default_factory=deque)
    _rejected: int = 0
    _consecutive: int = 0

    def after(self, verdicts: Iterable[bool]) -> "RecentVerdicts":
        """What is recent after more verdicts; this one stays as it is."""
        following = replace(self, _last=self._last.copy())
        for rejected in verdicts:
            following._add(rejected)
        return following

    def exceeded_by(self, verdicts: Iterable[bool]) -> str | None:
        """Why more verdicts exceed a limit, at whichever of them; None when they do not."""
        following = replace(self, _last=self._last.copy())
        for rejected in verdicts:
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
        self._consecutive = self._consecutive + 1 if rejected else 0

    def _reason(self) -> str | None:
        limits = self.limits
        if self._consecutive >= limits.consecutive:
            return f"{self._consecutive:,} consecutive records were rejected"
        full = len(self._last) >= limits.of_records
        if full and self._rejected > limits.share * limits.of_records:
            return f"{self._rejected:,} of the last {limits.of_records:,} records were rejected"
        return None
