"""How many queries answers cost: none where nothing changed, few where many ask for one thing."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from streams.clickhouse.client import ClickHouse
from streams.serve.addresses import PREFIX
from streams.serve.data_version import LOOK_SECONDS
from tests.serve.client import Api

AT_ONCE = 40


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Statements that answers cost; looking for new data is apart from them."""
    asked: list[str] = []
    formatted = ClickHouse.formatted

    def counted(self: ClickHouse, sql: str, *arguments: Any, **more: Any) -> bytes:
        asked.append(sql)
        return formatted(self, sql, *arguments, **more)

    monkeypatch.setattr(ClickHouse, "formatted", counted)
    return asked


def at_once(server: httpx.Client, paths: Sequence[str]) -> list[httpx.Response]:
    """Answers to requests that are sent together."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=server.base_url, trust_env=False, timeout=30
        ) as client:
            return await asyncio.gather(*(client.get(f"{PREFIX}/{path}") for path in paths))

    return asyncio.run(ask())


def settled(api: Api, paths: Sequence[str]) -> dict[str, str]:
    """Tags of answers when the API has seen what tests before have stored."""
    deadline = time.monotonic() + 15
    while True:
        tags = {path: api.get(path).headers["etag"] for path in paths}
        time.sleep(LOOK_SECONDS)
        if tags == {path: api.get(path).headers["etag"] for path in paths}:
            return tags
        assert time.monotonic() < deadline, "the data change all the time"


def test_an_unchanged_answer_costs_no_query(api: Api, queries: list[str]) -> None:
    paths = ("power-plants?limit=2", "assets/plant-1", "lng-inventory/ES_BARCELONA")
    tags = settled(api, paths)
    assert queries  # the first answers cost some, so the count below means something
    queries.clear()
    for path, tag in tags.items():
        assert api.get(path, If_None_Match=tag).status_code == 304
    assert queries == []


def test_assets_asked_for_at_once_are_read_together(
    api: Api, server: httpx.Client, queries: list[str]
) -> None:
    ids = [row["record_id"] for row in api.data(f"power-plants?limit={AT_ONCE}")]
    queries.clear()
    answers = at_once(server, [f"assets/{one}" for one in ids])
    assert [answer.json()["record_id"] for answer in answers] == ids
    assert len(queries) < AT_ONCE / 2


def test_series_asked_for_at_once_are_read_together(
    api: Api, server: httpx.Client, queries: list[str]
) -> None:
    names = [one["series_id"] for one in api.data("lng-inventory")] * 10
    days = "start_date=2021-01-01&end_date=2021-02-28"
    alone = {name: api.data(f"lng-inventory/{name}?{days}") for name in set(names)}
    queries.clear()
    answers = at_once(server, [f"lng-inventory/{name}?{days}" for name in names])
    assert [answer.json()["data"] for answer in answers] == [alone[name] for name in names]
    assert len(queries) < len(names) / 2
