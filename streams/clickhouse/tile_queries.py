"""Vector tiles (Mapbox Vector Tile 2) of all assets, written by ClickHouse, one query a tile."""

from collections.abc import Sequence
from typing import Final

from streams.clickhouse import bounds
from streams.clickhouse.asset_queries import listed_assets
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.place import ANY_ASSET
from streams.clickhouse.tables import ASSETS

LAYER: Final = "assets"
HIGHEST_ZOOM: Final = 22

_NAMED_FROM_ZOOM: Final = 3
"""A tile of the whole world is written in half the time without names, and shows none anyway."""

_MARGIN: Final = 1 / 16
"""What a tile shows beyond its edges, as a share of its size: the default of MVTEncodeGeom."""

_PROPERTIES: Final = {
    "record_id": "String",
    "kind": "String",
    "country_code": "String",
    "status": "String",
    "capacity_mw": "Nullable(Float64)",
}


def asset_tile(zoom: int, x: int, y: int, of_kinds: Sequence[str] = ()) -> BoundQuery[bytes]:
    """Listed assets of a tile as one layer, points and lines, with what a map shows of them.

    Needs ClickHouse 26.7 or newer. One column of one row; ask for it as RawBLOB.

    Args:
        zoom: Zoom level; 0 has the whole world in one tile.
        x: Column of the tile, from the west.
        y: Row of the tile, from the north.
        of_kinds: Only these; empty for all.

    Raises:
        OutOfBoundsError: no tile of that zoom level, or no kind of assets.
    """
    last = 2 ** bounds.whole("z", zoom, 0, HIGHEST_ZOOM) - 1
    condition, parameters = listed_assets(of_kinds)
    properties = _PROPERTIES | ({"name": "String"} if zoom >= _NAMED_FROM_ZOOM else {})
    names = ", ".join(properties)
    types = ", ".join(f"{name} {type_}" for name, type_ in properties.items())
    (south, north), (west, east) = ANY_ASSET.latitudes(), ANY_ASSET.longitudes()
    tile = "{z:UInt8}, {x:UInt32}, {y:UInt32}"
    return BoundQuery(
        f"""
WITH MVTBoundingBox({tile}, {_MARGIN}) AS box
SELECT MVTEncode('{LAYER}')(shape, CAST(({names}), 'Tuple({types})'))
FROM
(
    SELECT MVTEncodeGeom({ANY_ASSET.geometry()}, {tile}) AS shape, {names}
    FROM {ASSETS.name} FINAL
    WHERE {condition} AND {east} >= box.1 AND {west} <= box.3
        AND {north} >= box.2 AND {south} <= box.4
)""",  # noqa: S608  names from this package
        parameters
        | {
            "z": zoom,
            "x": bounds.whole("x", x, 0, last),
            "y": bounds.whole("y", y, 0, last),
        },
        bytes,
    )
