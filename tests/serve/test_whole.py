"""Answers while a switch of generations is being shown: of one generation, or none."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.clickhouse.shown_generation import VALID_SECONDS, ShownGeneration
from streams.core.errors import SinkError
from streams.serve.whole import Generation, Whole

Change = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Nothing happens."""


@dataclass
class Tables:
    """Two tables whose rows are the generation they are of, and what is said of them."""

    one: int = 1
    other: int = 1
    shown: ShownGeneration = field(default_factory=lambda: ShownGeneration(1, 1))
    seconds: float = 100.0
    asked: int = 0
    failure: Exception | None = None
    between: list[Change] = field(default_factory=list)

    async def rows(self, query: object) -> list[ShownGeneration]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return [self.shown]

    async def announce(self) -> None:
        """As a sink does: whoever has asked before does not go by that any more."""
        self.shown = ShownGeneration(1, 2)
        self.seconds += VALID_SECONDS

    async def switch(self) -> None:
        await self.announce()
        self.one = self.other = 2
        self.shown = ShownGeneration(2, 2)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with both tables and the body of the request; something happens in between."""
        body = (await receive())["body"]
        found = str(self.one)
        await (self.between.pop() if self.between else nothing)()
        found += str(self.other)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": found.encode() + body})

    def whole(self, wait_seconds: float = 5.0) -> Whole:
        reader: Any = self
        generation = Generation(reader, wait_seconds, lambda: self.seconds)
        return Whole(self.app, generation, ["/live"])


async def ask(app: ASGIApp, path: str = "/", body: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.post(path, content=body)


def test_an_answer_that_a_switch_comes_across_is_made_again_from_the_whole_request() -> None:
    tables = Tables()
    tables.between.append(tables.switch)
    assert asyncio.run(ask(tables.whole(), body=" plants")).text == "22 plants"


def test_a_request_during_a_switch_waits_for_its_end() -> None:
    tables = Tables()

    async def scenario() -> str:
        await tables.announce()
        tables.one = 2
        asking = asyncio.create_task(ask(tables.whole()))
        done, _ = await asyncio.wait({asking}, timeout=0.05)
        assert not done
        await tables.switch()
        return (await asking).text

    assert asyncio.run(scenario()) == "22"


@pytest.mark.parametrize("begun", ["before", "in the middle"])
def test_a_switch_that_does_not_end_is_said_with_when_to_ask_again(begun: str) -> None:
    tables = Tables()
    if begun == "before":
        tables.shown = ShownGeneration(1, 2)
    else:
        tables.between.append(tables.announce)
    answer = asyncio.run(ask(tables.whole(wait_seconds=0.0)))
    assert (answer.status_code, answer.json()["type"]) == (503, "switching")
    assert int(answer.headers["retry-after"]) > 0


def test_answers_of_a_moment_cost_one_question() -> None:
    tables = Tables()
    app = tables.whole()

    async def scenario() -> set[str]:
        return {(await ask(app)).text for _ in range(20)}

    assert asyncio.run(scenario()) == {"11"}
    assert tables.asked == 1
    tables.seconds += VALID_SECONDS
    asyncio.run(scenario())
    assert tables.asked == 2


def test_what_the_app_says_without_clickhouse_is_said() -> None:
    tables = Tables(failure=SinkError("away"))
    assert asyncio.run(ask(tables.whole())).text == "11"


def test_addresses_without_records_wait_for_nothing() -> None:
    tables = Tables(shown=ShownGeneration(1, 2))
    assert asyncio.run(ask(tables.whole(wait_seconds=0.0), "/live")).text == "11"
    assert tables.asked == 0


def test_a_stream_that_has_begun_goes_on() -> None:
    tables = Tables()

    async def pieces() -> Any:
        yield b"1"
        await tables.switch()
        yield b"1"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(pieces())(scope, receive, send)

    tables.app = app  # type: ignore[method-assign]
    assert asyncio.run(ask(tables.whole())).text == "11"
