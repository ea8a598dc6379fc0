"""The page of the sink's worker that gives whole views, for `make export` on this machine."""

import asyncio
from collections.abc import Callable, Collection

from faust.types.web import Request, Response
from faust.web import View

from streams.clickhouse.export_reader import ExportReader
from streams.core.errors import SinkError
from streams.engine.app import BatchApp
from streams.sink.query_page import is_local


def add_export_page(app: BatchApp, dsn: str, views: Callable[[], Collection[str]]) -> None:
    """Add `GET /views/{name}`: a view as Parquet.

    403 to other machines, 404 for what is no view, 503 when ClickHouse does not answer.
    """

    def read(view: str) -> bytes:
        with ExportReader(dsn) as reader:
            return reader.parquet(view)

    @app.page("/views/{name}")
    class ExportPage(View):  # type: ignore[misc]
        async def get(self, request: Request, name: str) -> Response:
            if not is_local(request):
                return self.text("Views are exported on this machine only.", status=403)
            if name not in views():
                return self.text(f"There is no view {name}.", status=404)
            try:
                content = await asyncio.to_thread(read, name)
            except SinkError as error:
                return self.text(str(error), status=503)
            return self.bytes(content, content_type="application/vnd.apache.parquet")
