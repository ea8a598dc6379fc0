"""Timeliness: against the source's own publication calendar, by the times in the record.

No clock: a record is as late as it was when it was fetched.
"""

from datetime import timedelta

from streams.core.payloads import LngInventory, Payload, PowerPlant
from streams.core.records import RawRecord
from streams.core.tolerances import Tolerances


def overdue(day: LngInventory, raw: RawRecord, limits: Tolerances) -> bool:
    """Nothing was reported for a gas day that was due when it was fetched."""
    reported = (
        day.inventory_gwh is not None
        or day.inventory_thousand_m3_lng is not None
        or day.send_out_gwh_per_day is not None
    )
    return not reported and raw.fetched_at > day.gas_day_end + limits.timeliness.gas_day.allowed


def release_overdue(_payload: Payload, raw: RawRecord, limits: Tolerances) -> bool:
    """The source had not renewed the record for longer than its publication period."""
    period_days = limits.timeliness.periods.get(raw.source_id)
    if period_days is None or raw.source_updated_at is None:
        return False
    return raw.fetched_at - raw.source_updated_at > timedelta(days=period_days)


def older_than_declared(plant: PowerPlant, raw: RawRecord, limits: Tolerances) -> bool:
    """The capacity is older than a source that is no longer updated declares it to be."""
    frozen = limits.timeliness.frozen.get(raw.source_id)
    if frozen is None or plant.capacity_year is None:
        return False
    return frozen.as_of.year - plant.capacity_year > frozen.most_age_years
