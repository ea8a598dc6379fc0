"""Lists of the assets of a kind: filtered, sorted, paged, counted, in any format."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse import bounds
from streams.clickhouse.asset_queries import search_assets
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.kind_queries import (
    DISTANCE,
    RANK,
    After,
    Sort,
    count_kind,
    kind_features,
    list_kind,
    list_rows,
    sum_kind,
)
from streams.serve import cursors
from streams.serve.addresses import LISTS, PREFIX
from streams.serve.formats import ALL, TABULAR, Format, chosen, download
from streams.serve.kept import Kept
from streams.serve.list_parameters import ListAsked, Selection, list_model, selection
from streams.serve.openapi import list_answers
from streams.serve.pool import Reader
from streams.serve.problems import wrong_parameters

_ROWS_OF_A_PAGE: Final = 100
_MOST_HITS: Final = 1000


def lists(reader: Reader, kept: Kept) -> APIRouter:
    """The list of every kind."""
    router = APIRouter(prefix=PREFIX, tags=["lists"])
    for address, kind in LISTS.items():
        router.add_api_route(
            f"/{address}",
            _endpoint(reader, kept, kind, address),
            summary=f"Every {kind.replace('_', ' ')} some source lists",
            operation_id=f"list_{kind}",
            responses=list_answers(kind),
        )
    return router


def _endpoint(reader: Reader, kept: Kept, kind: str, address: str) -> Callable[..., Any]:
    async def read(request: Request, asked: ListAsked) -> Response:
        wanted = await searched(reader, kind, selection(kind, asked))
        if wanted.group_by or wanted.sum_of:
            return await _groups(reader, kept, request, kind, asked, wanted)
        output_format = chosen(request, asked.format, ALL)
        if output_format is Format.JSON:
            return await _page(reader, kept, request, kind, asked, wanted)
        return await _download(reader, request, kind, address, asked, wanted, output_format)

    # Each kind has parameters of its own; FastAPI reads them from here.
    read.__annotations__["asked"] = Annotated[list_model(kind), Query()]
    return read


async def searched(reader: Reader, kind: str, wanted: Selection) -> Selection:
    """With the hits of its search, where it has one."""
    if wanted.text is None:
        return wanted
    hits = await reader.rows(search_assets(wanted.text, [kind], _MOST_HITS))
    return wanted.with_hits([hit.record_id for hit in hits])


async def _groups(
    reader: Reader, kept: Kept, request: Request, kind: str, asked: ListAsked, wanted: Selection
) -> Response:
    output_format = chosen(request, asked.format, TABULAR)
    if output_format not in TABULAR:
        raise wrong_parameters([("format", "another than geojson together with group_by")])
    query = sum_kind(kind, wanted.group_by, wanted.sum_of, wanted.filters)
    if output_format is Format.JSON:
        return _json(await _lines(reader, kept, query, "JSONEachRow"), None, {})
    return await download(reader, query, output_format, f"{kind}-sums", {})


async def _page(
    reader: Reader,
    kept: Kept,
    request: Request,
    kind: str,
    asked: ListAsked,
    wanted: Selection,
) -> Response:
    sort = wanted.sort or best_sort(wanted)
    limit = asked.limit or _ROWS_OF_A_PAGE
    total = await _total(reader, kind, asked, wanted)
    query = list_rows(kind, wanted.filters, sort, after_of(wanted), limit + 1)
    rows = await _lines(reader, kept, query, "LineAsString")
    following = _next(request, wanted, sort, rows, limit)
    return _json(rows[:limit], total, cursors.link_to(following), following)


async def _lines(
    reader: Reader, kept: Kept, query: BoundQuery[Any], output_format: str
) -> Sequence[bytes]:
    key = (query.sql, repr(query.parameters))
    answer = await kept.get(key, partial(reader.answer, query, output_format))
    return (answer or b"").splitlines()


async def _total(reader: Reader, kind: str, asked: ListAsked, wanted: Selection) -> int | None:
    if not asked.total:
        return None
    return int(await reader.answer(count_kind(kind, wanted.filters), "TabSeparated"))


async def _download(
    reader: Reader,
    request: Request,
    kind: str,
    address: str,
    asked: ListAsked,
    wanted: Selection,
    output_format: Format,
) -> Response:
    sort = wanted.sort or best_sort(wanted)
    after = after_of(wanted)
    total = await _total(reader, kind, asked, wanted)
    following, until = None, None
    if asked.limit is not None:
        edge = list_kind(
            kind, wanted.filters, sort, after, asked.limit + 1, (sort.column, "record_id")
        )
        rows = (await reader.answer(edge, "JSONEachRow")).splitlines()
        following = _next(request, wanted, sort, rows, asked.limit)
        until = _row(rows[: asked.limit][-1], sort) if rows else None
    page: BoundQuery[Any]
    if output_format is Format.GEOJSON:
        page = kind_features(kind, wanted.filters, sort, after, bounds.MOST_ROWS, until)
    else:
        page = list_kind(kind, wanted.filters, sort, after, bounds.MOST_ROWS, until=until)
    headers = cursors.link_to(following) | ({} if total is None else {"X-Total-Count": str(total)})
    return await download(reader, page, output_format, address, headers)


def best_sort(wanted: Selection) -> Sort:
    """The order of a list where none is asked for."""
    if wanted.text is not None:
        return Sort(RANK)
    return Sort(DISTANCE) if wanted.filters.near is not None else Sort()


def after_of(wanted: Selection) -> After | None:
    """The last row of the page before, from the cursor.

    Raises:
        ProblemError: it is no cursor of this list.
    """
    if wanted.after is None:
        return None
    match cursors.read("cursor", wanted.after):
        case [wanted.bound, None | str() | float() | int() as value, str() as record_id]:
            return After(value, record_id)
    raise cursors.foreign("cursor")


def cursor_of(wanted: Selection, last: After) -> str:
    """The cursor of what comes after a row."""
    return cursors.written([wanted.bound, last.value, last.record_id])


def _next(
    request: Request, wanted: Selection, sort: Sort, rows: Sequence[bytes], limit: int
) -> str | None:
    """Address of the next page, relative; None after the last row.

    Hits have one page: their order changes with the data, so no place in it lasts.
    """
    if len(rows) <= limit or sort.column == RANK:
        return None
    place = cursor_of(wanted, _row(rows[limit - 1], sort))
    return cursors.next_page(request, place)


def _row(line: bytes, sort: Sort) -> After:
    row: dict[str, Any] = orjson.loads(line)
    return After(row[sort.column], row["record_id"])


def _json(
    rows: Sequence[bytes],
    total: int | None,
    headers: Mapping[str, str],
    following: str | None = None,
) -> Response:
    """Rows as ClickHouse wrote them, between a head and a foot."""
    foot = orjson.dumps({"next": following} | ({} if total is None else {"total": total}))
    body = b'{"data":[' + b",".join(rows) + b"]," + foot[1:]
    return Response(body, 200, dict(headers), "application/json")
