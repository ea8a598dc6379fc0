"""OGC API Features (core, GeoJSON, OpenAPI 3.0): the lists of assets for map programs like QGIS."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from functools import cache
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse.kind_queries import After, Filters, kind_features, shown_columns
from streams.clickhouse.place import Box, place_of
from streams.clickhouse.tables import ENVELOPE, POSITION, kinds
from streams.serve import cursors
from streams.serve.addresses import FEATURES, LISTS
from streams.serve.assets import RecordId
from streams.serve.openapi import Schema, answers
from streams.serve.openapi_30 import MEDIA_TYPE as OPENAPI
from streams.serve.openapi_30 import document_30
from streams.serve.parameters import MOST_IN_A_PAGE, Asked
from streams.serve.pool import Reader
from streams.serve.problems import not_found, wrong_parameters

_JSON: Final = "application/json"
_GEOJSON: Final = "application/geo+json"
_CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_CONFORMS_TO: Final = [
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{part}"
    for part in ("core", "oas30", "geojson")
]

_DEGREES: Final = r"-?\d{1,3}(\.\d{1,20})?([eE]-?\d{1,2})?"
_BBOX: Final = rf"^{_DEGREES}(,{_DEGREES}){{3}}((,{_DEGREES}){{2}})?$"
_INSTANT: Final = r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2}))?"
_END: Final = rf"({_INSTANT}|\.\.)?"
_DATETIME: Final = rf"^({_INSTANT}|{_END}/{_END})$"


class ItemsAsked(Asked):
    """Which features."""

    bbox: Annotated[str, Field(pattern=_BBOX, max_length=200)] | None = Field(
        None,
        description="west,south,east,north in WGS84 degrees, or the same with heights, which do "
        "not count; a west beyond the east crosses the antimeridian.",
        examples=["-10,35,5,45"],
    )
    datetime: Annotated[str, Field(pattern=_DATETIME, max_length=100)] | None = Field(
        None,
        description="When the present version of the asset became known: a time, a day, or an "
        "interval such as 2026-01-01T00:00:00Z/.., open where it has two dots.",
        examples=["2020-01-01T00:00:00Z/.."],
    )
    limit: int = Field(
        MOST_IN_A_PAGE,
        description=f"Most features; beyond {MOST_IN_A_PAGE:,} is taken for that.",
        ge=1,
        examples=[10],
    )
    cursor: Annotated[str, Field(pattern=cursors.PATTERN, max_length=cursors.LONGEST)] | None = (
        Field(None, description="Where the page begins: from the `next` link of the page before.")
    )


_CollectionId = Annotated[
    str,
    Path(
        description="A collection.",
        min_length=1,
        max_length=100,
        pattern=r"^[a-z-]+$",
        examples=["power-plants"],
    ),
]


def features(reader: Reader) -> APIRouter:
    """The addresses of OGC API Features."""
    router = APIRouter(prefix=FEATURES, tags=["maps"])

    @router.get(
        "",
        summary="OGC API Features: where everything is",
        operation_id="get_ogc_landing_page",
        responses=answers(_object("links", title=_TEXT, links=_LINKS), ()),
    )
    async def landing(request: Request, asked: Annotated[Asked, Query()]) -> Response:
        return _json(
            {
                "title": request.app.title,
                "description": "Assets of energy infrastructure from public sources.",
                "links": [
                    _link(request, "", "self", _JSON, "This page"),
                    _link(request, "/api", "service-desc", OPENAPI, "The OpenAPI document"),
                    _link(request, "/conformance", "conformance", _JSON, "What it conforms to"),
                    _link(request, "/collections", "data", _JSON, "The collections"),
                ],
            }
        )

    @router.get(
        "/api",
        summary="OGC API Features: its own OpenAPI 3.0 document",
        operation_id="get_ogc_api",
        responses=_documented(),
    )
    async def api(request: Request, asked: Annotated[Asked, Query()]) -> Response:
        content = document_30(
            request.app.openapi(), FEATURES, _address(request, ""), {"collection_id": list(LISTS)}
        )
        return Response(orjson.dumps(content), media_type=OPENAPI)

    @router.get(
        "/conformance",
        summary="OGC API Features: the classes it conforms to",
        operation_id="get_ogc_conformance",
        responses=answers(_object("conformsTo", conformsTo=_list_of(_TEXT)), ()),
    )
    async def conformance(asked: Annotated[Asked, Query()]) -> Response:
        return _json({"conformsTo": _CONFORMS_TO})

    @router.get(
        "/collections",
        summary="OGC API Features: a collection for each kind of assets",
        operation_id="list_ogc_collections",
        responses=answers(
            _object("links", "collections", links=_LINKS, collections=_list_of(_COLLECTION)), ()
        ),
    )
    async def collections(request: Request, asked: Annotated[Asked, Query()]) -> Response:
        return _json(
            {
                "links": [_link(request, "/collections", "self", _JSON, "This page")],
                "collections": [_collection(request, name) for name in LISTS],
            }
        )

    @router.get(
        "/collections/{collection_id}",
        summary="OGC API Features: one collection",
        operation_id="get_ogc_collection",
        responses=answers(_COLLECTION, (), 404),
    )
    async def collection(
        request: Request, collection_id: _CollectionId, asked: Annotated[Asked, Query()]
    ) -> Response:
        _kind(collection_id)
        return _json(_collection(request, collection_id))

    @router.get(
        "/collections/{collection_id}/items",
        summary="OGC API Features: a page of the features of a collection",
        operation_id="list_ogc_features",
        responses=_as_geojson(answers(_FEATURES, (), 404)),
    )
    async def items(
        request: Request, collection_id: _CollectionId, asked: Annotated[ItemsAsked, Query()]
    ) -> Response:
        kind = _kind(collection_id)
        limit = min(asked.limit, MOST_IN_A_PAGE)
        bound = cursors.digest(
            {"collection": collection_id} | asked.model_dump(include={"bbox", "datetime"})
        )
        after = _after(asked, bound)
        query = kind_features(kind, _filters(asked), None, after, limit + 1, None, _shown(kind))
        found = (await reader.answer(query, "LineAsString")).splitlines()
        path = f"/collections/{collection_id}/items"
        links = [_link(request, _with(path, request), "self", _GEOJSON, "This page")]
        if len(found) > limit:
            last = orjson.loads(found[limit - 1])["id"]
            following = _with(path, request, cursor=cursors.written([bound, last]))
            links.append(_link(request, following, "next", _GEOJSON, "The next page"))
        links.append(_collection_link(request, collection_id))
        return _geojson(found[:limit], links)

    @router.get(
        "/collections/{collection_id}/items/{record_id}",
        summary="OGC API Features: one feature",
        operation_id="get_ogc_feature",
        responses=_as_geojson(answers(_FEATURE, (), 404)),
    )
    async def item(
        request: Request,
        collection_id: _CollectionId,
        record_id: RecordId,
        asked: Annotated[Asked, Query()],
    ) -> Response:
        kind = _kind(collection_id)
        wanted = Filters(words={"record_id": [record_id]})
        query = kind_features(kind, wanted, show=_shown(kind))
        found = (await reader.answer(query, "LineAsString")).rstrip(b"\n")
        if not found:
            raise not_found(
                f"No source lists a {kind} with the id {record_id}: /assets/{record_id} of the "
                "REST API says whether it was merged or withdrawn."
            )
        path = f"/collections/{collection_id}/items/{record_id}"
        links = [
            _link(request, path, "self", _GEOJSON, "This feature"),
            _collection_link(request, collection_id),
        ]
        body = found[:-1] + b',"links":' + orjson.dumps(links) + b"}"
        return Response(body, media_type=_GEOJSON)

    return router


def _kind(collection_id: str) -> str:
    kind = LISTS.get(collection_id)
    if kind is None:
        raise not_found(f"There is no collection {collection_id}: it is one of {', '.join(LISTS)}.")
    return kind


@cache
def _shown(kind: str) -> Sequence[str]:
    """Columns of a feature: those with one value, as map programs take long to read each."""
    columns = shown_columns(kind)
    unseen = {column.name for column in (*ENVELOPE, *POSITION)} - {"known_at"}
    unseen.update(place_of(frozenset(columns)).columns())
    unseen.update(
        column.name for column in kinds()[kind].latest.columns if column.type.startswith("Array(")
    )
    return [name for name in columns if name not in unseen - {"country_codes"}]


def _filters(asked: ItemsAsked) -> Filters:
    known_from, known_to = _interval(asked.datetime) if asked.datetime else (None, None)
    return Filters(
        box=_box(asked.bbox) if asked.bbox else None, known_from=known_from, known_to=known_to
    )


def _box(text: str) -> Box:
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) == 6:
        west, south, _, east, north, _ = numbers
    else:
        west, south, east, north = numbers
    return Box(west, south, east, north)


def _interval(text: str) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment; None where it is open."""
    first, _, last = text.partition("/")
    if "/" not in text:
        last = text
    try:
        known_from, known_to = _moment(first, time.min), _moment(last, time.max)
    except ValueError as error:
        allowed = "a time, a day, or two of them apart by a slash, such as 2026-01-31/.."
        raise wrong_parameters([("datetime", allowed)]) from error
    if known_from and known_to and known_from > known_to:
        raise wrong_parameters([("datetime", "an interval that begins before it ends")])
    return known_from, known_to


