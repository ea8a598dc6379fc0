"""What one normalized point of a series changes, in itself and around it.

Pure. A point is evaluated among its neighbours; when it changes, the points that depend on it are
re-evaluated, and each whose content is other than published gets a new version.

What neighbours and totals say of a point is said of the raw record that brought its content: the
flags of that outcome follow, until another record replaces the content. Then, as for one that says
the same again, its own checks alone count, for what it met by then is a matter of arrival.
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
        normalized: The record that brought its content, decoded.
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
        """The point of a state and the record that brought its content."""
        current = stored.status == "current"
        day = _day(normalized, tolerances) if current else None
        return cls(stored, normalized, aggregate_flags, aggregate_known_at, day)

    @property
    def since(self) -> datetime:
        """Fetch time of the raw record that brought its content, or withdrew it."""
        if self.day is None:
            return self.stored.order.fetched_at
        return self.normalized["order"]["fetched_at"]


@dataclass(frozen=True, slots=True)
class Reevaluated:
    """Flags that the outcome of a raw record has now, which is decided already.

    Attributes:
        brought: The normalized record by which it brought the content of a point.
        version: The last version of the point with that content.
        flags: Ids of the rules that flag it, sorted.
    """

    brought: avro.NormalizedObservation
    version: int
    flags: tuple[str, ...]


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
        reevaluated: The outcome of the raw record that brought its content, or did so before the
            event replaced it; None when its flags are as before.
    """

    record_id: str
    stored: StoredRecord | None
    aggregate_flags: tuple[str, ...]
    aggregate_known_at: datetime | None
    known_at: datetime
    published: avro.NormalizedObservation | None
    reevaluated: Reevaluated | None = None


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
        self,
        record: avro.NormalizedObservation,
        fetched_at: datetime,
        day: GasDay,
        aggregate_flags: tuple[str, ...],
    ) -> avro.NormalizedObservation:
        """A record as it is published among these neighbours, when last fetched at that time."""
        verdict = evaluate(day, self.window(day.gas_day), fetched_at, self.tolerances)
        return evaluated(record, verdict, aggregate_flags)

    def published(self, point: Point) -> avro.NormalizedObservation | None:
        """A point as it is published among these neighbours; None when it is withdrawn."""
        if point.day is None:
            return None
        fetched_at = point.stored.order.fetched_at
        return self.evaluated(point.normalized, fetched_at, point.day, point.aggregate_flags)

    def known_at(self, point: Point) -> datetime:
        """Fetch time of the newest raw record that a point's content follows from among these."""
        times = [point.since]
        if point.aggregate_known_at is not None:
            times.append(point.aggregate_known_at)
        if point.day is not None:
            gas_day = point.day.gas_day + ONE_DAY
            others = [self.at(gas_day)]
            gas_day -= ONE_DAY
            for _ in range(days_before(self.tolerances)):
                gas_day -= ONE_DAY
                others.append(self.at(gas_day))
            times += (near.since for near in others if near is not None)
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
    fetched_at = event["order"]["fetched_at"]
    evaluated = event if day is None else before.evaluated(event, fetched_at, day, aggregate_flags)
    stored = None if previous is None else previous.stored
    if previous is not None and _says_again(event, day, previous):
        # It may be later than the one that brought the content, which stays.
        succession = succeed(evaluated, previous.stored.record, stored, generation, observation_id)
        succession = replace(succession, outcome=_unchanged(succession.outcome))
        kept, flags = previous.normalized, _outcome_flags(event, succession.outcome)
        evaluated = {**evaluated, "order": kept["order"], "lineage": kept["lineage"]}
        replaced = None
    else:
        succession = succeed(evaluated, framed, stored, generation, observation_id)
        is_new = upsert and succession.published is not None
        kept = event if is_new or previous is None else previous.normalized
        flags = _outcome_flags(evaluated, succession.outcome)
        replaced = _replaced(event, previous, before) if succession.published else None
    if succession.stored is stored:
        return _Own(None, previous, succession.outcome, flags)
    published = None
    if succession.published is not None:
        published = evaluated if upsert else kept
    aggregate_known_at = previous.aggregate_known_at if previous is not None else None
    point = None
    known_at = fetched_at
    if succession.stored is not None:
        point = Point(succession.stored, kept, aggregate_flags, aggregate_known_at, day)
        if published is not None:
            known_at = max(fetched_at, before.known_at(point))
    change = Change(
        event["record_id"],
        succession.stored,
        aggregate_flags,
        aggregate_known_at,
        known_at,
        published,
        replaced,
    )
    return _Own(change, point, succession.outcome, flags)


def _says_again(event: avro.NormalizedObservation, day: GasDay | None, previous: Point) -> bool:
    """Whether another raw record says what a point's does."""
    if day is None or previous.day != day or _same_raw(event, previous):
        return False
    return content_hash(event) == content_hash(previous.normalized)


def _unchanged(outcome: Outcome | None) -> Outcome | None:
    return "unchanged" if outcome == "changed" else outcome


def _same_raw(event: avro.NormalizedObservation, point: Point) -> bool:
    """Whether it is from the raw record that brought a point's content."""
    return event["lineage"] == point.normalized["lineage"]


def _replaced(
    event: avro.NormalizedObservation, previous: Point | None, neighbours: _Neighbours
) -> Reevaluated | None:
    """The outcome of the raw record whose content is replaced, without what others said of it."""
    if previous is None or _same_raw(event, previous):
        return None
    published = neighbours.published(previous)
    flags = _counted(previous.normalized)
    if published is None or flags == _counted(published):
        return None
    return Reevaluated(previous.normalized, previous.stored.version, flags)


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
    evaluated_before = before.published(point_before)
    evaluated = after.published(point_after)
    if evaluated_before is None or evaluated is None:
        return None
    stored = point_after.stored
    content = content_hash(evaluated)
    if content == stored.content_hash:
        return None
    brought = point_after.normalized
    version = next_version(stored.version, generation, brought["move_count"])
    flags = _counted(evaluated)
    same_flags = flags == _counted(evaluated_before)
    return Change(
        brought["record_id"],
        replace(stored, version=version, content_hash=content),
        point_after.aggregate_flags,
        point_after.aggregate_known_at,
        after.known_at(point_after),
        evaluated,
        None if same_flags else Reevaluated(brought, version, flags),
    )


def _day(record: avro.NormalizedObservation, tolerances: Tolerances) -> GasDay:
    day = record["lng_inventory"]
    assert day is not None
    return GasDay.from_avro(day, tolerances)
