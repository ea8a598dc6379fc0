"""How much of a release can be read: a file whose form changed is no release.

Pure. A renamed column leaves all rows and loses what they say: every record would be rejected, or
called no longer listed.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from producers.connector import RawItem
from producers.errors import UnexpectedAnswerError
from streams.core.errors import Rejected
from streams.core.records import EPOCH, Mapped, RawRecord

_LARGEST_DROP = 0.1
"""How much lower the readable share may be than that of the release before."""

_LEAST_SHARE = 0.5
"""Of a first release, which delists nothing, unless it has few rows."""

_FEW_ROWS = 100

_SHOWN_COLUMNS = 40


@dataclass(slots=True)
class Readability:
    """What became of the rows of one list.

    Attributes:
        rows: How many there are.
        reasons: Rows that cannot be read, by rule and field.
        columns: Rows with something in a column.
        filled: Accepted rows with something in a field.
    """

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)

    @property
    def accepted(self) -> int:
        """Rows that can be read."""
        return self.rows - self.reasons.total()

    @property
    def share(self) -> float | None:
        """Share of the rows that can be read; None of none."""
        return 1 - self.reasons.total() / self.rows if self.rows else None


def readability(
    items: Iterable[RawItem], read: Callable[[RawRecord], Mapped | Rejected]
) -> dict[str, Readability]:
    """Read every item and say what became of it, by its origin."""
    found: dict[str, Readability] = {}
    for item in items:
        one = found.setdefault(item.origin, Readability())
        one.rows += 1
        columns = item.item.get("columns") or item.item.get("row") or item.item
        one.columns.update(name for name, text in columns.items() if text)
        verdict = read(_raw(item))
        if isinstance(verdict, Rejected):
            where = f" ({verdict.field})" if verdict.field else ""
            one.reasons[f"{verdict.rule_id}{where}"] += 1
        else:
            names = verdict.payload.field_names()
            one.filled.update(name for name in names if getattr(verdict.payload, name))
    return found


def check_readable(
    found: Readability, where: str, *, before: float | None, looked_for: Iterable[str]
) -> None:
    """Refuse a list of which too much cannot be read.

    Args:
        found: What became of its rows.
        where: Location for the message.
        before: Readable share of the release before; None when it is not known.
        looked_for: Columns that may have the id.

    Raises:
        UnexpectedAnswerError: it is no release in a form that is known.
    """
    least = before - _LARGEST_DROP if before is not None else _LEAST_SHARE
    if before is None and found.rows < _FEW_ROWS:
        return
    if found.share is None or found.share >= least:
        return
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in found.reasons.most_common(5))
    columns = ", ".join(list(found.columns)[:_SHOWN_COLUMNS]) or "none with a name"
    raise UnexpectedAnswerError(
        f"{where} has another form than it had: {found.reasons.total():,} of {found.rows:,} rows "
        f"cannot be read: {reasons}. The id was looked for in {', '.join(looked_for)}; columns "
        f"found: {columns}. Nothing of it is published. Set the location to a file in a known "
        "form; if these rows are really lost, run once with --accept-loss."
    )


def _raw(item: RawItem) -> RawRecord:
    return RawRecord(
        source_id="",
        stream=item.stream,
        record_id=item.record_id,
        event="observed",
        fetched_at=EPOCH,
        source_updated_at=None,
        release=item.release,
        run_id="",
        origin=item.origin,
        licence="",
        attribution="",
        item=item.item,
    )
