"""A query as a value: text, bound parameters, and what a row of it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.prepared import ISO_TIMES

Row = TypeVar("Row")

READ_SETTINGS = ISO_TIMES
"""Settings the queries count on; a connection that may not change any needs them from its start."""


@dataclass(frozen=True, slots=True)
class BoundQuery(Generic[Row]):
    """One query.

    Attributes:
        sql: The statement; `{name:Type}` stands for a parameter.
        parameters: By name; data only, never a part of the statement.
        row: Makes a row of the values of its columns.
        columns: Names of its columns, where rows are handed on as a table.
    """

    sql: str
    parameters: Mapping[str, Any]
    row: Callable[..., Row]
    columns: tuple[str, ...] = ()

    def run(self, clickhouse: ClickHouse) -> Sequence[Row]:
        """Every row.

        Raises:
            SinkError: refused or no answer.
        """
        result = clickhouse.query(self.sql, self.parameters, READ_SETTINGS)
        return [self.row(*values) for values in result.rows]
