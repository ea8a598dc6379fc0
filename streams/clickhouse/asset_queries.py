"""Queries about one asset, and about assets of every kind: by id, place and name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.place import ANY_ASSET, Box, features
from streams.clickhouse.prepared import body, folded, json_object
from streams.clickhouse.tables import ASSETS, SERIES_KINDS, kinds

_LEAST_SIMILAR = 0.4
"""Share of three-letter pieces of a search text that a name must have."""

MOST_IDS = 1000


@dataclass(frozen=True, slots=True)
class AssetBody:
    """A version of an asset.

    Attributes:
        record_status: current, withdrawn or merged.
        replaced_by: record_id that took over; None unless merged.
        body: All of it as JSON, members and provenance included.
    """

    kind: str
    record_id: str
    record_status: str
    replaced_by: str | None
    version: int
    body: str

    @classmethod
    def of(cls, text: str) -> Self:
        """From its JSON, which names all other fields."""
        found: dict[str, Any] = orjson.loads(text)
        return cls(
            found["kind"],
            found["record_id"],
            found["record_status"],
            found["replaced_by"],
            int(found["version"]),
            text,
        )


@dataclass(frozen=True, slots=True)
class AssetVersion:
    """What changed when: one version, when it was known and where it was published.

    Attributes:
        known_at: Fetch time of the newest raw record it follows from.
        published_at, partition, offset: None: stored before they were kept.
    """

    version: int
    record_status: str
    known_at: datetime
    observed_at: datetime
    published_at: datetime | None
    partition: int | None
    offset: int | None
    body: str


@dataclass(frozen=True, slots=True)
class AssetPlace:
    """What a map or a list of hits shows of an asset; country and status empty when not known.

    Attributes:
        to_latitude, to_longitude: Of the other end; None unless the asset is a line.
        measure: Distance, km, of the nearest; share of the text found, 0 to 1, in a search; else 0.
    """

    record_id: str
    kind: str
    name: str
    country_code: str
    status: str
    capacity_mw: float | None
    latitude: float | None
    longitude: float | None
    to_latitude: float | None
    to_longitude: float | None
    measure: float = 0.0


PLACE_COLUMNS = tuple(name for name in AssetPlace.__dataclass_fields__ if name != "measure")
"""Columns of every query for places; the nearest have `distance_km`, hits `similarity`, too."""

_PLACE_COLUMNS = ", ".join(PLACE_COLUMNS)


def assets_by_id(record_ids: Collection[str]) -> BoundQuery[AssetBody]:
    """Current versions of some assets, withdrawn and merged ones too; unknown ids have no row.

    Raises:
        OutOfBoundsError: no id, too many, or one that is too long.
    """
    return BoundQuery(
        f"SELECT body FROM {ASSETS.name} FINAL WHERE record_id IN {{ids:Array(String)}}",  # noqa: S608
        {"ids": bounds.texts("id", record_ids, MOST_IDS)},
        AssetBody.of,
    )


def asset_known_at(kind: str, record_id: str, known_at: datetime) -> BoundQuery[AssetBody]:
    """An asset as it was known at a time, by fetch times; no row when nothing was known of it.

    The current version answers for every time since it was known. Before that the version known
    last does, the highest where several were known at once: a replay improves the past, and does
    not move it.

    Raises:
        OutOfBoundsError: no kind of assets, or a parameter without bounds.
    """
    table = _versions(kind)
    return BoundQuery(
        f"""
SELECT {_stored_body(kind)} FROM {table}
WHERE record_id = {{id:String}} AND known_at <= {{known_at:DateTime64(3, 'UTC')}}
ORDER BY version = (SELECT max(version) FROM {table} WHERE record_id = {{id:String}}) DESC,
    known_at DESC, version DESC
LIMIT 1""",  # noqa: S608  names from this package
        {"id": bounds.text("id", record_id), "known_at": bounds.moment("known_at", known_at)},
        AssetBody.of,
    )


def asset_versions(
    kind: str, record_id: str, limit: int = 1000, *, interim: bool = False
) -> BoundQuery[AssetVersion]:
    """Versions of an asset, newest first, as `versions_of_assets` gives them.

    Raises:
        OutOfBoundsError: no kind of assets, or a parameter without bounds.
    """
    return versions_of_assets(kind, [record_id], limit, interim=interim)


def versions_of_assets(
    kind: str, record_ids: Collection[str], limit: int = 1000, *, interim: bool = False
) -> BoundQuery[AssetVersion]:
    """Versions of some assets of a kind, of each the newest first.

    Several versions have one `known_at` where the records of one release came in one by one, or
    where the same records were decided again. The highest of them is what was known then; the
    others are interim.

    Args:
        kind: Kind of assets.
        record_ids: Which.
        limit: Most versions of each.
        interim: Whether to give interim versions, too.

    Raises:
        OutOfBoundsError: no kind of assets, or a parameter without bounds.
    """
    table, wanted = _versions(kind), "record_id IN {ids:Array(String)}"
    if not interim:
        last = f"SELECT record_id, max(version) FROM {table} WHERE {wanted}"  # noqa: S608
        wanted += f" AND (record_id, version) IN ({last} GROUP BY record_id, known_at)"
    return BoundQuery(
        f"""
SELECT version, record_status, known_at, observed_at, published_at, partition, offset,
    {_stored_body(kind)}
