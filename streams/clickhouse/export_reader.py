"""Whole views as Parquet, in an order that depends on the data alone."""

from types import TracebackType
from typing import Final, Self

from streams.clickhouse.client import ClickHouse

_SECONDS: Final = 600

_SESSION: Final[dict[str, str | int]] = {
    "max_execution_time": _SECONDS,
    # Rows and row groups as they are sorted, whoever is faster.
    "max_threads": 1,
    "output_format_parquet_parallel_encoding": 0,
    # The last one: nothing can be set after it.
    "readonly": 1,
}


class ExportReader:
    """Reads views over a connection of its own, without the limits on queries of people.

    As a context manager it closes its connection.
    """

    def __init__(self, dsn: str) -> None:
        """Connect; addresses and errors as those of `ClickHouse`."""
        self._clickhouse = ClickHouse(dsn, 1, _SESSION)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clickhouse.close()

    def parquet(self, view: str) -> bytes:
        """A whole view, sorted by all its columns.

        Args:
            view: A name of `streams.clickhouse.views`; becomes part of the statement.

        Raises:
            SinkError: refused, or no answer.
        """
        return self._clickhouse.formatted(f"SELECT * FROM {view} ORDER BY ALL", "Parquet")  # noqa: S608
