"""Examples of the OpenAPI document that are answered: ids come from the data."""

import copy
from collections.abc import Mapping
from typing import Final

import orjson
from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from streams.clickhouse.asset_queries import an_asset
from streams.core.errors import InfrastructureError
from streams.serve.addresses import API, LISTS
from streams.serve.data_version import DataVersion
from streams.serve.openapi import Schema
from streams.serve.pool import Reader
from streams.serve.series import SeriesDirectory

DOCUMENT: Final = f"{API}/openapi.json"
_LIKED_SERIES: Final = "ES_BARCELONA"


def openapi_page(
    app: FastAPI, reader: Reader, version: DataVersion, directory: SeriesDirectory
) -> APIRouter:
    """The address of the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    written: dict[str | None, bytes] = {}

    @router.get(DOCUMENT)
    async def openapi() -> Response:
        if version.current not in written:
            ids = await _ids(reader, directory)
            written.clear()
            written[version.current] = orjson.dumps(_with_examples(app.openapi(), ids))
        return Response(written[version.current], media_type="application/json")

    return router


async def _ids(reader: Reader, directory: SeriesDirectory) -> Mapping[str, str]:
    """An example of each parameter of a path, as far as there are data."""
    found: dict[str, str] = {}
    names = [series.series_id for series in directory.all]
    if names:
        found["name"] = _LIKED_SERIES if _LIKED_SERIES in names else names[0]
    try:
        assets = await reader.rows(an_asset())
    except InfrastructureError:
        return found  # the document is of use without data, too
    for record_id, kind in assets:
        collection = next(address for address, one in LISTS.items() if one == kind)
        found |= {"record_id": record_id, "collection_id": collection}
    return found


def _with_examples(document: Schema, ids: Mapping[str, str]) -> Schema:
    shown = copy.deepcopy(document)
    for operations in shown["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["schema"]["examples"] = [ids[parameter["name"]]]
    return shown
