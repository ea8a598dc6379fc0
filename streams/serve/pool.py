"""Reading ClickHouse for the API: few connections that can do nothing but read, and a short queue.

More connections than cores make every query slower (measured), so callers wait here, and too many
are turned away at once instead of late.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from threading import Lock
from typing import Final, TypeVar

from streams.clickhouse.bound_query import READ_SETTINGS, BoundQuery
from streams.clickhouse.client import ClickHouse
from streams.serve.problems import busy

HANDLES: Final = 4
WAITING: Final = 96
DOWNLOADS: Final = 2
"""Whole lists that are written at once; the other handles stay free for quick questions."""

_WAITING_DOWNLOADS: Final = 8

_SESSION: Final[dict[str, str | int]] = {
    **READ_SETTINGS,
    "max_threads": 1,
    "max_execution_time": 30,
    "max_memory_usage": 1_000_000_000,
    "max_rows_to_read": 200_000_000,
    "max_result_rows": 1_100_000,
    "max_result_bytes": 512_000_000,
    "format_csv_null_representation": "",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    # The last one: nothing can be set after it.
    "readonly": 1,
}

Row = TypeVar("Row")
_T = TypeVar("_T")


class Reader:
    """Answers queries. Belongs to one event loop.

    Connects when it is first asked, so that an API starts before ClickHouse does.
    """

    def __init__(self, dsn: str, handles: int = HANDLES, waiting: int = WAITING) -> None:
        self._dsn = dsn
        self._handles = handles
        self._most = handles + waiting
        self._asked = 0
        self._threads = ThreadPoolExecutor(handles, thread_name_prefix="read")
        self._downloads = asyncio.Semaphore(DOWNLOADS)
        self._downloading = 0
        self._connected: ClickHouse | None = None
        self._connecting = Lock()

    async def answer(self, query: BoundQuery[Row], output_format: str) -> bytes:
        """The whole answer in one of ClickHouse's own formats.

        Raises:
            ProblemError: too many are waiting.
            SinkError: refused, beyond a limit, or no answer.
        """
        return await self._run(
            lambda clickhouse: clickhouse.formatted(query.sql, output_format, query.parameters)
        )

    async def rows(self, query: BoundQuery[Row]) -> Sequence[Row]:
        """Every row; errors as in `answer`."""
        return await self._run(
            lambda clickhouse: [
                query.row(*values) for values in clickhouse.query(query.sql, query.parameters).rows
            ]
        )

    async def stream(self, query: BoundQuery[Row], output_format: str) -> AsyncIterator[bytes]:
        """The answer in pieces; errors as in `answer`, also after some pieces.

        Close the iterator when it is not read to its end.
        """
        pieces = _Pieces()

        def write(clickhouse: ClickHouse) -> None:
            pieces.write(clickhouse.stream(query.sql, output_format, query.parameters))

        async with self._download():
            producer = asyncio.create_task(pieces.produced_by(self._run(write)))
            try:
                async for piece in pieces:
                    yield piece
            finally:
                await pieces.stop(producer)

    def close(self) -> None:
        """Close every connection, after running queries end."""
        self._threads.shutdown()
        with self._connecting:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    async def _run(self, work: Callable[[ClickHouse], _T]) -> _T:
        with self._admitted():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: work(self._clickhouse()))

    @asynccontextmanager
    async def _download(self) -> AsyncIterator[None]:
        if self._downloading >= DOWNLOADS + _WAITING_DOWNLOADS:
            raise busy()
        self._downloading += 1
        try:
            async with self._downloads:
                yield
        finally:
            self._downloading -= 1

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._asked >= self._most:
            raise busy()
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1

    def _clickhouse(self) -> ClickHouse:
        with self._connecting:
            if self._connected is None:
                self._connected = ClickHouse(self._dsn, self._handles, _SESSION)
            return self._connected


class _Pieces:
    """Hands pieces from the thread that reads them to the event loop, a few at a time."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(maxsize=4)
        self._loop = asyncio.get_running_loop()
        self._stopped = False

    def write(self, source: Iterator[bytes]) -> None:
        """Hand on every piece; called in the thread."""
        for piece in source:
            if self._stopped:
                return
            asyncio.run_coroutine_threadsafe(self._queue.put(piece), self._loop).result()

    async def produced_by(self, work: Awaitable[None]) -> None:
        """Wait for the thread, then say that there is no more, or why."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  it is raised where the pieces are read
            await self._queue.put(error)
        else:
            await self._queue.put(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def stop(self, producer: "asyncio.Task[None]") -> None:
        """Let the thread end although nobody reads any more."""
        self._stopped = True
        while not producer.done():
            while not self._queue.empty():
                self._queue.get_nowait()
            await asyncio.wait({producer}, timeout=0.05)
