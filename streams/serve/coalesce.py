"""One query for everybody who waits for the same kind of answer.

Reading one row takes ClickHouse nearly as long as reading fifty (measured). So while queries run,
further keys gather, and the next query asks for all of them: under load more is answered with fewer
queries, and without load nobody waits. Two run at once, so that ClickHouse reads while answers of
the one before are written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

AT_ONCE: Final = 2


class Coalescer(Generic[Key, Value]):
    """Gathers keys while queries run. Belongs to one event loop."""

    def __init__(
        self, fetch: Callable[[Collection[Key]], Awaitable[Mapping[Key, Value]]], most: int = 200
    ) -> None:
        """Prepare.

        Args:
            fetch: Finds the values of some keys; leaves out those there are not.
            most: Keys of one query.
        """
        self._fetch = fetch
        self._most = most
        self._waiting: dict[Key, asyncio.Future[Value | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Value | None:
        """The value of a key; None: there is none. Raises what the query raises."""
        future = self._waiting.get(key)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._waiting[key] = future
        if len(self._running) < AT_ONCE:
            running = asyncio.create_task(self._run())
            self._running.add(running)
        # One who goes away must not take the answer from the others.
        return await asyncio.shield(future)

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._running

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._most]
                futures = {key: self._waiting.pop(key) for key in keys}
                await self._answer(futures)
        finally:
            # At once, not when the loop calls back: whoever asks meanwhile would wait for nobody.
            self._running -= {asyncio.current_task()}

    async def _answer(self, futures: Mapping[Key, "asyncio.Future[Value | None]"]) -> None:
        try:
            found = await self._fetch(list(futures))
        except Exception as error:  # noqa: BLE001  it is raised where the answer is awaited
            for future in futures.values():
                future.set_exception(error)
                # Nobody may be left to see it.
                future.exception()
            return
        for key, future in futures.items():
            future.set_result(found.get(key))
