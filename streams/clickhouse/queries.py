"""Queries of people: read only, limited, answered in ClickHouse's own formats.

Nothing of a query is trusted. Three walls, each one needed (measured on the embedded engine 26.9):

    readonly = 1   refuses writes, SETTINGS that lift a limit, and every table function that
                   reaches out but `python`
    the parser     ClickHouse writes the query again, which takes one statement only, and once more
                   as a subquery, which takes no INTO OUTFILE, FORMAT, KILL, USE: readonly lets
                   these and several statements pass
    words          `file` reads any file and `python` any object of this process, under readonly
                   too, written as functions, as `* APPLY file` or in a lambda
"""

import re
from dataclasses import dataclass
from typing import Final

from streams.clickhouse.client import ClickHouse, StatementError
from streams.clickhouse.output_format import OutputFormat
from streams.core.errors import SinkError

QUERIES_AT_ONCE: Final = 2

_OUTPUT: Final[dict[str, str | int]] = {
    "format_csv_null_representation": "",
    "output_format_json_array_of_rows": 1,
    "output_format_pretty_color": 0,
    "output_format_pretty_row_numbers": 0,
    "output_format_pretty_single_large_number_tip_threshold": 0,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take.

    Attributes:
        seconds: Time.
        rows: Rows of the answer.
        answer_mb: Size of the answer.
        memory_mb: Memory.
    """

    seconds: int = 30
    rows: int = 100_000
    answer_mb: int = 64
    memory_mb: int = 1000

    def session(self) -> dict[str, str | int]:
        """Settings of a connection that reads within these limits."""
        return {
            "max_execution_time": self.seconds,
            "max_result_rows": self.rows,
            "max_result_bytes": self.answer_mb * 1_000_000,
            "max_memory_usage": self.memory_mb * 1_000_000,
            **_OUTPUT,
            # The last one: nothing can be set after it.
            "readonly": 1,
        }

    def advice(self, code: int) -> str | None:
        """What to change after an error of ClickHouse, None for one that is not about limits."""
        match code:
            case 159:  # TIMEOUT_EXCEEDED
                return (
                    f"The query took longer than {self.seconds} s: narrow it with WHERE, for "
                    "example to one source or to fewer days."
                )
            case 396:  # TOO_MANY_ROWS_OR_BYTES
                return (
                    f"The answer has more than {self.rows:,} rows or {self.answer_mb} MB: add "
                    "LIMIT, select fewer columns, or count with GROUP BY."
                )
            case 241:  # MEMORY_LIMIT_EXCEEDED
                return (
                    f"The query needs more than {self.memory_mb:,} MB of memory: narrow it with "
                    "WHERE, select fewer columns, or group by fewer values."
                )
            case 158 | 307:  # TOO_MANY_ROWS, TOO_MANY_BYTES: limits of a server's own
                return "The query reads more than the server allows: narrow it with WHERE."
            case 164:  # READONLY
                return (
                    "Only reading is allowed: ask with one SELECT, without SETTINGS and without "
                    "functions that reach files or other services."
                )
        return None


DEFAULT_LIMITS: Final = Limits()

_CLICKHOUSE_FORMATS: Final = {
    OutputFormat.TABLE: "PrettyCompactMonoBlock",
    OutputFormat.CSV: "CSVWithNames",
    OutputFormat.JSON: "JSONEachRow",
}

_PARSE: Final = """
SELECT formatQuerySingleLine({sql:String}) AS text,
    formatQuerySingleLineOrNull('SELECT * FROM (' || text || ')')"""
_SELECT: Final = ("SELECT ", "WITH ", "(")

_REACHING_WORDS: Final = frozenset({"file", "outfile", "python"})

# Of text that ClickHouse has written: quotes within quotes are escaped, comments are gone.
_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?P<quoted>(?:[^`\\]|\\.)*)`|(?P<word>\w+)", re.S)


class QueryError(SinkError):
    """A query is refused, wrong or too large; the message says what to change."""


class Queries:
    """Answers queries over connections of its own, which can do nothing but read.

    Safe to use from several threads; more than `QUERIES_AT_ONCE` wait for each other.
    """

    def __init__(self, dsn: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """Connect; addresses and errors as those of `ClickHouse`."""
        self._limits = limits
        self._clickhouse = ClickHouse(dsn, QUERIES_AT_ONCE, limits.session())

    def answer(self, sql: str, output_format: OutputFormat) -> bytes:
        """The answer to one SELECT, UTF-8.

        Raises:
            QueryError: refused, wrong or beyond a limit.
            SinkError: ClickHouse does not answer.
        """
        try:
            return self._clickhouse.formatted(
                self._checked(sql), _CLICKHOUSE_FORMATS[output_format]
            )
        except StatementError as error:
            raise QueryError(self._limits.advice(error.code) or _as_said(error)) from error

    def close(self) -> None:
        """Close the connections, after running queries end."""
        self._clickhouse.close()

    def _checked(self, sql: str) -> str:
        """The query as ClickHouse's parser writes it: what was checked is what runs."""
        ((text, as_subquery),) = self._clickhouse.query(_PARSE, {"sql": sql}).rows
        if reaching := _REACHING_WORDS & _words(text):
            raise QueryError(f"{min(reaching)} is not allowed: it reaches beyond the tables.")
        if as_subquery is None or not text.startswith(_SELECT):
            raise QueryError(
                "Only one SELECT is answered, without FORMAT, which is chosen beside the query "
                "(--format); `make sql` alone lists the tables."
            )
        return str(text)


def _words(text: str) -> set[str]:
    """Every word outside of string literals, in lower case."""
    return {(match["word"] or match["quoted"] or "").lower() for match in _TOKEN.finditer(text)}


def _as_said(error: StatementError) -> str:
    # The parser lists every token that may follow, and repeats the query of ours that asks it.
    reason = re.split(r"\.? Expected one of|: In scope \s*SELECT formatQuery", error.reason)[0]
    return f"ClickHouse refuses the query: {reason.strip().rstrip('.')}."
