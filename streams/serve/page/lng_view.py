"""LNG at a glance and in detail, as data: against former years, and what was published first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean
from typing import Final

from streams.clickhouse.series_queries import Revision, Series, SeriesDay

FORMER_YEARS: Final = 5
LATE_DAYS: Final = 4
"""A series whose newest gas day is this much older than the newest of all is late."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One series on its newest gas day.

    Attributes:
        day: None: it reports nothing lately.
        former_pct: Fullness on the same day of former years, percent, newest year first; None where
            not known.
        mean_pct: Mean of those that are known; None: none is.
        change_pct: Fullness less that mean, in points; None where either is not known.
        late: Its newest gas day is old.
    """

    series: Series
    day: SeriesDay | None
    former_pct: Sequence[float | None]
    mean_pct: float | None
    change_pct: float | None
    late: bool


def same_day(day: date, years_before: int) -> date:
    """The same calendar day of a former year; of 29 February the 28th where there is none."""
    year = day.year - years_before
    if day.month == 2 and day.day == 29:
        return date(year, 3, 1) - timedelta(days=1)
    return day.replace(year=year)


def glances(
    series: Sequence[Series],
    newest: Mapping[str, SeriesDay],
    former: Sequence[Mapping[str, SeriesDay]],
) -> Sequence[Glance]:
    """Every series once, the fullest first within EU, countries and terminals.

    Args:
        series: All there are; of operators that share a terminal the newest one counts.
        newest: Newest gas day with figures, by series.
        former: The same day of each former year, newest year first, by series.
    """
    by_id: dict[str, Series] = {}
    for one in sorted(series, key=lambda one: one.last_gas_day):
        by_id[one.series_id] = one
    last = max((one.last_gas_day for one in series), default=date.min)
    found = [_glance(one, newest.get(one.series_id), former, last) for one in by_id.values()]
    return sorted(found, key=_place)


def _place(glance: Glance) -> tuple[bool, float, str]:
    fullness = glance.day.fullness_pct if glance.day else None
    return fullness is None, -(fullness or 0.0), glance.series.series_id


def _glance(
    series: Series,
    day: SeriesDay | None,
    former: Sequence[Mapping[str, SeriesDay]],
    last: date,
) -> Glance:
    past = [
        found.fullness_pct if (found := year.get(series.series_id)) else None for year in former
    ]
    known = [one for one in past if one is not None]
    mean = fmean(known) if known else None
    now = day.fullness_pct if day else None
    change = now - mean if now is not None and mean is not None else None
    late = day is None or (last - day.gas_day).days >= LATE_DAYS
    return Glance(series, day, past, mean, change, late)


def newest_days(days: Iterable[SeriesDay]) -> Mapping[str, SeriesDay]:
    """The newest gas day with an inventory, by series."""
    found: dict[str, SeriesDay] = {}
    for one in days:
        if one.inventory_gwh is None and one.inventory_thousand_m3_lng is None:
            continue
        if one.series_id not in found or found[one.series_id].gas_day < one.gas_day:
            found[one.series_id] = one
    return found


@dataclass(frozen=True, slots=True)
class Revised:
    """A gas day whose figures are others now than when they were first published.

    Attributes:
        first, now: Its first version, and the present one.
        versions: How many there are.
    """

    first: Revision
    now: Revision
    versions: int

    @property
    def change_gwh(self) -> float | None:
        """Inventory now less inventory first, GWh; None where either is not known."""
        if self.first.inventory_gwh is None or self.now.inventory_gwh is None:
            return None
        return self.now.inventory_gwh - self.first.inventory_gwh


def revised(revisions: Iterable[Revision]) -> Sequence[Revised]:
    """Gas days whose inventory, send-out or status was changed after publication, newest first.

    Args:
        revisions: Every version, by gas day and then by when it was known. Where operators share
            a terminal, each is compared with itself.
    """
    by_day: dict[tuple[date, str], list[Revision]] = {}
    for one in revisions:
        if one.record_status == "current":
            by_day.setdefault((one.gas_day, one.entity_id), []).append(one)
    found = [
        Revised(versions[0], max(versions, key=lambda one: one.version), len(versions))
        for _, versions in sorted(by_day.items(), reverse=True)
    ]
    return [one for one in found if _figures(one.first) != _figures(one.now)]


def _figures(day: SeriesDay) -> tuple[float | str | None, ...]:
    return (day.inventory_gwh, day.inventory_thousand_m3_lng, day.send_out_gwh_per_day, day.status)
