"""What a query may not do, and how many statements one costs."""

import asyncio
import logging
from typing import Any

import httpx
import pytest

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.client import ClickHouse
from streams.serve.addresses import GRAPHQL
from streams.serve.data_version import DataVersion
from streams.serve.graphql.loaders import Loaders, Services
from streams.serve.graphql.route import schema
from streams.serve.operations import Operations
from streams.serve.pool import Reader
from streams.serve.series import SeriesDirectory
from streams.settings import Settings
from tests.serve.graphql.client import data, error


class CountingReader(Reader):
    """Counts the statements it runs; with `broken` set it fails as nothing here should."""

    asked = 0
    broken = False

    async def answer(self, query: BoundQuery[Any], output_format: str) -> bytes:
        self.asked += 1
        if self.broken:
            raise RuntimeError("secret")
        return await super().answer(query, output_format)

    async def rows(self, query: BoundQuery[Any]) -> Any:
        self.asked += 1
        return await super().rows(query)


def run(clickhouse: ClickHouse, query: str, *, broken: bool = False) -> tuple[Any, int]:
    """The result of a query and the number of statements it took."""

    async def execute() -> tuple[Any, int]:
        reader = CountingReader(clickhouse.address)
        try:
            version = DataVersion(reader)
            directory = SeriesDirectory(reader, version)
            await version.look()
            services = Services(reader, version, directory, Operations(Settings()))
            reader.asked, reader.broken = 0, broken
            found = await schema().execute(query, context_value=Loaders(services))
            return found, reader.asked
        finally:
            reader.close()

    return asyncio.run(execute())


def test_what_rows_need_is_read_together(clickhouse: ClickHouse) -> None:
    query = """{
        powerPlants(first: 50) { edges { node {
            members { sourceId } provenance { field } why(field: "name") { rule }
            history { version }
        } } }
        one: lngInventory(terminalId: "ES_BARCELONA", startTime: "2025-10-01") { ts }
        all: lngInventory(terminalId: "ES", startTime: "2025-10-01") { ts }
        asset(recordId: "plant-1") { recordId }
        other: asset(recordId: "plant-2") { recordId }
    }""".replace('terminalId: "ES", ', 'terminalId: "ES_TERMINAL_0", ')
    found, asked = run(clickhouse, query)
    assert found.errors is None
    assert len(found.data["powerPlants"]["edges"]) == 50
    assert found.data["one"]
    # The list, bodies of two assets, bodies and versions of fifty, gas days of two ranges.
    assert asked == 6


def test_a_mistake_of_the_server_is_masked_and_logged(
    clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        found, _ = run(clickhouse, '{ asset(recordId: "plant-1") { recordId } }', broken=True)
        (told,) = found.errors
    assert "secret" not in str(told.formatted)
    assert "mistake of the server" in told.message
    assert "secret" in caplog.text


def test_depth_aliases_and_tokens_have_limits(server: httpx.Client) -> None:
    deep = '{ powerPlants { edges { node { ... on Asset { why(field: "name") '
    deep += "{ losing { source { sourceId } } } } } } } }"
    assert "errors" not in data(server, deep)
    aliases = "".join(f"a{number}: lngSeries {{ seriesId }} " for number in range(31))
    assert "aliases" in error(server, f"{{ {aliases} }}")["message"]
    tokens = "lngSeries { seriesId } " * 600
    assert "token" in error(server, f"{{ {tokens} }}")["message"].lower()
    introspection = "{ __schema { queryType { name fields { name args { name } } } } }"
    names = {one["name"] for one in data(server, introspection)["__schema"]["queryType"]["fields"]}
    assert {"lngInventory", "powerPlants", "changes"} <= names


def test_only_short_queries_are_posted(server: httpx.Client) -> None:
    assert server.get(GRAPHQL, params={"query": "{ lngSeries { seriesId } }"}).status_code in (
        400,
        404,
        405,
    )
    long = server.post(GRAPHQL, json={"query": "#" * 70_000})
    assert (long.status_code, long.json()["type"]) == (413, "query-too-long")
    chunked = server.post(GRAPHQL, content=iter([b"{}"]))
    assert chunked.status_code == 411
    page = server.get(GRAPHQL, headers={"Accept": "text/html"})
    assert "<script" not in page.text


def test_a_mistyped_query_is_told_what_is_wrong(server: httpx.Client) -> None:
    told = error(server, "{ lngSeries { colour } }")
    assert "colour" in told["message"]
