"""Addresses of LNG: Europe at a glance, one series in detail, and their figures."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from streams.clickhouse.bounds import FIRST_DAY
from streams.clickhouse.series_queries import (
    Series,
    SeriesDay,
    series_days,
    series_known_at,
    series_revisions,
    series_vintages,
)
from streams.serve.addresses import PREFIX
from streams.serve.page import lng_figures
from streams.serve.page.lng_view import (
    FORMER_YEARS,
    LATE_DAYS,
    Revised,
    glances,
    newest_days,
    revised,
    same_day,
)
from streams.serve.page.palette import Theme
from streams.serve.page.rendering import Pages, figure_answer
from streams.serve.parameters import Asked, DayOrEmpty, given_day
from streams.serve.pool import Reader
from streams.serve.problems import not_found, wrong_parameters
from streams.serve.series import SeriesDirectory, SeriesName

_FIRST_DAYS: Final = 365
_MOST_DAYS: Final = 4000
_ROWS: Final = 60
_MOST_REVISIONS: Final = 20_000
_MOST_VINTAGES: Final = 60
_SHOWN_REVISIONS: Final = 40


class RangeAsked(Asked):
    """Which gas days, as known when; an empty field of the form is left out."""

    start: DayOrEmpty = None
    end: DayOrEmpty = None
    known_at: DayOrEmpty = None


class FigureAsked(RangeAsked):
    """What the figure looks like."""

    theme: Theme = "light"


class ThemeAsked(Asked):
    """The same, without a range."""

    theme: Theme = "light"


FigureName = Literal["fullness", "inventory", "send-out", "unloading", "revisions"]


class _Days:
    """Reads gas days of one series in a range."""

    def __init__(self, reader: Reader, directory: SeriesDirectory, name: str, asked: RangeAsked):
        self._reader = reader
        self.series = directory.entities(directory.named(name))
        self._entities = [one.entity_id for one in self.series]
        self.last = given_day(asked.end) or max(one.last_gas_day for one in self.series)
        earliest = max(FIRST_DAY, self.last - timedelta(days=_FIRST_DAYS - 1))
        self.first = given_day(asked.start) or earliest
        if self.first > self.last:
            raise wrong_parameters([("start", f"no later than the end, {self.last}")])
        if (self.last - self.first).days > _MOST_DAYS:
            raise wrong_parameters([("start", f"at most {_MOST_DAYS:,} days before the end")])
        self.known_day = given_day(asked.known_at)

    async def read(self, first: date | None = None) -> Sequence[SeriesDay]:
        """Gas days, as known now or at the end of a day."""
        first = first or self.first
        if self.known_day is None:
            return await self._reader.rows(series_days(self._entities, first, self.last))
        known_at = datetime.combine(self.known_day, time.max, UTC)
        query = series_known_at(self._entities, first, self.last, known_at)
        return await self._reader.rows(query)

    async def revised(self) -> Sequence[Revised]:
        """Gas days that were revised."""
        query = series_revisions(self._entities, self.first, self.last, _MOST_REVISIONS)
        return revised(await self._reader.rows(query))

    async def vintages(self) -> Sequence[date]:
        """Days on which something about these gas days became known, newest first."""
        query = series_vintages(self._entities, self.first, self.last, _MOST_VINTAGES)
        days = (one.known_at.date() for one in await self._reader.rows(query))
        return list(dict.fromkeys(days))


def lng_page(reader: Reader, directory: SeriesDirectory, pages: Pages) -> APIRouter:
    """The addresses of LNG."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("lng"))

    @router.get("/lng")
    async def europe(asked: Annotated[Asked, Query()]) -> Response:
        if not directory.all:
            return pages.answer("lng.html", "lng", last=None, scopes=[], years=[])
        last = max(one.last_gas_day for one in directory.all)
        entities = [one.entity_id for one in directory.all]
        recent = reader.rows(series_days(entities, last - timedelta(days=LATE_DAYS * 4), last))
        days = [same_day(last, year) for year in range(1, FORMER_YEARS + 1)]
        found, *former = await asyncio.gather(
            recent, *(reader.rows(series_days(entities, day, day)) for day in days)
        )
        seen = glances(directory.all, newest_days(found), [newest_days(one) for one in former])
        scopes = [
            (label, [one for one in seen if one.series.scope == scope])
            for scope, label in (
                ("eu", "European Union"),
                ("country", "Countries"),
                ("terminal", "Terminals"),
            )
        ]
        years = [day.year for day in days]
        return pages.answer("lng.html", "lng", last=last, scopes=scopes, years=years)

    @router.get("/lng/{name}")
    async def one(name: SeriesName, asked: Annotated[RangeAsked, Query()]) -> Response:
        wanted = _Days(reader, directory, name, asked)
        days, changed, vintages = await asyncio.gather(
            wanted.read(), wanted.revised(), wanted.vintages()
        )
        newest = newest_days(days)
        return pages.answer(
            "series.html",
            "lng",
            name=name,
            series=_main(wanted.series),
            operators=wanted.series,
            wanted=wanted,
            start=wanted.first,
            end=wanted.last,
            newest=next(iter(newest.values()), None),
            days=list(reversed(days))[:_ROWS],
            total=len(days),
            revised=changed[:_SHOWN_REVISIONS],
            revised_total=len(changed),
            vintages=vintages,
            query=_query(wanted),
            data=f"{PREFIX}/lng-inventory/{name}?{_data_query(wanted)}",
        )

    @router.get("/figures/lng/{name}/{figure}")
    async def figure(
        name: SeriesName, figure: FigureName, asked: Annotated[FigureAsked, Query()]
    ) -> Response:
        wanted = _Days(reader, directory, name, asked)
        if figure == "revisions":
            return figure_answer(lng_figures.revision_figure(await wanted.revised(), asked.theme))
        if figure == "fullness":
            year = wanted.last.year
            days = await wanted.read(max(FIRST_DAY, date(year - FORMER_YEARS, 1, 1)))
            return figure_answer(lng_figures.fullness_figure(days, asked.theme, year))
        draw = {
            "inventory": lng_figures.inventory_figure,
            "send-out": lng_figures.send_out_figure,
            "unloading": lng_figures.unloading_figure,
        }[figure]
        return figure_answer(draw(await wanted.read(), asked.theme))

    return router


def _main(series: Sequence[Series]) -> Series:
    if not series:
        raise not_found("No series has this name.")
    return max(series, key=lambda one: one.last_gas_day)


def _query(wanted: _Days) -> str:
    known = f"&known_at={wanted.known_day}" if wanted.known_day else ""
    return f"start={wanted.first}&end={wanted.last}{known}"


def _data_query(wanted: _Days) -> str:
    known = f"&known_at={wanted.known_day}T23:59:59Z" if wanted.known_day else ""
    return f"start_date={wanted.first}&end_date={wanted.last}{known}"
