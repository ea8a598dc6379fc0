"""Answers of one generation: none is made of tables from before and from after a switch.

An answer may take several queries, and a switch fills one table after the other. So the beginning
of each is held back until it is known that the tables have shown one generation all the while;
otherwise it is made again. What was seen of that is gone by for a moment (`VALID_SECONDS`), in
which no switch can begin, so most answers cost no query more.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.clickhouse.shown_generation import VALID_SECONDS, shown_generation
from streams.core.errors import InfrastructureError
from streams.serve.pool import Reader
from streams.serve.problems import ProblemError, switching

WAIT_SECONDS: Final = 10.0
"""How long a switch that is being shown is waited for."""

_LOOK_SECONDS: Final = 0.1
_TRIES: Final = 3


class Generation:
    """The generation that every table shows. Belongs to one event loop."""

    def __init__(
        self,
        reader: Reader,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            reader: Asks; nobody else uses it, so that no queue is before this question.
            wait_seconds: How long a switch is waited for.
            clock: Seconds.
        """
        self._reader = reader
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._looking: asyncio.Task[None] | None = None
        self._began_at = 0.0
        self._valid_until = 0.0
        self.last: int | None = None

    async def current(self) -> int | None:
        """The generation that every table shows, now and for a moment; None: nobody answers.

        Waits while a switch is being shown.

        Raises:
            ProblemError: that takes too long.
        """
        if self._clock() >= self._valid_until:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())
                self._began_at = self._clock()
            # Who comes later does not wait longer for a switch that does not end.
            left = self._wait_seconds - (self._clock() - self._began_at)
            done, _ = await asyncio.wait({self._looking}, timeout=max(0.0, left))
            if not done:
                raise switching()
            done.pop().result()
        return self.last

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        """Look until no switch is being shown."""
        try:
            while True:
                asked_at = self._clock()
                try:
                    (shown,) = await self._reader.rows(shown_generation())
                except InfrastructureError:
                    self.last = None
                    return
                valid_until = asked_at + VALID_SECONDS
                if not shown.in_part and self._clock() < valid_until:
                    self.last, self._valid_until = shown.whole, valid_until
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._looking = None


class _MixedError(Exception):
    """What was to be sent may be of two generations."""


class Whole:
    """Makes answers again that a switch has come across."""

    def __init__(self, app: ASGIApp, generation: Generation, apart: Sequence[str]) -> None:
        """Wrap an app.

        Args:
            app: What answers.
            generation: What the tables show.
            apart: Addresses whose answers hold no stored records begin so.
        """
        self._app = app
        self._generation = generation
        self._apart = tuple(apart)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith(self._apart):
            await self._app(scope, receive, send)
            return
        request = _Request(receive)
        try:
            for _ in range(_TRIES):
                answer = _Answer(self._generation, await self._generation.current(), send)
                try:
                    await self._app(scope, request.again(), answer.send)
                except _MixedError:
                    continue
                return
            raise switching()
        except ProblemError as problem:
            await problem.response()(scope, receive, send)


class _Request:
    """A request that can be read several times."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._received: list[Message] = []

    def again(self) -> Receive:
        """What reads it from its beginning."""
        position = 0

        async def receive() -> Message:
            nonlocal position
            if position == len(self._received):
                self._received.append(await self._receive())
            position += 1
            return self._received[position - 1]

        return receive


class _Answer:
    """An answer whose beginning is held back until it is known to be of one generation.

    With its first piece every query behind it has chosen what it reads.
    """

    def __init__(self, generation: Generation, began_with: int | None, send: Send) -> None:
        self._generation = generation
        self._began_with = began_with
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Send a part of it.

        Raises:
            _MixedError: nothing was sent; it must be made again.
        """
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            await self._require_whole()
            start, self._start = self._start, None
            await self._send(start)
        await self._send(message)

    async def _require_whole(self) -> None:
        try:
            now = await self._generation.current()
        except ProblemError as problem:
            # Inside the app it would be taken for the answer, which has begun already.
            raise _MixedError from problem
        if now != self._began_with:
            raise _MixedError
