"""What one normalized point of a series changes, in itself and around it.

Pure. A point is evaluated among its neighbours; when it changes, the points that depend on it are
re-evaluated, and each whose content is other than published gets a new version. When its flags
differ, so do those of its raw record's outcome: what counts does not depend on who came first.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Self

from streams.core import contract_types as avro
from streams.core.aggregates import Report
from streams.core.flag_rules import NEXT_DAY_OVERDUE
from streams.core.history import (
    ONE_DAY,
    GasDay,
    Window,
    days_before,
    dependent_days,
    evaluate,
    evaluated,
)
from streams.core.keys import observation_id, observation_record_id
from streams.core.records import Outcome
from streams.core.succession import StoredRecord, content_hash, succeed
from streams.core.tolerances import Tolerances
from streams.core.versions import next_version


@dataclass(frozen=True, slots=True)
class Point:
    """State of one point.

    Attributes:
        normalized: Its last accepted record, decoded.
        aggregate_flags: What checks across scopes say about it.
        aggregate_known_at: Fetch time of the newest record they looked at; None: they never spoke.
        day: The values its neighbours are evaluated by; None when it is withdrawn.
    """

    stored: StoredRecord
    normalized: avro.NormalizedObservation
    aggregate_flags: tuple[str, ...]
    aggregate_known_at: datetime | None
    day: GasDay | None

    @classmethod
    def of(
        cls,
        stored: StoredRecord,
        normalized: avro.NormalizedObservation,
        aggregate_flags: tuple[str, ...],
        aggregate_known_at: datetime | None,
        tolerances: Tolerances,
    ) -> Self:
        """The point of a state and its last accepted record."""
        current = stored.status == "current"
        day = _day(normalized, tolerances) if current else None
        return cls(stored, normalized, aggregate_flags, aggregate_known_at, day)


Points = Callable[[str], Point | None]
"""Record id → the point stored under it, of the source of the event."""


PointOf = Callable[[date], Point | None]
"""Gas day → the point of a series on it."""


@dataclass(frozen=True, slots=True)
class Change:
    """New state of one point.

    Attributes:
        record_id: Whose.
        stored: Its new state; None removes it.
        aggregate_flags: What checks across scopes say about it.
        aggregate_known_at: Fetch time of the newest record they looked at; None: they never spoke.
        known_at: Fetch time of the newest raw record that its content follows from.
        published: Record to publish as canonical, evaluated; None when readers see no difference.
        reevaluated: Flags its raw record's outcome has now, when other points changed them; None
            when they are as before, and for the event's own point.
    """

    record_id: str
    stored: StoredRecord | None
    aggregate_flags: tuple[str, ...]
    aggregate_known_at: datetime | None
    known_at: datetime
    published: avro.NormalizedObservation | None
    reevaluated: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What follows from one event.

    Attributes:
        changes: The point of the event first, then those re-evaluated, by day.
        outcome: Outcome of the event's raw record, None when another event of it has one.
        flags: Ids of the rules that flag the point for its outcome, sorted.
        report: What other scopes must learn of the point; None when its figures are as before.
    """

    changes: tuple[Change, ...]
    outcome: Outcome | None
    flags: tuple[str, ...]
    report: Report | None = None

    @property
    def published(self) -> StoredRecord | None:
        """State of the event's own point, when it is published."""
        own = self.changes[0] if self.changes else None
        return own.stored if own and own.published else None


def observe(
    event: avro.NormalizedObservation,
    framed: bytes,
    points: Points,
    generation: int,
    tolerances: Tolerances,
) -> Observed:
    """Apply one normalized observation.

    Args:
        event: The record.
        framed: The same as framed bytes, which is how the state keeps it.
        points: The state before the event.
        generation: High part of versions.
        tolerances: Limits of the rules.
    """
    before = _Neighbours.stored(event["entity_id"], points, tolerances)
    previous = points(event["record_id"])
    if event["event"] == "verdict":
        return _apply_verdict(event, previous, before, generation)
    own = _own_point(event, framed, previous, before, generation)
    if own.change is None:
        return Observed((), own.outcome, own.flags)
    previous_day = None if previous is None else previous.day
    day = None if own.point is None else own.point.day
    if previous_day == day:
        return Observed((own.change,), own.outcome, own.flags)
    changed = sorted({found.gas_day for found in (previous_day, day) if found is not None})
    after = before.replaced(changed, own.point)
    dependents = (
        change
        for gas_day in changed
        for change in _dependents_again(gas_day, before, after, generation)
    )
    report = None
    if own.point is not None:
        stored = own.point.stored
        fetched_at = stored.order.fetched_at
        report = Report.of(
            own.point.normalized, fetched_at, stored.version, current=day is not None
        )
    return Observed((own.change, *dependents), own.outcome, own.flags, report)


