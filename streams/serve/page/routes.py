"""The page within the API: its views, and the files browsers keep."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from streams.serve.data_version import DataVersion
from streams.serve.operations import Operations
from streams.serve.originals import Originals
from streams.serve.page.asset_page import asset_page
from streams.serve.page.changes_page import changes_page
from streams.serve.page.files_sent import ADDRESS, file_at
from streams.serve.page.lng_page import lng_page
from streams.serve.page.map_page import map_page
from streams.serve.page.map_store import MapStore
from streams.serve.page.pipeline_page import pipeline_page
from streams.serve.page.quality_page import quality_page
from streams.serve.page.record_page import record_page
from streams.serve.page.rendering import HEADERS, Pages
from streams.serve.pool import Reader
from streams.serve.problems import not_found
from streams.serve.series import SeriesDirectory
from streams.serve.whole import Generation

_FOR_EVER: Final = "public, max-age=31536000, immutable"


def page(
    reader: Reader,
    version: DataVersion,
    generation: Generation,
    directory: SeriesDirectory,
    operations: Operations,
) -> APIRouter:
    """Every address of the page."""
    router = APIRouter(include_in_schema=False)
    pages, store = Pages(version), MapStore(reader, version, generation)
    originals = Originals(operations.settings)
    for view in (
        map_page(reader, store, pages),
        lng_page(reader, directory, pages),
        asset_page(reader, store, originals, pages),
        pipeline_page(reader, version, operations, pages),
        record_page(originals, pages),
        changes_page(reader, version, pages),
        quality_page(reader, operations, pages),
    ):
        router.include_router(view)

    @router.get(ADDRESS + "/{digest}/{name}")
    async def file(request: Request, digest: str, name: str) -> Response:
        # Off the event loop: Plotly.js takes a moment to compress, once.
        found = await asyncio.to_thread(file_at, f"{ADDRESS}/{digest}/{name}")
        if found is None:
            raise not_found("There is no such file: reload the page that asked for it.")
        headers = {**HEADERS, "Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(found.compressed, 200, headers, found.media_type)
        return Response(found.body, 200, headers, found.media_type)

    return router
