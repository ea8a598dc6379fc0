"""The API as one ASGI app: read only, without state of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version as package_version
from typing import Any, Final

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette_compress import CompressMiddleware

from streams.serve.addresses import FEATURES, PREFIX, TILES
from streams.serve.admission import KEY_HEADER, OPEN_TO_ALL, Admission, keys_of
from streams.serve.assets import assets
from streams.serve.candidates import undecided_pairs
from streams.serve.changes import changes
from streams.serve.data_version import DataVersion
from streams.serve.examples import DOCUMENT, openapi_page
from streams.serve.features import features
from streams.serve.graphql.loaders import Services
from streams.serve.graphql.route import graphql
from streams.serve.health import health
from streams.serve.kept import Kept
from streams.serve.lists import lists
from streams.serve.openapi import document
from streams.serve.operations import Operations
from streams.serve.page.files_sent import ADDRESS as FILES
from streams.serve.page.routes import page
from streams.serve.parameters import only_once
from streams.serve.pipeline import pipeline
from streams.serve.places import places
from streams.serve.pool import Reader
from streams.serve.problems import add_problems
from streams.serve.quality import quality
from streams.serve.request_log import RequestLog
from streams.serve.series import SeriesDirectory, series
from streams.serve.sources import sources
from streams.serve.tiles import tiles
from streams.serve.unchanged import Unchanged
from streams.serve.whole import Generation, Whole
from streams.settings import Settings

_DATA: Final = (PREFIX, FEATURES, TILES)
"""Resources whose answers change when the data do."""

_APART: Final = tuple(
    f"{PREFIX}/{name}" for name in ("data-quality", "sources", "pipeline", "candidates")
)
"""Those of them that depend on more than the stored versions."""

_OF_NO_RECORDS: Final = (*OPEN_TO_ALL, FILES, DOCUMENT)
"""Addresses whose answers hold no stored records."""


def create_app(settings: Settings) -> FastAPI:
    """The API of the ClickHouse that the settings name; connects when it is started.

    Raises:
        SettingsError: keys that are not written as they must be.
    """
    reader = Reader(settings.clickhouse_url())
    generation_reader = Reader(settings.clickhouse_url(), handles=1, waiting=0)
    generation = Generation(generation_reader)
    version = DataVersion(reader)
    directory, kept = SeriesDirectory(reader, version), Kept(version)
    operations = Operations(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await version.look()
        following = asyncio.create_task(version.follow())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            generation.close()
            for opened in (reader, generation_reader):
                await asyncio.to_thread(opened.close)

    app = FastAPI(
        title="Energy infrastructure",
        version=package_version("infrastructure-streams"),
        # It has examples from the data; see examples.py.
        openapi_url=None,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        dependencies=[Depends(only_once)],
    )
    add_problems(app)
    # Routes are tried in this order: what is asked for most comes first.
    for router in (
        assets(reader),
        series(reader, directory, kept),
        lists(reader, kept),
        health(version),
        places(reader),
        undecided_pairs(reader),
        changes(reader, version),
        quality(reader),
        sources(reader, operations),
        pipeline(reader, version, operations),
        features(reader),
        tiles(reader, kept),
        graphql(Services(reader, version, directory, operations)),
        openapi_page(app, reader, version, directory),
        page(reader, version, generation, directory, operations),
    ):
        app.include_router(router)
    _describe(app)
    app.add_middleware(Whole, generation=generation, apart=_OF_NO_RECORDS)
    # Higher ones take two to four times as long for a tenth less (measured), and all others wait.
    app.add_middleware(CompressMiddleware, zstd=False, brotli_quality=1, gzip_level=2)
    app.add_middleware(Unchanged, version=version, prefixes=_DATA, apart=_APART)
    app.add_middleware(Admission, keys=keys_of(settings.api_keys.get_secret_value()))
    if origins := settings.api_cors_origins.replace(",", " ").split():
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=[
                KEY_HEADER,
                "Authorization",
                "Content-Type",
                "If-None-Match",
                "Last-Event-ID",
            ],
            expose_headers=["ETag", "Link", "X-Total-Count", "Retry-After", "Location"],
            max_age=3600,
        )
    app.add_middleware(RequestLog)
    return app


def _describe(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
