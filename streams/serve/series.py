"""Series of gas days: now, as they were known, every version, and when something became known."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.bounds import FIRST_DAY, LAST_DAY, MOST_ROWS
from streams.clickhouse.series_queries import (
    Revision,
    Series,
    SeriesDay,
    day_table,
    find_series,
    prepared_days,
    series_days,
    series_known_at,
    series_revisions,
    series_vintages,
)
from streams.clickhouse.table import Column
from streams.clickhouse.tables import kinds
from streams.serve.addresses import PREFIX
from streams.serve.coalesce import Coalescer
from streams.serve.data_version import DataVersion
from streams.serve.formats import TABULAR, Format, chosen, download
from streams.serve.kept import Kept
from streams.serve.openapi import Schema, answers, row_schema
from streams.serve.parameters import KNOWN_AT, Asked, Day, Moment
from streams.serve.pool import Reader
from streams.serve.problems import not_found, wrong_parameters

DEFAULT_DAYS: Final = 60
_MOST_RANGES: Final = 1000
_MOST_VINTAGES: Final = 10_000
_ADDRESS: Final = "lng-inventory"

SeriesName = Annotated[
    str,
    Path(
        description="A terminal's readable id, an EIC, a country code, or EU.",
        min_length=1,
        max_length=100,
        pattern=r"^[\w.-]+$",
    ),
]


class DaysAsked(Asked):
    """Which gas days."""

    start_date: Day | None = Field(
        None,
        description=f"First gas day; left out: {DEFAULT_DAYS} days before the last one.",
        examples=["2025-10-01"],
    )
    end_date: Day | None = Field(
        None,
        description="Last gas day; left out: the newest there is.",
        examples=["2100-01-01"],
    )


class SeriesAsked(DaysAsked):
    """Parameters of one series."""

    known_at: Moment | None = Field(None, description=KNOWN_AT)
    revisions: Literal["all"] | None = Field(
        None, description="Every version of every gas day.", examples=["all"]
    )
    format: Literal[TABULAR] | None = Field(  # type: ignore[valid-type]
        None, description="Wins over `Accept`.", examples=[str(one) for one in TABULAR]
    )


class SeriesDirectory:
    """Every series by its names; as new as the version of the data.

    A name leads to whole series: where operators share a terminal, either one's EIC does.
    """

    def __init__(self, reader: Reader, version: DataVersion) -> None:
        self._reader = reader
        self._by_name: dict[str, list[str]] = {}
        self._entities: dict[str, list[Series]] = {}
        self.all: Sequence[Series] = ()
        version.before_change(self._read)

    def named(self, name: str) -> Sequence[str]:
        """Ids of the series of a name, in any case.

        Raises:
            ProblemError: there is none.
        """
        found = self._by_name.get(name.upper())
        if found is None:
            raise not_found(
                f"No series is named {name}: {_ADDRESS} lists them; a name is a terminal's id such "
                "as ES_BARCELONA, an EIC, a country code, or EU."
            )
        return found

    def entities(self, series_ids: Iterable[str]) -> Sequence[Series]:
        """Who reports some series."""
        return [one for name in series_ids for one in self._entities.get(name, ())]

    async def _read(self) -> None:
        found = await self._reader.rows(find_series())
        by_name: dict[str, dict[str, None]] = {}
        entities: dict[str, list[Series]] = {}
        for one in found:
            entities.setdefault(one.series_id, []).append(one)
            for name in (one.series_id, one.entity_id, one.facility_eic, one.company_eic):
                if name:
                    by_name.setdefault(name.upper(), {})[one.series_id] = None
        self._by_name = {name: list(ids) for name, ids in by_name.items()}
        self._entities, self.all = entities, found


class SeriesReader:
    """Reads gas days as JSON; series asked for together for the same days with one query.

    What was read is kept: everybody asks for the same few series.
    """

    def __init__(self, reader: Reader, directory: SeriesDirectory, kept: Kept) -> None:
        self._reader = reader
        self._directory = directory
        self._kept = kept
        self._coalescers: dict[tuple[date, date], Coalescer[str, bytes]] = {}

    async def days(self, series_ids: Sequence[str], first: date, last: date) -> Sequence[bytes]:
        """Gas days as JSON objects apart by commas, of each series that has any."""
        found = await asyncio.gather(*(self._days(name, first, last) for name in series_ids))
        return [one for one in found if one is not None]

    async def _days(self, series_id: str, first: date, last: date) -> bytes | None:
        read = partial(self._coalescer(first, last).get, series_id)
        return await self._kept.get((SeriesReader, series_id, first, last), read)

    def _coalescer(self, first: date, last: date) -> Coalescer[str, bytes]:
        coalescer = self._coalescers.get((first, last))
        if coalescer is None:
            if len(self._coalescers) >= _MOST_RANGES:
                self._coalescers = {k: one for k, one in self._coalescers.items() if not one.idle}
            coalescer = Coalescer(partial(self._fetch, first, last))
            self._coalescers[first, last] = coalescer
        return coalescer

    async def _fetch(
        self, first: date, last: date, series_ids: Collection[str]
    ) -> Mapping[str, bytes]:
        entities = [one.entity_id for one in self._directory.entities(series_ids)]
        answer = await self._reader.answer(prepared_days(entities, first, last), "TSVRaw")
        found: dict[bytes, list[bytes]] = {}
        for line in answer.split(b"\n"):
            # Neither an id nor JSON of ClickHouse has a tab or a line feed.
            name, _, day = line.partition(b"\t")
            if day:
                found.setdefault(name, []).append(day)
        return {name.decode(): b",".join(days) for name, days in found.items()}


def series(reader: Reader, directory: SeriesDirectory, kept: Kept) -> APIRouter:
    """The addresses of the series."""
    router = APIRouter(prefix=f"{PREFIX}/{_ADDRESS}", tags=["series"])
    days = SeriesReader(reader, directory, kept)

    @router.get(
        "",
        summary="Every series of gas days: terminals, countries and the EU",
        operation_id="list_lng_inventory",
        responses=answers(_of_rows(_series_schema())),
    )
    async def every(asked: Annotated[Asked, Query()]) -> Response:
        return _json(b'{"data":' + _series_json(directory.all) + b"}")

    @router.get(
        "/{name}",
        summary="Gas days of one series: LNG in the tanks and gas sent out",
        operation_id="get_lng_inventory",
        responses=answers(_of_rows(_day_schema(), series=_series_schema()), TABULAR, 404),
    )
    async def one(
        request: Request, name: SeriesName, asked: Annotated[SeriesAsked, Query()]
    ) -> Response:
        output_format = chosen(request, asked.format, TABULAR)
        series_ids = directory.named(name)
        of_series = directory.entities(series_ids)
        first, last = _range(of_series, asked)
        if output_format is Format.JSON and asked.known_at is None and asked.revisions is None:
            found = await days.days(series_ids, first, last)
            return _with_series(of_series, b",".join(found))
        table = _table(asked, [one.entity_id for one in of_series], first, last)
        if output_format is Format.JSON:
            rows = (await reader.answer(table, "JSONEachRow")).splitlines()
            return _with_series(of_series, b",".join(rows))
        return await download(reader, table, output_format, f"lng-inventory-{name}", {})

    @router.get(
        "/{name}/vintages",
        summary="When something about a series became known, newest first",
        operation_id="get_lng_inventory_vintages",
        responses=answers(_of_rows(_VINTAGE), (), 404),
    )
    async def vintages(name: SeriesName, asked: Annotated[DaysAsked, Query()]) -> Response:
        entities = [one.entity_id for one in directory.entities(directory.named(name))]
        first = asked.start_date or FIRST_DAY
        last = asked.end_date or LAST_DAY
        _require_order(first, last)
        found = await reader.rows(series_vintages(entities, first, last, _MOST_VINTAGES))
        return _json(orjson.dumps({"data": list(found)}, option=orjson.OPT_UTC_Z))

    return router


def _range(of_series: Sequence[Series], asked: DaysAsked) -> tuple[date, date]:
    last = asked.end_date or max(one.last_gas_day for one in of_series)
    earliest = max(FIRST_DAY, last - timedelta(days=min(DEFAULT_DAYS - 1, (last - FIRST_DAY).days)))
    first = asked.start_date or earliest
    if asked.end_date is None:
        last = max(first, last)
    _require_order(first, last)
    return first, last


def _require_order(first: date, last: date) -> None:
    if first > last:
        raise wrong_parameters([("start_date", f"no later than the end_date, {last}")])


def _table(
    asked: SeriesAsked, entity_ids: Sequence[str], first: date, last: date
) -> BoundQuery[Any]:
    if asked.revisions is not None:
        if asked.known_at is not None:
            raise wrong_parameters([("known_at", "left out with revisions, which show it")])
        return day_table(series_revisions(entity_ids, first, last, MOST_ROWS))
    if asked.known_at is not None:
        return day_table(series_known_at(entity_ids, first, last, asked.known_at))
    return day_table(series_days(entity_ids, first, last))


def _with_series(of_series: Sequence[Series], rows: bytes) -> Response:
    return _json(b'{"series":' + _series_json(of_series) + b',"data":[' + rows + b"]}")


def _series_json(of_series: Sequence[Series]) -> bytes:
    return orjson.dumps(list(of_series))


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _of_rows(row: Schema, **more: Schema) -> Schema:
    properties = {name: {"type": "array", "items": one} for name, one in more.items()}
    return {
        "type": "object",
        "required": [*more, "data"],
        "properties": properties | {"data": {"type": "array", "items": row}},
    }


def _columns(row: Any, *more: Column) -> Sequence[Column]:
    known = {column.name: column for column in kinds()["lng_inventory"].versions.columns}
    known |= {column.name: column for column in more}
    return [known[name] for name in row.__dataclass_fields__]


_SERIES_ID: Final = Column("series_id", "String", "ES_BARCELONA, a country code, or EU.")


def _day_schema() -> Schema:
    day = row_schema(_columns(SeriesDay, _SERIES_ID))
    revision = row_schema(_columns(Revision, _SERIES_ID))["properties"]
    day["properties"] |= {
        name: schema | {"description": f"Only with revisions: {schema['description']}"}
        for name, schema in revision.items()
        if name not in day["properties"]
    }
    return day


def _series_schema() -> Schema:
    return row_schema(
        _columns(
            Series,
            _SERIES_ID,
            Column("first_gas_day", "Date32", "First gas day there is."),
            Column("last_gas_day", "Date32", "Last gas day there is."),
        )
    )


_VINTAGE: Final = row_schema(
    (
        Column("known_at", "DateTime64(3, 'UTC')", "When it became known."),
        Column("versions", "Int64", "New versions of gas days."),
        Column("first_gas_day", "Date32", "First of those gas days."),
        Column("last_gas_day", "Date32", "Last of those gas days."),
    )
)