FROM {table} FINAL WHERE {wanted}
ORDER BY record_id, version DESC LIMIT {{limit:UInt32}} BY record_id""",  # noqa: S608  names from this package
        {
            "ids": bounds.texts("id", record_ids, MOST_IDS),
            "limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS),
        },
        AssetVersion,
    )


def assets_in_box(
    box: Box, of_kinds: Sequence[str] = (), after: str = "", limit: int = 1000
) -> BoundQuery[AssetPlace]:
    """Listed assets that meet a box, by id; a line meets it with the box around its ends.

    Args:
        box: Where.
        of_kinds: Only these; empty for all.
        after: Id of the last row of the page before.
        limit: Most rows.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    condition, parameters = listed_assets(of_kinds)
    if after:
        condition += " AND record_id > {after:String}"
        parameters["after"] = bounds.text("after", after)
    return BoundQuery(
        f"""
SELECT {_PLACE_COLUMNS} FROM {ASSETS.name} FINAL
WHERE {condition} AND {box.contains(ANY_ASSET)}
ORDER BY record_id LIMIT {{limit:UInt32}}""",  # noqa: S608  names from this package
        parameters
        | box.parameters()
        | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        AssetPlace,
        PLACE_COLUMNS,
    )


def assets_near(
    latitude: float,
    longitude: float,
    of_kinds: Sequence[str] = (),
    within_km: float = 20_100.0,
    limit: int = 10,
) -> BoundQuery[AssetPlace]:
    """The nearest listed assets, nearest first; of a line its nearer end counts.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    condition, parameters = listed_assets(of_kinds)
    return BoundQuery(
        f"""
SELECT {_PLACE_COLUMNS}, {ANY_ASSET.distance_km()} AS distance_km FROM {ASSETS.name} FINAL
WHERE {condition} AND latitude IS NOT NULL AND longitude IS NOT NULL
    AND distance_km <= {{within_km:Float64}}
ORDER BY distance_km, record_id LIMIT {{limit:UInt32}}""",  # noqa: S608  names from this package
        parameters
        | {
            "latitude": bounds.number("latitude", latitude, -90, 90),
            "longitude": bounds.number("longitude", longitude, -180, 180),
            "within_km": bounds.number("within_km", within_km, 0, 20_100),
            "limit": bounds.whole("limit", limit, 1, 1000),
        },
        AssetPlace,
        (*PLACE_COLUMNS, "distance_km"),
    )


def search_assets(
    text: str, of_kinds: Sequence[str] = (), limit: int = 20
) -> BoundQuery[AssetPlace]:
    """Listed assets whose names or aliases are like a text, the most alike first.

    Case and accents do not matter. Alike is who has most of the text's three-letter pieces, so one
    slip in a word leaves it findable.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    condition, parameters = listed_assets(of_kinds)
    # A text of one or two letters is its own only piece.
    pieces = "if(empty(ngrams(wanted, 3)), [wanted], ngrams(wanted, 3))"
    return BoundQuery(
        f"""
WITH {folded("{text:String}")} AS wanted, arrayDistinct({pieces}) AS pieces,
    multiSearchAllPositions(search_text, pieces) AS places,
    arrayCount(place -> place > 0, places) / length(pieces) AS alike
SELECT {_PLACE_COLUMNS}, alike AS similarity FROM {ASSETS.name} FINAL
WHERE {condition} AND alike >= {_LEAST_SIMILAR}
ORDER BY position(search_text, wanted) > 0 DESC, alike DESC, length(search_text), record_id
LIMIT {{limit:UInt32}}""",  # noqa: S608  names from this package
        parameters
        | {
            "text": bounds.text("text", text, 100),
            "limit": bounds.whole("limit", limit, 1, 1000),
        },
        AssetPlace,
        (*PLACE_COLUMNS, "similarity"),
    )


def an_asset() -> BoundQuery[tuple[str, str]]:
    """Id and kind of one listed asset with a name, for examples: the largest."""
    return BoundQuery(
        f"SELECT record_id, kind FROM {ASSETS.name} FINAL WHERE record_status = 'current' "  # noqa: S608
        "AND name != '' ORDER BY capacity_mw DESC NULLS LAST, record_id LIMIT 1",
        {},
        lambda record_id, kind: (record_id, kind),
    )


def place_features(query: BoundQuery[AssetPlace]) -> BoundQuery[str]:
    """Places of another query of this module as GeoJSON features."""
    properties = json_object({name: f"`{name}`" for name in query.columns})
    return BoundQuery(features(ANY_ASSET, properties, query.sql), query.parameters, str)


def listed_assets(of_kinds: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Condition and parameters: some source lists the asset, and its kind is one of some."""
    condition = "record_status = 'current'"
    if not of_kinds:
        return condition, {}
    wanted = [_asset_kind(kind) for kind in of_kinds]
    return f"{condition} AND kind IN {{kinds:Array(String)}}", {"kinds": wanted}


def _asset_kind(kind: str) -> str:
    return bounds.one_of("kind", kind, kinds().keys() - SERIES_KINDS)


def _versions(kind: str) -> str:
    return kinds()[_asset_kind(kind)].versions.name


def _stored_body(kind: str) -> str:
    tables = kinds()[_asset_kind(kind)]
    return body(tables, {column.name: f"`{column.name}`" for column in tables.versions.columns})
