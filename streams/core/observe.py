"""The observe decision: what one normalized point of a series changes, in itself and around it.

Pure. A point is judged among its neighbours; when it changes, the points that depend on it are
judged again, and each whose content is other than published gets a new version. They have no
outcome of their own: an outcome belongs to a raw record, and theirs was decided when it came.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from streams.core.history import (
    ONE_DAY,
    GasDay,
    Judgement,
    Window,
    days_before,
    dependent_days,
    judge,
    judged,
)
from streams.core.keys import observation_id, observation_record_id
from streams.core.records import AvroRecord, Outcome
from streams.core.succession import Held, content_hash, succeed
from streams.core.tolerances import Tolerances
from streams.core.versions import next_version


@dataclass(frozen=True, slots=True)
class Point:
    """State of one point.

    Attributes:
        normalized: Its last accepted record, decoded.
        day: The values its neighbours are judged by; None when it is withdrawn.
    """

    held: Held
    normalized: AvroRecord
    day: GasDay | None

    @classmethod
    def of(cls, held: Held, normalized: AvroRecord) -> Self:
        """The point of a state and its last accepted record."""
        current = held.status == "current"
        return cls(held, normalized, _day(normalized) if current else None)


Points = Callable[[str], Point | None]
"""Record id → the point held under it, of the source of the event."""


@dataclass(frozen=True, slots=True)
class Change:
    """New state of one point.

    Attributes:
        record_id: Whose.
        held: Its new state; None removes it.
        published: Record to publish as canonical, judged; None when readers see no difference.
    """

    record_id: str
    held: Held | None
    published: AvroRecord | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What follows from one event.

    Attributes:
        changes: The point of the event first, then those judged again, by day.
        outcome: Outcome of the event's raw record, None when another event of it has one.
        flags: Ids of the rules that flag the point now, sorted.
    """

    changes: tuple[Change, ...]
    outcome: Outcome | None
    flags: tuple[str, ...]

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
    entity_id = event["entity_id"]
    upsert = event["event"] == "upsert"
    as_judged = _judge(event, entity_id, points, tolerances) if upsert else event
    succession = succeed(
        as_judged, framed, before.held if before else None, generation, observation_id
    )
    flags = tuple(as_judged["flags"]) if succession.outcome in ("changed", "unchanged") else ()
    if succession.held is (before.held if before else None):
        return Observed((), succession.outcome, flags)
    published = None
    if succession.published is not None:
        published = as_judged if upsert or before is None else before.normalized
    own = Change(event["record_id"], succession.held, published)
    after = _point_after(event, succession.held, before)
    old_day = None if before is None else before.day
    new_day = None if after is None else after.day
    if old_day == new_day:
        return Observed((own,), succession.outcome, flags)

    def points_after(record_id: str) -> Point | None:
        return after if record_id == own.record_id else points(record_id)

    around = {day.gas_day for day in (old_day, new_day) if day is not None}
    again = _judge_again(entity_id, around, points_after, generation, tolerances)
    return Observed((own, *again), succession.outcome, flags)


def _point_after(event: AvroRecord, held: Held | None, before: Point | None) -> Point | None:
    if held is None:
        return None
    kept = event if event["event"] == "upsert" or before is None else before.normalized
    return Point.of(held, kept)


def _judge_again(
    entity_id: str,
    changed: set[date],
    points: Points,
    generation: int,
    tolerances: Tolerances,
) -> Iterator[Change]:
    dependents = {day for it in changed for day in dependent_days(it, tolerances)} - changed
    for gas_day in sorted(dependents):
        record_id = observation_record_id(entity_id, gas_day)
        point = points(record_id)
        if point is None or point.day is None:
            continue
        as_judged = _judge(point.normalized, entity_id, points, tolerances)
        content = content_hash(as_judged)
        if content == point.held.content_hash:
            continue
        version = next_version(point.held.version, generation, point.normalized["move_count"])
        held = replace(point.held, version=version, content_hash=content)
        yield Change(record_id, held, as_judged)


def _judge(
    record: AvroRecord, entity_id: str, points: Points, tolerances: Tolerances
) -> AvroRecord:
    day = _day(record)
    fetched_at = record["order"]["fetched_at"]
    verdict: Judgement = judge(
        day, _window(entity_id, day.gas_day, points, tolerances), fetched_at, tolerances
    )
    return judged(record, verdict)


def _day(record: AvroRecord) -> GasDay:
    return GasDay.from_avro(record[record["kind"]])


def _window(entity_id: str, day: date, points: Points, tolerances: Tolerances) -> Window:
    def held(distance: int) -> GasDay | None:
        point = points(observation_record_id(entity_id, day + distance * ONE_DAY))
        return None if point is None else point.day

    before = tuple(held(-distance) for distance in range(1, days_before(tolerances) + 1))
    return Window(before, held(1))
