"""Assets of every kind at once: by name, in a box, near a place."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse.asset_queries import (
    PLACE_COLUMNS,
    AssetPlace,
    assets_in_box,
    assets_near,
    place_features,
    search_assets,
)
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.bounds import MOST_ROWS
from streams.clickhouse.place import Box
from streams.serve import cursors
from streams.serve.addresses import LISTS, PREFIX
from streams.serve.formats import ALL, Format, chosen, download
from streams.serve.list_parameters import PlaceAsked, box_of, near_of
from streams.serve.openapi import Schema, answers, fields_schema
from streams.serve.parameters import words
from streams.serve.pool import Reader
from streams.serve.problems import wrong_parameters

_ADDRESS: Final = f"{PREFIX}/assets"
_WORLD: Final = Box(-180, -90, 180, 90)
_ROWS_OF_A_PAGE: Final = 100
_MOST_HITS: Final = 1000


class PlacesAsked(PlaceAsked):
    """Which assets of which kinds."""

    kind: list[words(*LISTS.values())] = Field(  # type: ignore[valid-type]
        [], description="Only these kinds.", examples=[["lng_terminal"]], max_length=len(LISTS)
    )
    limit: int | None = Field(
        None,
        description="Most rows. Left out: 100 as JSON, in other formats all of them, of a search "
        "and of the nearest 1,000.",
        ge=1,
        le=_MOST_HITS,
        examples=[10],
    )
    format: Literal[ALL] | None = Field(  # type: ignore[valid-type]
        None, description="Wins over `Accept`.", examples=[str(one) for one in ALL]
    )


def places(reader: Reader) -> APIRouter:
    """The address of the assets of every kind."""
    router = APIRouter(tags=["assets"])

    @router.get(
        _ADDRESS,
        summary="Assets of every kind by name, in a box, or near a place",
        description="One of `q`, `bbox` and `near`; without any, every asset with a position.",
        operation_id="list_assets",
        responses=_ANSWERS,
    )
    async def read(request: Request, asked: Annotated[PlacesAsked, Query()]) -> Response:
        output_format = chosen(request, asked.format, ALL)
        _require_one_of_them(asked)
        if output_format is Format.JSON:
            limit = asked.limit or _ROWS_OF_A_PAGE
            rows = (await reader.answer(_query(asked, limit + 1), "JSONEachRow")).splitlines()
            return _page(request, asked, rows, limit)
        query: BoundQuery[Any] = _query(asked, asked.limit)
        if output_format is Format.GEOJSON:
            query = place_features(query)
        return await download(reader, query, output_format, "assets", {})

    return router


def _require_one_of_them(asked: PlacesAsked) -> None:
    given = [name for name in ("q", "bbox", "near") if getattr(asked, name) is not None]
    if len(given) > 1:
        raise wrong_parameters([(name, f"left out beside {given[0]}") for name in given[1:]])
    if asked.cursor is not None and given and given != ["bbox"]:
        raise wrong_parameters([("cursor", f"left out beside {given[0]}: the best come first")])


def _query(asked: PlacesAsked, limit: int | None) -> BoundQuery[AssetPlace]:
    if asked.q is not None:
        return search_assets(asked.q, asked.kind, min(limit or _MOST_HITS, _MOST_HITS))
    if (near := near_of(asked)) is not None:
        most = min(limit or _MOST_HITS, _MOST_HITS)
        return assets_near(near.latitude, near.longitude, asked.kind, near.within_km, most)
    return assets_in_box(
        box_of(asked.bbox) or _WORLD, asked.kind, _after(asked), limit or MOST_ROWS
    )


def _bound(asked: PlacesAsked) -> str:
    return cursors.digest({"kinds": sorted(asked.kind), "bbox": asked.bbox})


def _after(asked: PlacesAsked) -> str:
    if asked.cursor is None:
        return ""
    match cursors.read("cursor", asked.cursor):
        case [str() as bound, str() as record_id] if bound == _bound(asked):
            return record_id
    raise cursors.foreign("cursor")


def _page(request: Request, asked: PlacesAsked, rows: Sequence[bytes], limit: int) -> Response:
    following = None
    if len(rows) > limit and asked.q is None and asked.near is None:
        place = cursors.written([_bound(asked), orjson.loads(rows[limit - 1])["record_id"]])
        following = cursors.next_page(request, place)
    body = b'{"data":[' + b",".join(rows[:limit]) + b'],"next":' + orjson.dumps(following) + b"}"
    return Response(body, media_type="application/json", headers=cursors.link_to(following))


def _row_schema() -> Schema:
    row = fields_schema(AssetPlace)
    row["required"] = list(PLACE_COLUMNS)
    del row["properties"]["measure"]
    row["properties"] |= {
        "distance_km": {"type": "number", "description": "Only with near."},
        "similarity": {"type": "number", "description": "Only with q: share found, 0 to 1."},
    }
    return row


_ANSWERS: Final = answers(
    {
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": {"type": "array", "items": _row_schema()},
            "next": {
                "type": ["string", "null"],
                "description": "Address of the next page; null with q and near.",
            },
        },
    },
    ALL,
    paged=True,
)
