"""Addresses of the map: the page at `/`, and its figure."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from streams.clickhouse.asset_queries import search_assets
from streams.serve.list_parameters import BBOX, box_of
from streams.serve.page import map_view
from streams.serve.page.files_sent import address_of
from streams.serve.page.map_figure import map_figure
from streams.serve.page.map_selection import FACETS, Wanted, box_text
from streams.serve.page.map_store import MapStore
from streams.serve.page.palette import Theme
from streams.serve.page.rendering import Pages, figure_answer
from streams.serve.parameters import Asked
from streams.serve.pool import Reader

_MOST_HITS: Final = 1000

_Word = Annotated[str, Field(max_length=100)]
_Words = Annotated[list[_Word], Field(max_length=100)]


class SelectionAsked(Asked):
    """What of all assets."""

    kind: _Words = Field([])
    fuel: _Words = Field([])
    status: _Words = Field([])
    voltage: _Words = Field([])
    source: _Words = Field([])
    q: str = Field("", max_length=100)
    bbox: Annotated[str, Field(pattern=f"^$|{BBOX}")] = Field("")


class MapAsked(SelectionAsked):
    """What the page shows besides; where the map looks is the script's own."""

    open: str = Field("", max_length=200)
    at: str = Field("", max_length=100)
    page: int = Field(1, ge=1, le=1_000_000)


class FigureAsked(SelectionAsked):
    """What the figure looks like."""

    theme: Theme = Field("light")


def map_page(reader: Reader, store: MapStore, pages: Pages) -> APIRouter:
    """The addresses of the map."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("map"))

    @router.get("/")
    async def page(asked: Annotated[MapAsked, Query()]) -> Response:
        wanted = await _wanted(reader, asked)
        assets, selected = await store.assets(), await store.selected(wanted)
        first = (asked.page - 1) * map_view.ROWS_OF_A_PAGE
        shown = selected.assets[first : first + map_view.ROWS_OF_A_PAGE]
        more = first + len(shown) < len(selected.assets)
        return pages.answer(
            "map.html",
            "map",
            title=map_view.title(wanted),
            wanted=wanted,
            box=box_text(wanted.box) if wanted.box else "",
            filtered=bool(wanted.query()),
            facets=map_view.facets(wanted, selected),
            selected=selected,
            total=len(selected.assets),
            empty=not assets,
            rows=map_view.rows(wanted, shown),
            first=first + 1,
            last=first + len(shown),
            before=wanted.query(page=str(asked.page - 1)) if asked.page > 1 else "",
            after=wanted.query(page=str(asked.page + 1)) if more else "",
            opened=await store.asset(asked.open) if asked.open else None,
            closed=wanted.query(),
            downloads=map_view.downloads(wanted, selected.assets),
            figure=f"/figures/map?{wanted.query()}",
        )

    @router.get("/figures/map")
    async def figure(asked: Annotated[FigureAsked, Query()]) -> Response:
        wanted = await _wanted(reader, asked)
        found = (await store.selected(wanted)).assets

        def drawn() -> Response:
            return figure_answer(map_figure(found, asked.theme, address_of("world.geojson")))

        return await asyncio.to_thread(drawn)

    return router


async def _wanted(reader: Reader, asked: SelectionAsked) -> Wanted:
    words = {name: frozenset(getattr(asked, name)) for name in FACETS}
    text = asked.q.strip()
    hits = None
    if text:
        hits = [one.record_id for one in await reader.rows(search_assets(text, (), _MOST_HITS))]
    return Wanted(words, box_of(asked.bbox or None), text, hits)
