"""Rules that look at neighbour days of one entity, and what is derived from them.

A verdict is a pure function of a gas day and its declared neighbours: `days_before` days before it
and the day after. When a day changes, its dependents are judged again, so that any order of arrival
gives the same flags. These rules flag, they never reject: the neighbour may be the wrong one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Any, Self

from streams.core import flag_rules as rules
from streams.core.records import AvroRecord
from streams.core.rule import Rule
from streams.core.tolerances import Tolerances
from streams.core.unloading import NOT_DERIVED, GasDayBalance, unloading_gwh

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GasDay:
    """What the rules need of one accepted gas day of one entity. None means not reported."""

    gas_day: date
    gas_day_end: datetime
    status: str
    inventory_gwh: float | None
    inventory_thousand_m3_lng: float | None
    send_out_gwh_per_day: float | None
    dtmi_gwh: float | None
    dtmi_thousand_m3_lng: float | None
    dtrs_gwh_per_day: float | None

    @classmethod
    def from_avro(cls, lng_inventory: Mapping[str, Any]) -> Self:
        """From the payload `lng_inventory` of a normalized record."""
        return cls(*_gas_day_values(lng_inventory))


_gas_day_values = itemgetter(*(field.name for field in fields(GasDay)))


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbours of a gas day; None where no day is held.

    Attributes:
        before: The days before, nearest first; `days_before` of them.
        after: The next day.
    """

    before: tuple[GasDay | None, ...]
    after: GasDay | None

    @property
    def previous(self) -> GasDay | None:
        """The day before."""
        return self.before[0]


Fails = Callable[[GasDay, Window, datetime, Tolerances], bool]
"""(day, its neighbours, when the day was fetched, limits) → fails."""


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """A rule that flags, and the pure function of neighbour days that says when."""

    rule: Rule
    fails: Fails


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the neighbours say about a gas day.

    Attributes:
        flags: Ids of the rules that flag it, sorted.
        derived: Fields of the payload that follow from the neighbours.
    """

    flags: tuple[str, ...]
    derived: Mapping[str, Any]


def days_before(tolerances: Tolerances) -> int:
    """How many days before a gas day its verdict depends on."""
    return max(1, tolerances.lng.stuck_days - 1)


def dependent_days(day: date, tolerances: Tolerances) -> Iterator[date]:
    """Days whose verdict depends on a day: the one before, and those that look back at it."""
    yield day - ONE_DAY
    for distance in range(1, days_before(tolerances) + 1):
        yield day + distance * ONE_DAY


def judge(day: GasDay, window: Window, fetched_at: datetime, tolerances: Tolerances) -> Judgement:
    """The verdict of the neighbours on a gas day.

    Args:
        day: The day.
        window: Its neighbours.
        fetched_at: When the record of the day was fetched, the only clock.
        tolerances: Limits.
    """
    flags = [
        check.rule.id
        for check in HISTORY_CHECKS
        if check.fails(day, window, fetched_at, tolerances)
    ]
    return Judgement(tuple(sorted(flags)), _unloading(day, window))


def judged(record: AvroRecord, judgement: Judgement) -> AvroRecord:
    """A normalized record with the verdict of its neighbours."""
    kind = record["kind"]
    return {
        **record,
        "flags": sorted({*record["flags"], *judgement.flags}),
        kind: {**record[kind], **judgement.derived},
    }


def _unloading(day: GasDay, window: Window) -> Mapping[str, Any]:
    if window.after is None:
        return NOT_DERIVED
    found = unloading_gwh(_balance(day), _balance(window.after))
    return NOT_DERIVED if found is None else found.to_avro()


def _balance(day: GasDay) -> GasDayBalance:
    return GasDayBalance(
        day.gas_day,
        day.status,
        day.inventory_gwh,
        day.inventory_thousand_m3_lng,
        day.send_out_gwh_per_day,
    )


def inventory_jump(day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances) -> bool:
    """A reported inventory differs from the day before by more than ships and send-out explain."""
    previous = window.previous
    if previous is None:
        return False
    bases = _stored_gwh(previous, limits)
    if not bases:
        return False
    reference = _first(previous.dtrs_gwh_per_day, day.dtrs_gwh_per_day) or 0.0
    # Without a send-out the whole reference may have left.
    sent_out = previous.send_out_gwh_per_day
    most_fall = (reference if sent_out is None else sent_out) + _gap(reference, limits)
    jump = limits.lng.jump
    most_rise = max(jump.unloaded_gwh_per_day, jump.unloaded_per_reference * reference)
    most_rise -= sent_out or 0.0

    def explained(change: float, base: float) -> bool:
        return abs(change) <= jump.share * base or -most_fall <= change <= most_rise

    return any(
        not any(explained(stored - base, base) for base in bases)
        for stored in _stored_gwh(day, limits)
    )


def mass_balance_open(
    day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances
) -> bool:
    """The inventory fell since the day before by more than that day's send-out."""
    previous = window.previous
    if previous is None or previous.send_out_gwh_per_day is None:
        return False
    bases, stored = _stored_gwh(previous, limits), _stored_gwh(day, limits)
    if not bases or not stored:
        return False
    reference = _first(previous.dtrs_gwh_per_day, day.dtrs_gwh_per_day) or min(bases)
    unloaded = max(stored) - min(bases) + previous.send_out_gwh_per_day
    return unloaded < -_gap(reference, limits)