def _moment(text: str, of_day: time) -> datetime | None:
    """A time, or the first or last moment of a UTC day."""
    if text in ("", ".."):
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return datetime.combine(datetime.fromisoformat(text).date(), of_day, UTC)
    return datetime.fromisoformat(text.upper())


def _after(asked: ItemsAsked, bound: str) -> After | None:
    """The last feature of the page before, from the cursor."""
    if asked.cursor is None:
        return None
    match cursors.read("cursor", asked.cursor):
        case [given, str() as record_id] if given == bound:
            return After(record_id, record_id)
    raise cursors.foreign("cursor")


def _collection(request: Request, name: str) -> dict[str, Any]:
    path = f"/collections/{name}"
    title = name.replace("-", " ").replace("lng", "LNG")
    return {
        "id": name,
        "title": title[0].upper() + title[1:],
        "description": f"Every {LISTS[name].replace('_', ' ')} some source lists.",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]], "crs": _CRS84}},
        "itemType": "feature",
        "crs": [_CRS84],
        "links": [
            _link(request, path, "self", _JSON, "This collection"),
            _link(request, f"{path}/items", "items", _GEOJSON, "Its features"),
        ],
    }


def _with(path: str, request: Request, **more: str) -> str:
    asked = [one for one in request.query_params.multi_items() if one[0] not in more]
    query = urlencode([*asked, *more.items()])
    return f"{path}?{query}" if query else path


