"""Who is let in, what other sites' pages may read, and what a log shows."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from streams.core.errors import SettingsError
from streams.serve.admission import keys_of
from streams.serve.app import create_app
from streams.serve.request_log import asked
from streams.settings import Settings

RESOURCE = "/infrastructure/api/v1/openapi.json"


def ask(headers: Mapping[str, str], times: int = 1, **settings: Any) -> list[httpx.Response]:
    """Answers of an API with some settings that needs no data for them."""
    app = create_app(Settings(clickhouse_dsn="clickhouse://127.0.0.1:1/none", **settings))

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return [await client.get(RESOURCE, headers=dict(headers)) for _ in range(times)]

    return asyncio.run(all_of_them())


def test_without_keys_everybody_may_ask() -> None:
    assert [answer.status_code for answer in ask({})] == [200]


def test_each_key_has_a_rate_of_its_own() -> None:
    keys = "one:s3cret:with:colons:2,other:0ther:1000"
    (refused,) = ask({}, api_keys=keys)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert [a.status_code for a in ask({"X-API-Key": "wrong"}, api_keys=keys)] == [401]
    several = ask({"X-API-Key": "s3cret:with:colons"}, times=3, api_keys=keys)
    assert [answer.status_code for answer in several] == [200, 200, 429]
    assert several[-1].headers["retry-after"] == "30"
    assert "2 times a minute" in several[-1].json()["detail"]
    others = ask({"Authorization": "Bearer 0ther"}, times=3, api_keys=keys)
    assert {answer.status_code for answer in others} == {200}


@pytest.mark.parametrize("text", ["one", "one:s3cret", "one:s3cret:0", ":s3cret:5", "one::5"])
def test_keys_written_otherwise_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(SettingsError, match="API_KEYS") as caught:
        keys_of(text)
    assert "s3cret" not in str(caught.value)


def test_only_named_sites_may_read_answers() -> None:
    origin = {"Origin": "https://one.example"}
    (answer,) = ask(origin, api_cors_origins="https://one.example")
    assert answer.headers["access-control-allow-origin"] == "https://one.example"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    (other,) = ask({"Origin": "https://other.example"}, api_cors_origins="https://one.example")
    (without,) = ask(origin)
    for refused in (other, without):
        assert "access-control-allow-origin" not in refused.headers


def test_logs_name_the_key_and_show_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="streams.serve.request_log"):
        ask({"X-API-Key": "s3cret"}, api_keys="one:s3cret:5")
    assert "key=one" in caplog.text
    assert "s3cret" not in caplog.text
    assert asked("/a", b"api_key=s3cret&limit=5&Access-Token=x") == (
        "/a?api_key=***&limit=5&Access-Token=***"
    )
    assert asked("/a\nGET /forged", b"") == "/a?GET /forged"
    assert len(asked("/a", b"q=" + b"x" * 10_000)) < 600


def test_answers_are_compressed_as_the_client_likes() -> None:
    for encoding in ("gzip", "br"):
        (answer,) = ask({"Accept-Encoding": encoding})
        assert answer.headers["content-encoding"] == encoding
        assert answer.json()["openapi"].startswith("3.")