class _Neighbours:
    """The points of one series, before an event or after it; each is read once.

    Args:
        read: Gas day → its point.
        tolerances: Limits of the rules.
        known: Points by gas day that are not read.
    """

    __slots__ = ("_known", "_read", "tolerances")

    def __init__(
        self, read: PointOf, tolerances: Tolerances, known: dict[date, Point | None]
    ) -> None:
        self._read = read
        self.tolerances = tolerances
        self._known = known

    @classmethod
    def stored(cls, entity_id: str, points: Points, tolerances: Tolerances) -> "_Neighbours":
        """As the state has them."""
        return cls(lambda day: points(observation_record_id(entity_id, day)), tolerances, {})

    def replaced(self, days: Iterable[date], point: Point | None) -> "_Neighbours":
        """The same with another point on these days."""
        return _Neighbours(self.at, self.tolerances, dict.fromkeys(days, point))

    def at(self, day: date) -> Point | None:
        """The point of a day."""
        try:
            return self._known[day]
        except KeyError:
            found = self._known[day] = self._read(day)
            return found

    def window(self, day: date) -> Window:
        """The declared neighbours of a day."""
        before: list[GasDay | None] = []
        earlier = day
        for _ in range(days_before(self.tolerances)):
            earlier -= ONE_DAY
            before.append(self._day(earlier))
        return Window(tuple(before), self._day(day + ONE_DAY))

    def evaluated(
        self, record: avro.NormalizedObservation, day: GasDay, aggregate_flags: tuple[str, ...]
    ) -> avro.NormalizedObservation:
        """A record as it is published among these neighbours."""
        fetched_at = record["order"]["fetched_at"]
        verdict = evaluate(day, self.window(day.gas_day), fetched_at, self.tolerances)
        return evaluated(record, verdict, aggregate_flags)

    def known_at(self, point: Point) -> datetime:
        """Fetch time of the newest raw record that a point's content follows from among these."""
        times = [point.stored.order.fetched_at]
        if point.aggregate_known_at is not None:
            times.append(point.aggregate_known_at)
        if point.day is not None:
            gas_day = point.day.gas_day + ONE_DAY
            others = [self.at(gas_day)]
            gas_day -= ONE_DAY
            for _ in range(days_before(self.tolerances)):
                gas_day -= ONE_DAY
                others.append(self.at(gas_day))
            times += (near.stored.order.fetched_at for near in others if near is not None)
        return max(times)

    def _day(self, day: date) -> GasDay | None:
        point = self.at(day)
        return None if point is None else point.day


def window_of(entity_id: str, day: date, points: Points, tolerances: Tolerances) -> Window:
    """The declared neighbours of a day of an entity, as they are stored."""
    return _Neighbours.stored(entity_id, points, tolerances).window(day)


@dataclass(frozen=True, slots=True)
class _Own:
    """What an event makes of its own point.

    Attributes:
        change: What changes; None when the point stays as it was.
        point: The point after the event; None when there is none.
        outcome, flags: Of the event's raw record.
    """

    change: Change | None
    point: Point | None
    outcome: Outcome | None
    flags: tuple[str, ...]


