"""Vector tiles of every asset, for map clients such as MapLibre and QGIS."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from streams.clickhouse.client import StatementError
from streams.clickhouse.tile_queries import HIGHEST_ZOOM, asset_tile
from streams.serve.addresses import LISTS, TILES
from streams.serve.kept import Kept
from streams.serve.openapi import problems
from streams.serve.parameters import Asked, words
from streams.serve.pool import Reader
from streams.serve.problems import ProblemError

_MEDIA_TYPE: Final = "application/vnd.mapbox-vector-tile"
_NO_SUCH_FUNCTION: Final = frozenset({46, 63})
"""UNKNOWN_FUNCTION, UNKNOWN_AGGREGATE_FUNCTION."""


class TileAsked(Asked):
    """What a tile shows."""

    kind: list[words(*LISTS.values())] = Field(  # type: ignore[valid-type]
        [], description="Only these kinds.", examples=[["power_plant"]], max_length=len(LISTS)
    )


_Zoom = Annotated[
    int, Path(description="Zoom level.", ge=0, le=HIGHEST_ZOOM, examples=[0], alias="z")
]
_Number = Annotated[int, Path(ge=0, lt=2**HIGHEST_ZOOM, examples=[0])]


def tiles(reader: Reader, kept: Kept) -> APIRouter:
    """The address of a tile."""
    router = APIRouter(tags=["maps"])

    @router.get(
        f"{TILES}/{{z}}/{{x}}/{{y}}.mvt",
        summary="Assets of a tile as a Mapbox vector tile with one layer, assets",
        operation_id="get_tile",
        response_class=Response,
        responses=problems(501)
        | {
            200: {
                "description": "The tile; empty where there is nothing.",
                "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
            },
            304: {"description": "Unchanged since the version that If-None-Match names."},
        },
    )
    async def tile(
        zoom: _Zoom, x: _Number, y: _Number, asked: Annotated[TileAsked, Query()]
    ) -> Response:
        query = asset_tile(zoom, x, y, asked.kind)
        key = asset_tile, zoom, x, y, frozenset(asked.kind)
        try:
            # Every map begins with the same ones.
            found = await kept.get(key, partial(reader.answer, query, "RawBLOB"))
            return Response(found, media_type=_MEDIA_TYPE)
        except StatementError as error:
            raise without_tiles(error) from error

    return router


def without_tiles(error: StatementError) -> StatementError | ProblemError:
    """What to say of a ClickHouse that cannot write tiles; any other error as it is."""
    if error.code not in _NO_SUCH_FUNCTION:
        return error
    return ProblemError(
        "no-tiles",
        HTTPStatus.NOT_IMPLEMENTED,
        "This ClickHouse cannot write vector tiles: they need 26.7 or newer. Everything else is "
        "served; lists take format=geojson, and OGC API Features has the same assets.",
    )
