"""How much may be gone without a word from a person: of a poll, a replay, a rebuild.

Pure. Code that rejects what it should read looks like a source that has lost it.
"""

from typing import Final

from streams.core.differences import Differences
from streams.core.errors import LossError

LARGEST_LOSS: Final = 0.2
"""Share of the records of a kind, or of a source, that may be gone."""


def require_accepted(differences: Differences) -> None:
    """Check that of no kind more is gone than that.

    Raises:
        LossError: it is.
    """
    for kind, gone in sorted(differences.gone.items()):
        require_share(gone, gone + differences.changed[kind] + differences.unchanged[kind], kind)


def require_share(gone: int, of: int, what: str) -> None:
    """Check that no more is gone than that.

    Args:
        gone: Records that would be gone.
        of: Records there were.
        what: What they are.

    Raises:
        LossError: it is more.
    """
    if gone > LARGEST_LOSS * of:
        raise LossError(
            f"{gone:,} of {of:,} records of {what} would be gone, more than {LARGEST_LOSS:.0%}: "
            "the code may be wrong. If they are really gone, run it once with ARGS=--accept-loss."
        )
