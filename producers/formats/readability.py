"""How much of a release can be read: a file whose form changed is no release.

A renamed column leaves all rows and loses what they say: every record would be rejected, or
called no longer listed.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from producers.connector import RawItem
from producers.errors import UnexpectedAnswerError
from producers.formats.tracker_columns import plain_name
from streams.core.errors import Rejected
from streams.core.records import EPOCH, Mapped, RawRecord

log = logging.getLogger(__name__)

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
            one.filled.update(name for name in names if says(getattr(verdict.payload, name)))
    return found


def says(value: object) -> bool:
    """Whether a field says something."""
    return value not in (None, (), "", "unknown")


def report_fields(
    where: str, found: Readability, known: Iterable[str], read: Collection[str] | None = None
) -> None:
    """Say which columns of a list nobody reads, and which field no row has.

    Args:
        where: Location for the message.
        found: What became of its rows.
        known: Fields that such a list fills somewhere.
        read: Columns that anything is read from, in plain form; None says nothing of columns.
    """
    unread = [
        f"{name} ({rows:,})"
        for name, rows in sorted(found.columns.items())
        if read is not None and plain_name(name) not in read
    ]
    if unread:
        log.info("%s: columns nobody reads, with their rows: %s", where, ", ".join(unread))
    null = [name for name in known if not found.filled[name]]
    if null and found.accepted >= _FEW_ROWS:
        log.warning(
            "%s: %s is null in all of %s rows: its column may have a new name. Columns: %s",
            *(where, " and ".join(null), f"{found.accepted:,}", ", ".join(found.columns)),
        )


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