def _own_point(
    event: avro.NormalizedObservation,
    framed: bytes,
    previous: Point | None,
    before: _Neighbours,
    generation: int,
) -> _Own:
    upsert = event["event"] == "upsert"
    day = _day(event, before.tolerances) if upsert else None
    aggregate_flags = previous.aggregate_flags if previous is not None else ()
    evaluated = event if day is None else before.evaluated(event, day, aggregate_flags)
    stored = None if previous is None else previous.stored
    succession = succeed(evaluated, framed, stored, generation, observation_id)
    flags = _outcome_flags(evaluated, succession.outcome)
    if succession.stored is stored:
        return _Own(None, previous, succession.outcome, flags)
    kept = event if upsert or previous is None else previous.normalized
    published = None
    if succession.published is not None:
        published = evaluated if upsert else kept
    aggregate_known_at = previous.aggregate_known_at if previous is not None else None
    point = None
    known_at = event["order"]["fetched_at"]
    if succession.stored is not None:
        point = Point(succession.stored, kept, aggregate_flags, aggregate_known_at, day)
        if published is not None:
            known_at = before.known_at(point)
    change = Change(
        event["record_id"],
        succession.stored,
        aggregate_flags,
        aggregate_known_at,
        known_at,
        published,
    )
    return _Own(change, point, succession.outcome, flags)


def _apply_verdict(
    event: avro.NormalizedObservation,
    previous: Point | None,
    neighbours: _Neighbours,
    generation: int,
) -> Observed:
    """Apply what the checks across scopes say; it is no raw record, so it has no outcome."""
    aggregate_flags = tuple(event["flags"])
    if previous is None or previous.aggregate_flags == aggregate_flags:
        return Observed((), None, ())
    aggregate_known_at = event["order"]["fetched_at"]
    point = replace(
        previous, aggregate_flags=aggregate_flags, aggregate_known_at=aggregate_known_at
    )
    change = _published_again(previous, neighbours, point, neighbours, generation)
    if change is None:
        change = Change(
            event["record_id"],
            previous.stored,
            aggregate_flags,
            aggregate_known_at,
            neighbours.known_at(point),
            None,
        )
    return Observed((change,), None, ())


def _outcome_flags(
    evaluated: avro.NormalizedObservation, outcome: Outcome | None
) -> tuple[str, ...]:
    """Flags of an accepted record, as an outcome keeps them.

    The next day may just be on its way in another partition, so its absence is left to the
    canonical record, from which the flag goes away when it comes.
    """
    return _counted(evaluated) if outcome in ("changed", "unchanged") else ()


def _counted(evaluated: avro.NormalizedObservation) -> tuple[str, ...]:
    return tuple(flag for flag in evaluated["flags"] if flag != NEXT_DAY_OVERDUE.id)


def _dependents_again(
    changed: date, before: _Neighbours, after: _Neighbours, generation: int
) -> Iterator[Change]:
    """The points whose verdict depends on a changed day, where readers see a difference."""
    for gas_day in dependent_days(changed, after.tolerances):
        point = after.at(gas_day)
        if point is None:
            continue
        change = _published_again(point, before, point, after, generation)
        if change is not None:
            yield change


def _published_again(
    point_before: Point,
    before: _Neighbours,
    point_after: Point,
    after: _Neighbours,
    generation: int,
) -> Change | None:
    """A point under a new version, when its verdict changes what readers see.

    Args:
        point_before: The point before the event.
        before: Its neighbours then.
        point_after: The point after the event.
        after: Its neighbours then.
        generation: High part of the version.
    """
    if point_before.day is None or point_after.day is None:
        return None
    evaluated = after.evaluated(
        point_after.normalized, point_after.day, point_after.aggregate_flags
    )
    content = content_hash(evaluated)
    stored = point_after.stored
    if content == stored.content_hash:
        return None
    version = next_version(stored.version, generation, point_after.normalized["move_count"])
    evaluated_before = before.evaluated(
        point_before.normalized, point_before.day, point_before.aggregate_flags
    )
    flags = _counted(evaluated)
    return Change(
        point_after.normalized["record_id"],
        replace(stored, version=version, content_hash=content),
        point_after.aggregate_flags,
        point_after.aggregate_known_at,
        after.known_at(point_after),
        evaluated,
        reevaluated=None if flags == _counted(evaluated_before) else flags,
    )


def _day(record: avro.NormalizedObservation, tolerances: Tolerances) -> GasDay:
    day = record["lng_inventory"]
    assert day is not None
    return GasDay.from_avro(day, tolerances)
