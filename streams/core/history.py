"""Rules that look at neighbour days of one entity, and what is derived from them.

A verdict is a pure function of a gas day and its declared neighbours: `days_before` days before it
and the day after. When a day changes, its dependents are re-evaluated, so that any order of arrival
gives the same flags. These rules flag, they never reject: the neighbour may be the wrong one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

from streams.core import contract_types as avro
from streams.core import flag_rules
from streams.core.rule import Rule
from streams.core.tolerances import EnergyPerVolume, Tolerances
from streams.core.unloading import NOT_DERIVED, GasDayBalance, UnloadingFields, unloading_gwh

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GasDay:
    """What the rules need of one accepted gas day of one entity. None means not reported.

    Attributes:
        balance: Inventory, send-out and status.
        stored_gwh: What the tanks may have held, GWh: one reading, or two where energy and volume
            disagree. Which of them is wrong cannot be known from the day alone: before 2019 it is
            mostly the energy, on 2018-10-09 it was the volume.
    """

    gas_day: date
    gas_day_end: datetime
    balance: GasDayBalance
    dtmi_gwh: float | None
    dtmi_thousand_m3_lng: float | None
    dtrs_gwh_per_day: float | None
    stored_gwh: tuple[float, ...]

    @classmethod
    def from_avro(cls, lng_inventory: avro.LngInventory, limits: Tolerances) -> Self:
        """From the payload `lng_inventory` of a normalized record."""
        balance = GasDayBalance.from_avro(lng_inventory)
        return cls(
            balance.gas_day,
            lng_inventory["gas_day_end"],
            balance,
            lng_inventory["dtmi_gwh"],
            lng_inventory["dtmi_thousand_m3_lng"],
            lng_inventory["dtrs_gwh_per_day"],
            _stored_gwh(balance, limits.lng.energy_per_volume_gwh_per_thousand_m3),
        )


def _stored_gwh(day: GasDayBalance, per_volume: EnergyPerVolume) -> tuple[float, ...]:
    if day.status == "no_data":
        return ()
    energy, volume = day.inventory_gwh, day.inventory_thousand_m3_lng
    if volume is None:
        return () if energy is None else (energy,)
    converted = volume * per_volume.nominal
    if energy is None:
        return (converted,)
    if volume > 0 and not per_volume.excludes(energy / volume):
        return (energy,)
    return (energy, converted)


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbours of a gas day; None where no day is stored.

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
class Evaluation:
    """What the neighbours say about a gas day.

    Attributes:
        flags: Ids of the rules that flag it, sorted.
        derived: Fields of the payload that follow from the neighbours.
    """

    flags: tuple[str, ...]
    derived: UnloadingFields


def days_before(tolerances: Tolerances) -> int:
    """How many days before a gas day its verdict depends on."""
    return max(1, tolerances.lng.stuck_days - 1)


def dependent_days(day: date, tolerances: Tolerances) -> Iterator[date]:
    """Days whose verdict depends on a day: the one before, and those that look back at it."""
    yield day - ONE_DAY
    for distance in range(1, days_before(tolerances) + 1):
        yield day + distance * ONE_DAY


def evaluate(day: GasDay, window: Window, fetched_at: datetime, limits: Tolerances) -> Evaluation:
    """The verdict of the neighbours on a gas day.

    Args:
        day: The day.
        window: Its neighbours.
        fetched_at: When the record of the day was fetched, the only clock.
        limits: Tolerances.
    """
    flags = [
        check.rule.id for check in HISTORY_CHECKS if check.fails(day, window, fetched_at, limits)
    ]
    flags.sort()
    unloaded = window.after and unloading_gwh(day.balance, window.after.balance)
    return Evaluation(tuple(flags), unloaded.to_avro() if unloaded else NOT_DERIVED)


def evaluated(
    record: avro.NormalizedObservation, evaluation: Evaluation, aggregate_flags: Sequence[str] = ()
) -> avro.NormalizedObservation:
    """A normalized record with the verdicts of its neighbours and of the checks across scopes."""
    day = record["lng_inventory"]
    assert day is not None
    flags = record["flags"]
    if evaluation.flags or aggregate_flags:
        flags = sorted({*flags, *evaluation.flags, *aggregate_flags})
    return {**record, "flags": flags, "lng_inventory": {**day, **evaluation.derived}}


def inventory_jump(day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances) -> bool:
    """A reported inventory differs from the day before by more than ships and send-out explain."""
    previous = window.previous
    if previous is None or not previous.stored_gwh:
        return False
    share = limits.lng.jump.share
    for stored in day.stored_gwh:
        for base in previous.stored_gwh:
            if abs(stored - base) <= share * base:
                break
        else:
            if not _explained(stored, previous, day, limits):
                return True
    return False


def _explained(stored: float, previous: GasDay, day: GasDay, limits: Tolerances) -> bool:
    """Whether ships or send-out lead from a reading of the day before to this one."""
    reference = previous.dtrs_gwh_per_day or day.dtrs_gwh_per_day or 0.0
    # Without a send-out the whole reference may have left.
    sent_out = previous.balance.send_out_gwh_per_day
    most_fall = reference if sent_out is None else sent_out
    most_fall += limits.lng.mass_balance_gap_share * reference
    jump = limits.lng.jump
    most_rise = max(jump.unloaded_gwh_per_day, jump.unloaded_per_reference * reference)
    most_rise -= sent_out or 0.0
    return any(-most_fall <= stored - base <= most_rise for base in previous.stored_gwh)


def mass_balance_open(
    day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances
) -> bool:
    """The inventory fell since the day before by more than that day's send-out."""
    previous = window.previous
    if previous is None or not previous.stored_gwh or not day.stored_gwh:
        return False
    sent_out = previous.balance.send_out_gwh_per_day
    least = min(previous.stored_gwh)
    if sent_out is None:
        return False
    unloaded = max(day.stored_gwh) - least + sent_out
    if unloaded >= 0:
        return False
    reference = previous.dtrs_gwh_per_day or day.dtrs_gwh_per_day or least
    return unloaded < -limits.lng.mass_balance_gap_share * reference


