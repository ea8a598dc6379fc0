"""Addresses of what changed: the page, and the same as an Atom feed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from producers.connectors import CONNECTORS
from streams.clickhouse.bounds import FIRST_DAY
from streams.clickhouse.news_queries import WHAT, Chosen, News, news, news_counts
from streams.clickhouse.tables import KINDS
from streams.serve.data_version import DataVersion
from streams.serve.page import changes_view
from streams.serve.page.rendering import HEADERS, Pages
from streams.serve.parameters import Asked, DayOrEmpty, given_day, words
from streams.serve.pool import Reader

_DAYS: Final = 7
_MOST: Final = 100
_REVISED: Final = 30
_GAS_DAYS: Final = "lng_inventory"


class ChangesAsked(Asked):
    """Since when, and which; an empty field of the form is left out."""

    since: DayOrEmpty = None
    kind: words(*KINDS, "") = ""  # type: ignore[valid-type]
    what: words(*WHAT, "") = ""  # type: ignore[valid-type]
    source: str = Field("", max_length=100, pattern=r"^[\w.-]*$")


def changes_page(reader: Reader, version: DataVersion, pages: Pages) -> APIRouter:
    """The addresses of what changed."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("changes"))

    def chosen(asked: ChangesAsked) -> Chosen:
        since = given_day(asked.since) or _week_before(version)
        return Chosen(since, asked.kind, asked.source, asked.what)

    @router.get("/changes")
    async def page(asked: Annotated[ChangesAsked, Query()]) -> Response:
        wanted = chosen(asked)
        revised = Chosen(wanted.since, _GAS_DAYS, wanted.source_id, "changed")
        counts, assets, days = await asyncio.gather(
            reader.rows(news_counts(wanted.since)),
            reader.rows(news(wanted, _MOST)) if wanted.kind != _GAS_DAYS else _nothing(),
            reader.rows(news(revised, _REVISED)) if wanted.kind in ("", _GAS_DAYS) else _nothing(),
        )
        rows = changes_view.kind_rows(counts)
        query = urlencode(_pairs(asked))
        return pages.answer(
            "changes.html",
            "changes",
            wanted=wanted,
            rows=rows,
            items=changes_view.items(assets),
            days=changes_view.items(days),
            most=_MOST,
            most_days=_REVISED,
            kinds=list(KINDS),
            whats=WHAT,
            sources=sorted(one.source_id for one in CONNECTORS.values()),
            atom=f"/changes.atom?{query}" if query else "/changes.atom",
        )

    @router.get("/changes.atom")
    async def feed(request: Request, asked: Annotated[ChangesAsked, Query()]) -> Response:
        wanted = chosen(asked)
        found = await reader.rows(news(wanted, _MOST, newest_first=True))
        base = str(request.base_url).rstrip("/")
        text = pages.text(
            "changes.atom",
            base=base,
            query=urlencode(_pairs(asked)),
            items=changes_view.items(found),
            updated=version.published_at or datetime.combine(FIRST_DAY, datetime.min.time(), UTC),
        )
        return Response(text, 200, HEADERS, "application/atom+xml")

    return router


def _pairs(asked: ChangesAsked) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in asked.model_dump().items() if value]


def _week_before(version: DataVersion) -> date:
    newest = version.published_at or datetime.now(UTC)
    return max(FIRST_DAY, newest.date() - timedelta(days=_DAYS))


async def _nothing() -> Sequence[News]:
    return ()
