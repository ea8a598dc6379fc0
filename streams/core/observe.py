"""The observe decision: what one normalized point of a series changes, in itself and around it.

Pure. A point is judged among its neighbours; when it changes, the points that depend on it are
judged again, and each whose content is other than published gets a new version. When its flags
differ, so do those of its raw record's outcome: what counts does not depend on who came first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from streams.core.flag_rules import NEXT_DAY_OVERDUE
from streams.core.history import (
    ONE_DAY,
    GasDay,
    Window,
    days_before,
    dependent_days,
    judge,
    judged,
)
from streams.core.keys import observation_id, observation_record_id
from streams.core.records import AvroRecord, Outcome
from streams.core.scopes import Report
from streams.core.succession import Held, content_hash, succeed
from streams.core.tolerances import Tolerances
from streams.core.versions import next_version


@dataclass(frozen=True, slots=True)
class Point:
    """State of one point.

    Attributes:
        normalized: Its last accepted record, decoded.
        scope_flags: What checks across scopes say about it.
        day: The values its neighbours are judged by; None when it is withdrawn.
    """

    held: Held
    normalized: AvroRecord
    scope_flags: tuple[str, ...]
    day: GasDay | None

    @classmethod
    def of(
        cls,
        held: Held,
        normalized: AvroRecord,
        scope_flags: tuple[str, ...],
        tolerances: Tolerances,
    ) -> Self:
        """The point of a state and its last accepted record."""
        current = held.status == "current"
        day = _day(normalized, tolerances) if current else None
        return cls(held, normalized, scope_flags, day)


Points = Callable[[str], Point | None]
"""Record id → the point held under it, of the source of the event."""


@dataclass(frozen=True, slots=True)
class Change:
    """New state of one point.

    Attributes:
        record_id: Whose.
        held: Its new state; None removes it.
        scope_flags: What checks across scopes say about it.
        published: Record to publish as canonical, judged; None when readers see no difference.
        rejudged: Flags its raw record's outcome has now, when other points changed them; None when
            they are as before, and for the event's own point.
    """

    record_id: str
    held: Held | None
    scope_flags: tuple[str, ...]
    published: AvroRecord | None
    rejudged: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What follows from one event.

    Attributes:
        changes: The point of the event first, then those judged again, by day.
        outcome: Outcome of the event's raw record, None when another event of it has one.
        flags: Ids of the rules that flag the point for its outcome, sorted.
        report: What other scopes must hear of the point; None when its figures are as before.
    """

    changes: tuple[Change, ...]
    outcome: Outcome | None
    flags: tuple[str, ...]
    report: Report | None = None

    @property
    def published(self) -> Held | None:
        """State of the event's own point, when it is published."""
        own = self.changes[0] if self.changes else None
        return own.held if own and own.published else None


def observe(
    event: AvroRecord, framed: bytes, points: Points, generation: int, tolerances: Tolerances
) -> Observed:
    """Apply one normalized observation.

    Args:
        event: The record.
        framed: The same as framed bytes, which is how the state keeps it.
        points: The state before the event.
        generation: High part of versions.
        tolerances: Limits of the rules.
    """
    before = points(event["record_id"])
    if event["event"] == "verdict":
        return _apply_verdict(event, before, points, generation, tolerances)
    old = None if before is None else before.held
    near = _Near(event["entity_id"], points, tolerances)
    upsert = event["event"] == "upsert"
    day = _day(event, tolerances) if upsert else None
    scope_flags = before.scope_flags if before is not None else ()
    as_judged = _judged(event, day, scope_flags, near) if day is not None else event
    succession = succeed(as_judged, framed, old, generation, observation_id)
    flags = _outcome_flags(as_judged, succession.outcome)
    held = succession.held
    if held is old:
        return Observed((), succession.outcome, flags)
    kept = event if upsert or before is None else before.normalized
    published = None
    if succession.published is not None:
        published = as_judged if upsert else kept
    own = Change(event["record_id"], held, scope_flags, published)
    after = None if held is None else Point(held, kept, scope_flags, day)
    old_day = None if before is None else before.day
    if old_day == day:
        return Observed((own,), succession.outcome, flags)
    again: list[Change] = []
    earlier = _Near(event["entity_id"], points, tolerances)
    for changed in {it.gas_day for it in (old_day, day) if it is not None}:
        near.replace(changed, after)
        again += _judge_again(changed, near, earlier, generation)
    report = None if held is None else Report.of(kept, held.version, current=day is not None)
    return Observed((own, *again), succession.outcome, flags, report)


