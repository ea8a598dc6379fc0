"""Gas days of LNG terminals, countries and the EU: now, as known at a time, and every version."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import strawberry

from streams.clickhouse import bounds
from streams.clickhouse.series_queries import (
    Revision,
    Series,
    SeriesDay,
    Vintage,
    series_revisions,
    series_vintages,
)
from streams.serve.graphql.assets import Context
from streams.serve.graphql.cost import MOST_DAYS
from streams.serve.graphql.loaders import DaysAsked
from streams.serve.graphql.scalars import Time, mirrored, moment_of, time_or_day
from streams.serve.problems import wrong_parameters
from streams.serve.series import DEFAULT_DAYS

MOST_VINTAGES: Final = 1000
_MOST_REVISIONS: Final = 2_000


@strawberry.type(description="One gas day of one series; null is not reported.")
class LngInventory:
    """A gas day."""

    ts: datetime = strawberry.field(description="Start of the gas day.")
    ts_end: datetime = strawberry.field(description="End of the gas day.")
    gas_day: date
    series_id: str
    entity_id: str = strawberry.field(
        description="Whose figures they are, where operators share a terminal."
    )
    status: str
    inventory_gwh: float | None
    inventory_thousand_m3_lng: float | None
    send_out_gwh: float | None = strawberry.field(description="Gas sent out that day, GWh.")
    dtmi_gwh: float | None = strawberry.field(description="Declared maximum inventory, GWh.")
    dtrs_gwh_per_day: float | None = strawberry.field(
        description="Declared reference send-out, GWh/d."
    )
    fullness_pct: float | None = strawberry.field(
        description="Derived: inventory over declared maximum, percent."
    )
    ship_unloading_gwh: float | None
    ship_unloading_uncertainty_gwh: float | None
    ship_unloading_method: str | None
    flags: list[str]
    version: str
    observed_at: datetime
    known_at: datetime


@strawberry.type(description="One version of a gas day of one entity.")
class LngInventoryRevision(LngInventory):
    """A version."""

    record_status: str
    published_at: datetime | None


_NAMES: Final = {
    "ts": "gas_day_start",
    "ts_end": "gas_day_end",
    "send_out_gwh": "send_out_gwh_per_day",
}


async def lng_inventory(
    info: Context,
    terminal_id: str,
    start_time: Time | None = None,
    end_time: Time | None = None,
    known_at: Time | None = None,
) -> list[LngInventory]:
    """Gas days that begin from one time to another, one a series and day."""
    series_ids, wanted = _wanted(info, terminal_id, start_time, end_time)
    moment = moment_of("knownAt", known_at)
    keys = [DaysAsked(name, wanted.first, wanted.last, moment) for name in series_ids]
    found = await info.context.days.load_many(keys)
    days = [day for of_series in found for day in of_series if wanted.has(day)]
    return [_day(LngInventory, day) for day in days]


async def lng_inventory_revisions(
    info: Context,
    terminal_id: str,
    start_time: Time | None = None,
    end_time: Time | None = None,
) -> list[LngInventoryRevision]:
    """Every version of those gas days, by day and then by when it was known."""
    series_ids, wanted = _wanted(info, terminal_id, start_time, end_time)
    entities = [one.entity_id for one in info.context.services.directory.entities(series_ids)]
    query = series_revisions(entities, wanted.first, wanted.last, _MOST_REVISIONS + 1)
    found: Sequence[Revision] = await info.context.services.reader.rows(query)
    if len(found) > _MOST_REVISIONS:
        allowed = f"earlier: these days have more than {_MOST_REVISIONS:,} versions"
        raise wrong_parameters([("endTime", allowed)])
    return [_day(LngInventoryRevision, day) for day in found if wanted.has(day)]


async def lng_inventory_vintages(
    info: Context, terminal_id: str, first: int = 100
) -> list[mirrored(Vintage)]:  # type: ignore[valid-type]
    """The times at which something about a series became known, newest first."""
    limit = bounds.whole("first", first, 1, MOST_VINTAGES)
    directory = info.context.services.directory
    entities = [one.entity_id for one in directory.entities(directory.named(terminal_id))]
    query = series_vintages(entities, bounds.FIRST_DAY, bounds.LAST_DAY, limit)
    return list(await info.context.services.reader.rows(query))


async def lng_series(info: Context) -> list[mirrored(Series)]:  # type: ignore[valid-type]
    """Every series of gas days: terminals, countries and the EU."""
    return list(info.context.services.directory.all)


class _Range:
    """From one time to another, both included; a day means its gas day."""

    def __init__(self, start: date | datetime, end: date | datetime) -> None:
        self._start, self._end = start, end
        # A gas day begins on its date, in UTC the evening before at the earliest.
        self.first = max(_date(start), bounds.FIRST_DAY)
        self.last = min(_date(end) + timedelta(days=isinstance(end, datetime)), bounds.LAST_DAY)

    def has(self, day: SeriesDay) -> bool:
        """Whether a gas day begins in it."""
        after = _moment_of(day, self._start) >= self._start
        return bool(after and _moment_of(day, self._end) <= self._end)


def _wanted(
    info: Context, terminal_id: str, start_time: str | None, end_time: str | None
) -> tuple[Sequence[str], _Range]:
    directory = info.context.services.directory
    series_ids = directory.named(bounds.text("terminalId", terminal_id))
    if end_time is None:
        end: date | datetime = max(one.last_gas_day for one in directory.entities(series_ids))
    else:
        end = time_or_day("endTime", end_time)
    if start_time is None:
        days = min(DEFAULT_DAYS - 1, (_date(end) - bounds.FIRST_DAY).days)
        start: date | datetime = _date(end) - timedelta(days=days)
    else:
        start = time_or_day("startTime", start_time)
    if end_time is None and start_time is not None:
        end = max(_date(start), min(end, _date(start) + timedelta(days=MOST_DAYS - 1)))
    days = (_date(end) - _date(start)).days + 1
    if days < 1 or (type(start) is type(end) and start > end):
        raise wrong_parameters([("startTime", f"no later than the endTime, {end.isoformat()}")])
    if days > MOST_DAYS:
        last = _date(start) + timedelta(days=MOST_DAYS - 1)
        raise wrong_parameters(
            [
                (
                    "endTime",
                    f"{last} or earlier: a page has {MOST_DAYS} gas days; ask for the rest with "
                    f"startTime {last + timedelta(days=1)}, or for all of them by REST",
                )
            ]
        )
    return series_ids, _Range(start, end)


def _date(moment: date | datetime) -> date:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).date()
    return moment


def _moment_of(day: SeriesDay, like: date | datetime) -> Any:
    return day.gas_day_start if isinstance(like, datetime) else day.gas_day


def _day(made: Any, day: SeriesDay) -> Any:
    names: Iterable[str] = (field.name for field in fields(made))
    return made(**{name: getattr(day, _NAMES.get(name, name)) for name in names})