def value_stuck(day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances) -> bool:
    """Inventory and send-out repeat for so many days although gas is sent out."""
    reported = _reported(day)
    if not day.send_out_gwh_per_day or reported[:2] == (None, None):
        return False
    return all(
        earlier is not None and _reported(earlier) == reported
        for earlier in window.before[: limits.lng.stuck_days - 1]
    )


def inventory_above_capacity(
    day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances
) -> bool:
    """More in tanks than the declared maximum, of the day or of its nearest neighbour."""
    share = 1 + limits.lng.inventory_above_capacity_share
    near = _nearest(day, window)
    return _exceeds(day.inventory_gwh, _first(*(it.dtmi_gwh for it in near)), share) or _exceeds(
        day.inventory_thousand_m3_lng, _first(*(it.dtmi_thousand_m3_lng for it in near)), share
    )


def send_out_above_reference(
    day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances
) -> bool:
    """More sent out than the declared reference, of the day or of its nearest neighbour."""
    share = 1 + limits.lng.send_out_above_reference_share
    reference = _first(*(it.dtrs_gwh_per_day for it in _nearest(day, window)))
    return _exceeds(day.send_out_gwh_per_day, reference, share)


def next_day_overdue(day: GasDay, window: Window, fetched_at: datetime, limits: Tolerances) -> bool:
    """The next gas day was due when this one was fetched, and is not there."""
    # A day later by the clock of UTC: an hour off at a clock change, the grace is longer.
    due = day.gas_day_end + ONE_DAY + limits.timeliness.gas_day.allowed
    return window.after is None and fetched_at > due


HISTORY_CHECKS: Sequence[HistoryCheck] = (
    HistoryCheck(rules.INVENTORY_JUMP, inventory_jump),
    HistoryCheck(rules.MASS_BALANCE_OPEN, mass_balance_open),
    HistoryCheck(rules.VALUE_STUCK, value_stuck),
    HistoryCheck(rules.INVENTORY_ABOVE_CAPACITY, inventory_above_capacity),
    HistoryCheck(rules.SEND_OUT_ABOVE_REFERENCE, send_out_above_reference),
    HistoryCheck(rules.NEXT_DAY_OVERDUE, next_day_overdue),
)
"""Checks of a gas day among its neighbours, all of them made whenever one of them changes."""


def _stored_gwh(day: GasDay, limits: Tolerances) -> tuple[float, ...]:
    """What the tanks may have held, GWh: one reading, or two where energy and volume disagree.

    Which of the two is wrong cannot be told from the day alone: before 2019 it is mostly the
    energy, on 2018-10-09 it was the volume.
    """
    energy = day.inventory_gwh
    volume = day.inventory_thousand_m3_lng
    if day.status == "no_data":
        return ()
    if volume is None:
        return () if energy is None else (energy,)
    per_volume = limits.lng.energy_per_volume_gwh_per_thousand_m3
    converted = volume * per_volume.nominal
    if energy is None:
        return (converted,)
    if volume > 0 and not per_volume.excludes(energy / volume):
        return (energy,)
    return (energy, converted)


def _gap(reference: float, limits: Tolerances) -> float:
    return limits.lng.mass_balance_gap_share * reference


def _reported(day: GasDay) -> tuple[float | None, float | None, float | None]:
    return day.inventory_gwh, day.inventory_thousand_m3_lng, day.send_out_gwh_per_day


def _nearest(day: GasDay, window: Window) -> tuple[GasDay, ...]:
    return (day, *(it for it in (window.previous, window.after) if it is not None))


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _exceeds(value: float | None, most: float | None, share: float) -> bool:
    # A capacity of zero is how some rows write "none declared".
    return value is not None and bool(most) and value > (most or 0.0) * share
