"""Reading can do nothing but read, within limits, and never for more than can be served."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.client import ClickHouse, StatementError
from streams.core.errors import SinkError
from streams.serve.pool import Reader
from streams.serve.problems import ProblemError, of_clickhouse

T = TypeVar("T")


def query(sql: str) -> BoundQuery[Any]:
    return BoundQuery(sql, {}, lambda *values: values)


def with_reader(clickhouse: ClickHouse, use: Callable[[Reader], Awaitable[T]], **sizes: int) -> T:
    async def run() -> T:
        reader = Reader(clickhouse.address, **sizes)
        try:
            return await use(reader)
        finally:
            reader.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO store_loaded (topic_id, partition, offset) VALUES ('x', 0, 0)",
        "DROP TABLE store_loaded",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT 1 SETTINGS max_threads = 8",
    ],
)
def test_nothing_but_reading_is_possible(clickhouse: ClickHouse, sql: str) -> None:
    with pytest.raises(StatementError) as caught:
        with_reader(clickhouse, lambda reader: reader.answer(query(sql), "TSV"))
    assert caught.value.code == 164


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT sum(number) FROM numbers(300000000)", "reads too many rows"),
        ("SELECT number FROM numbers(2000000)", "answer is too large"),
        (
            "SELECT length(groupArray(repeat('x', 1000000 + number))) FROM numbers(3000)",
            "too much memory",
        ),
    ],
)
def test_a_limit_is_a_problem_that_says_what_to_narrow(
    clickhouse: ClickHouse, sql: str, says: str
) -> None:
    with pytest.raises(SinkError) as caught:
        with_reader(clickhouse, lambda reader: reader.answer(query(sql), "TSV"))
    problem = of_clickhouse(caught.value)
    assert problem is not None
    assert problem.status == 413
    assert says in str(problem)
    assert "narrow it" in str(problem)


def test_who_comes_too_late_is_told_to_come_again(clickhouse: ClickHouse) -> None:
    slow = query("SELECT sum(sipHash64(number)) FROM numbers(3000000)")

    async def use(reader: Reader) -> list[Any]:
        return await asyncio.gather(
            *(reader.answer(slow, "TSV") for _ in range(4)), return_exceptions=True
        )

    found = with_reader(clickhouse, use, handles=1, waiting=1)
    busy = [one for one in found if isinstance(one, ProblemError)]
    assert [(one.type, one.status) for one in busy] == [("busy", 503)] * 2
    assert int(busy[0].headers["Retry-After"]) > 0
    assert sum(isinstance(one, bytes) for one in found) == 2


def test_a_download_that_is_given_up_frees_its_connection(clickhouse: ClickHouse) -> None:
    large = query("SELECT number, repeat('x', 100) FROM numbers(1000000)")

    async def use(reader: Reader) -> bytes:
        pieces = reader.stream(large, "CSV")
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
        return await asyncio.wait_for(reader.answer(query("SELECT 1"), "TSV"), 20)

    assert with_reader(clickhouse, use, handles=1) == b"1\n"


def test_an_error_within_a_download_is_raised_to_who_reads_it(clickhouse: ClickHouse) -> None:
    failing = query("SELECT throwIf(number = 900000) FROM numbers(1000000)")

    async def use(reader: Reader) -> int:
        return sum([len(piece) async for piece in reader.stream(failing, "CSV")])

    with pytest.raises(SinkError, match="throwIf"):
        with_reader(clickhouse, use, handles=1)


def test_no_clickhouse_is_said_to_be_unavailable() -> None:
    async def use() -> bytes:
        reader = Reader("clickhouse://127.0.0.1:1/none")
        try:
            return await reader.answer(query("SELECT 1"), "TSV")
        finally:
            reader.close()

    with pytest.raises(SinkError) as caught:
        asyncio.run(use())
    problem = of_clickhouse(caught.value)
    assert problem is not None
    assert (problem.type, problem.status) == ("unavailable", 503)