def _apply_verdict(
    event: AvroRecord,
    before: Point | None,
    points: Points,
    generation: int,
    tolerances: Tolerances,
) -> Observed:
    """Take over what the checks across scopes say; it is no raw record, so it has no outcome."""
    scope_flags = tuple(event["flags"])
    if before is None or before.scope_flags == scope_flags:
        return Observed((), None, ())
    near = _Near(event["entity_id"], points, tolerances)
    point = Point(before.held, before.normalized, scope_flags, before.day)
    change = _published_again(point, near, before, near, generation)
    if change is None:
        change = Change(event["record_id"], before.held, scope_flags, None)
    return Observed((change,), None, ())


def _outcome_flags(as_judged: AvroRecord, outcome: Outcome | None) -> tuple[str, ...]:
    """Flags of an accepted record, as an outcome keeps them.

    The next day may just be on its way in another partition, so its absence is left to the
    canonical record, from which the flag goes away when it comes.
    """
    return _counted(as_judged) if outcome in ("changed", "unchanged") else ()


def _counted(as_judged: AvroRecord) -> tuple[str, ...]:
    return tuple(flag for flag in as_judged["flags"] if flag != NEXT_DAY_OVERDUE.id)


class _Near:
    """Days around the event, each looked up once."""

    def __init__(self, entity_id: str, points: Points, tolerances: Tolerances) -> None:
        self.tolerances = tolerances
        self._entity_id = entity_id
        self._points = points
        self._found: dict[date, Point | None] = {}

    def at(self, day: date) -> Point | None:
        """The point of a day."""
        try:
            return self._found[day]
        except KeyError:
            found = self._points(observation_record_id(self._entity_id, day))
            self._found[day] = found
            return found

    def replace(self, day: date, point: Point | None) -> None:
        """From now on the day is this."""
        self._found[day] = point

    def window(self, day: date) -> Window:
        """The declared neighbours of a day."""
        before = [self._day(day - distance) for distance in _distances(self.tolerances)]
        return Window(tuple(before), self._day(day + ONE_DAY))

    def _day(self, day: date) -> GasDay | None:
        point = self.at(day)
        return None if point is None else point.day


def window_of(entity_id: str, day: date, points: Points, tolerances: Tolerances) -> Window:
    """The declared neighbours of a day of an entity, as they are held."""
    return _Near(entity_id, points, tolerances).window(day)


def _distances(tolerances: Tolerances) -> Iterator[timedelta]:
    for number in range(1, days_before(tolerances) + 1):
        yield number * ONE_DAY


def _judge_again(changed: date, near: _Near, earlier: _Near, generation: int) -> Iterator[Change]:
    for gas_day in dependent_days(changed, near.tolerances):
        point = near.at(gas_day)
        if point is None:
            continue
        change = _published_again(point, near, point, earlier, generation)
        if change is not None:
            yield change


def _published_again(
    point: Point, near: _Near, before: Point, earlier: _Near, generation: int
) -> Change | None:
    """A point under a new version, when its verdict changes what readers see.

    Args:
        point: The point now.
        near: Its neighbours now.
        before: The point before the event.
        earlier: Its neighbours before the event.
        generation: High part of the version.
    """
    if point.day is None or before.day is None:
        return None
    as_judged = _judged(point.normalized, point.day, point.scope_flags, near)
    content = content_hash(as_judged)
    held = point.held
    if content == held.content_hash:
        return None
    version = next_version(held.version, generation, point.normalized["move_count"])
    again = Held(
        held.record,
        held.canonical_id,
        version,
        held.status,
        content,
        held.order,
        held.lineage,
    )
    flags = _counted(as_judged)
    was = _counted(_judged(before.normalized, before.day, before.scope_flags, earlier))
    return Change(
        point.normalized["record_id"],
        again,
        point.scope_flags,
        as_judged,
        rejudged=None if flags == was else flags,
    )


def _judged(
    record: AvroRecord, day: GasDay, scope_flags: tuple[str, ...], near: _Near
) -> AvroRecord:
    fetched_at = record["order"]["fetched_at"]
    verdict = judge(day, near.window(day.gas_day), fetched_at, near.tolerances)
    return judged(record, verdict, scope_flags)


def _day(record: AvroRecord, tolerances: Tolerances) -> GasDay:
    return GasDay.from_avro(record[record["kind"]], tolerances)
