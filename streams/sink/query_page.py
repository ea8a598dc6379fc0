"""The page of the sink's worker that answers queries, for processes on this machine.

The embedded engine lets one process open its directory, so whoever asks must come here. A server
is asked directly.
"""

import asyncio
from collections.abc import Callable

from faust.types.web import Request, Response
from faust.web import View

from streams.clickhouse.output_format import OutputFormat
from streams.clickhouse.queries import Queries, QueryError
from streams.core.errors import SinkError
from streams.engine.app import BatchApp

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def add_query_page(app: BatchApp, queries: Callable[[], Queries]) -> None:
    """Add `POST /query?format=csv` with the query as its body; the answer is the query's.

    400 and a sentence when the query cannot be answered, 403 to other machines and to web sites
    that have their name resolved to this one, 503 when ClickHouse does not answer.
    """

    @app.page("/query")
    class QueryPage(View):  # type: ignore[misc]
        async def post(self, request: Request) -> Response:
            if not is_local(request):
                return self.text(
                    "Queries are answered on this machine only: ask ClickHouse itself, with "
                    "CLICKHOUSE_DSN.",
                    status=403,
                )
            try:
                output_format = OutputFormat(request.query.get("format", OutputFormat.TABLE))
            except ValueError:
                return self.text(f"format is one of {', '.join(OutputFormat)}.", status=400)
            try:
                answer = await asyncio.to_thread(
                    queries().answer, await request.text(), output_format
                )
            except QueryError as error:
                return self.text(str(error), status=400)
            except SinkError as error:
                return self.text(str(error), status=503)
            return self.bytes(answer, content_type="text/plain")


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, and from no web site that has its name here."""
    return request.remote in _LOOPBACK and request.url.host in _LOOPBACK