def value_stuck(day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances) -> bool:
    """Inventory and send-out repeat for so many days although gas is sent out."""
    previous = window.previous
    if previous is None or not day.balance.send_out_gwh_per_day or not day.stored_gwh:
        return False
    reported = _reported(day)
    if _reported(previous) != reported:
        return False
    return all(
        earlier is not None and _reported(earlier) == reported
        for earlier in window.before[: limits.lng.stuck_days - 1]
    )


def _reported(day: GasDay) -> tuple[float | None, float | None, float | None]:
    balance = day.balance
    return (
        balance.inventory_gwh,
        balance.inventory_thousand_m3_lng,
        balance.send_out_gwh_per_day,
    )


def inventory_above_capacity(
    day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances
) -> bool:
    """More in tanks than the declared maximum, of the day or of its nearest neighbour."""
    most = 1 + limits.lng.inventory_above_capacity_share
    balance = day.balance
    energy, volume = balance.inventory_gwh, balance.inventory_thousand_m3_lng
    # A capacity of zero is how some rows write "none declared".
    if energy is not None:
        capacity = day.dtmi_gwh or _near(window, "dtmi_gwh")
        if capacity and energy > capacity * most:
            return True
    if volume is not None:
        capacity = day.dtmi_thousand_m3_lng or _near(window, "dtmi_thousand_m3_lng")
        return bool(capacity) and volume > capacity * most
    return False


def send_out_above_reference(
    day: GasDay, window: Window, _fetched_at: datetime, limits: Tolerances
) -> bool:
    """More sent out than the declared reference, of the day or of its nearest neighbour."""
    sent_out = day.balance.send_out_gwh_per_day
    if sent_out is None:
        return False
    reference = day.dtrs_gwh_per_day or _near(window, "dtrs_gwh_per_day")
    return bool(reference) and sent_out > reference * (
        1 + limits.lng.send_out_above_reference_share
    )


def _near(window: Window, field: str) -> float:
    """A declared capacity of the day before, else of the day after, else 0."""
    for day in (window.before[0], window.after):
        if day is not None and (capacity := getattr(day, field)):
            return float(capacity)
    return 0.0


def next_day_overdue(day: GasDay, window: Window, fetched_at: datetime, limits: Tolerances) -> bool:
    """The next gas day was due when this one was fetched, and is not there."""
    # A day later by the clock of UTC: an hour off at a clock change, the grace is longer.
    due = day.gas_day_end + ONE_DAY + limits.timeliness.gas_day.allowed
    return window.after is None and fetched_at > due


HISTORY_CHECKS: Sequence[HistoryCheck] = (
    HistoryCheck(flag_rules.INVENTORY_JUMP, inventory_jump),
    HistoryCheck(flag_rules.MASS_BALANCE_OPEN, mass_balance_open),
    HistoryCheck(flag_rules.VALUE_STUCK, value_stuck),
    HistoryCheck(flag_rules.INVENTORY_ABOVE_CAPACITY, inventory_above_capacity),
    HistoryCheck(flag_rules.SEND_OUT_ABOVE_REFERENCE, send_out_above_reference),
    HistoryCheck(flag_rules.NEXT_DAY_OVERDUE, next_day_overdue),
)
"""Checks of a gas day among its neighbours, all of them made whenever one of them changes."""
