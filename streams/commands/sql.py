"""`make sql`: queries of people, asked where the data are open."""

import httpx

from streams.clickhouse.client import embedded_path, holder_of
from streams.clickhouse.output_format import OutputFormat
from streams.clickhouse.queries import DEFAULT_LIMITS, Queries, QueryError
from streams.commands.sink_process import ask_sink
from streams.core.errors import SinkError
from streams.settings import Settings

TABLES = (
    "SELECT name, comment FROM system.tables "
    "WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
)
"""What there is to ask about."""

# Longer than a query may take, and than those before it.
_ANSWER_SECONDS = 3.0 * DEFAULT_LIMITS.seconds


def ask(settings: Settings, sql: str, output_format: OutputFormat) -> bytes:
    """The answer to one SELECT: of the server that CLICKHOUSE_DSN names, or of the embedded engine.

    The embedded engine is asked through the sink's worker while that has it open, and opened here
    otherwise.

    Raises:
        QueryError: refused, wrong or beyond a limit.
        SinkError: no data, or nobody answers.
    """
    url = settings.clickhouse_url()
    path = embedded_path(url)
    if path and not path.is_dir():
        raise SinkError(f"There are no data in {path} yet: `make run` loads some.")
    if path and (holder := holder_of(path)):
        held = f"{path} is in use by {holder}"
        return _ask_the_sink(settings.sink_port, held, sql, output_format)
    queries = Queries(url)
    try:
        return queries.answer(sql, output_format)
    finally:
        queries.close()


def _ask_the_sink(port: int, held: str, sql: str, output_format: OutputFormat) -> bytes:
    answer = ask_sink(
        port,
        held,
        "POST",
        "/query",
        seconds=_ANSWER_SECONDS,
        params={"format": output_format},
        content=sql.encode(),
    )
    if answer.status_code == httpx.codes.BAD_REQUEST:
        raise QueryError(answer.text)
    if answer.status_code != httpx.codes.OK:
        raise SinkError(
            f"The process on port {port} does not answer queries ({answer.status_code}): "
            f"{answer.text}"
        )
    return answer.content