def _link(request: Request, path: str, rel: str, type: str, title: str) -> dict[str, str]:
    return {"href": _address(request, path), "rel": rel, "type": type, "title": title}


def _collection_link(request: Request, name: str) -> dict[str, str]:
    return _link(request, f"/collections/{name}", "collection", _JSON, "Its collection")


def _address(request: Request, path: str) -> str:
    """Absolute: not every map program resolves others."""
    return f"{str(request.base_url).rstrip('/')}{FEATURES}{path}"


def _json(content: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type=_JSON)


def _geojson(found: Sequence[bytes], links: Sequence[Mapping[str, str]]) -> Response:
    """Features as ClickHouse wrote them, behind a head."""
    head = orjson.dumps({"type": "FeatureCollection", "numberReturned": len(found), "links": links})
    body = head[:-1] + b',"features":[' + b",".join(found) + b"]}"
    return Response(body, media_type=_GEOJSON)


def _object(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _as_geojson(found: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    content = found[200]["content"]
    content[_GEOJSON] = content.pop(_JSON)
    return found


def _documented() -> dict[int | str, dict[str, Any]]:
    found = answers({"type": "object"}, ())
    found[200]["content"] = {OPENAPI: {"schema": {"type": "object"}}}
    return found


_TEXT: Final[Schema] = {"type": "string"}
_LINKS: Final = _list_of(_object("href", "rel", href=_TEXT, rel=_TEXT, type=_TEXT, title=_TEXT))
_COLLECTION: Final = _object("id", "links", id=_TEXT, title=_TEXT, links=_LINKS)
_FEATURE: Final = _object(
    "type",
    "id",
    "geometry",
    "properties",
    type={"type": "string", "enum": ["Feature"]},
    id=_TEXT,
    properties={"type": "object"},
)
_FEATURES: Final = _object(
    "type",
    "features",
    "links",
    "numberReturned",
    type={"type": "string", "enum": ["FeatureCollection"]},
    features=_list_of(_FEATURE),
    links=_LINKS,
    numberReturned={"type": "integer"},
)
