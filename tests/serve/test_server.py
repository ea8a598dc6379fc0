"""The API of a ClickHouse server: the same answers over its HTTP interface."""

import asyncio

import httpx

from streams.clickhouse.client import ClickHouse
from streams.serve.addresses import PREFIX
from streams.serve.app import create_app
from streams.settings import Settings
from tests.serve.client import Api
from tests.sink.http_server import serving

PASSWORD = "s3cret"
PATHS = (
    "power-plants?limit=3&sort=-capacity_mw",
    "power-plants?q=barcelona",
    "power-plants?format=geojson&limit=2",
    "power-plants?format=csv",
    "assets/plant-1",
    "assets/plant-1?known_at=2026-01-15T00:00:00Z",
    "lng-inventory/ES_BARCELONA?start_date=2025-10-01",
    "changes?limit=4",
)


def test_a_server_is_read_like_the_embedded_engine(api: Api, clickhouse: ClickHouse) -> None:
    async def ask(dsn: str) -> list[httpx.Response]:
        app = create_app(Settings(clickhouse_dsn=dsn))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
        ):
            return [await client.get(f"{PREFIX}/{path}") for path in PATHS]

    with serving(clickhouse.address.removeprefix("chdb://"), PASSWORD) as server:
        dsn = f"clickhouse://reader:{PASSWORD}@127.0.0.1:{server.server_address[1]}/default"
        answers = asyncio.run(ask(dsn))
    for path, answer in zip(PATHS, answers, strict=True):
        assert (path, answer.status_code) == (path, 200)
        assert (path, answer.content) == (path, api.get(path).content)


def test_a_server_that_does_not_answer_is_said_to_be_away() -> None:
    async def ask() -> tuple[httpx.Response, httpx.Response]:
        app = create_app(Settings(clickhouse_dsn=f"clickhouse://reader:{PASSWORD}@127.0.0.1:1/d"))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
        ):
            return await client.get("/ready"), await client.get(f"{PREFIX}/power-plants")

    ready, answer = asyncio.run(ask())
    assert ready.status_code == 503
    assert not ready.json()["ready"]
    assert PASSWORD not in ready.text
    assert (answer.status_code, answer.json()["type"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
