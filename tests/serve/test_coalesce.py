"""Who waits for the same kind of answer is answered by one query."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from streams.serve.coalesce import Coalescer


def test_all_who_wait_are_answered_together() -> None:
    asked: list[list[str]] = []

    async def fetch(keys: Collection[str]) -> Mapping[str, str]:
        asked.append(sorted(keys))
        await asyncio.sleep(0)
        return {key: key.upper() for key in keys if key != "unknown"}

    async def use() -> list[str | None]:
        coalescer = Coalescer(fetch)
        first = asyncio.create_task(coalescer.get("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = ("b", "c", "b", "unknown", "a")
        return await asyncio.gather(first, *(coalescer.get(key) for key in others))

    assert asyncio.run(use()) == ["A", "B", "C", "B", None, "A"]
    assert asked == [["a"], ["a", "b", "c", "unknown"]]


def test_while_two_queries_run_the_next_gathers_all_who_ask() -> None:
    asked: list[list[int]] = []
    running = asyncio.Event()

    async def fetch(keys: Collection[int]) -> Mapping[int, int]:
        asked.append(sorted(keys))
        await running.wait()
        return {key: key for key in keys}

    async def use() -> list[int | None]:
        coalescer = Coalescer(fetch)
        waiting = []
        for key in range(5):
            waiting.append(asyncio.create_task(coalescer.get(key)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert asked == [[0], [1]]
        running.set()
        found = await asyncio.gather(*waiting)
        assert coalescer.idle
        return found

    assert asyncio.run(use()) == list(range(5))
    assert asked == [[0], [1], [2, 3, 4]]


def test_a_failure_is_told_to_all_and_the_next_ask_again() -> None:
    failures = [RuntimeError("broken")]

    async def fetch(keys: Collection[int]) -> Mapping[int, int]:
        if failures:
            raise failures.pop()
        return {key: key for key in keys}

    async def use() -> list[object]:
        coalescer = Coalescer(fetch)
        told = await asyncio.gather(coalescer.get(1), coalescer.get(2), return_exceptions=True)
        return [*told, await coalescer.get(1)]

    first, second, third = asyncio.run(use())
    assert isinstance(first, RuntimeError)
    assert isinstance(second, RuntimeError)
    assert third == 1


def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    async def fetch(keys: Collection[int]) -> Mapping[int, int]:
        await asyncio.sleep(0)
        return {key: key for key in keys}

    async def use() -> int | None:
        coalescer = Coalescer(fetch)
        leaving = asyncio.create_task(coalescer.get(1))
        staying = asyncio.create_task(coalescer.get(1))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        return await staying

    assert asyncio.run(use()) == 1
