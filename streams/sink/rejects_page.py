"""The page of the sink's worker that loads rejected records again.

The embedded engine lets one process open its directory, so whoever wants that must come here.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from faust.types.web import Request, Response
from faust.web import View

from streams.core.errors import RegistryError, SinkError
from streams.engine.app import BatchApp
from streams.sink.query_page import is_local
from streams.sink.rejects import RejectChoice, RejectReport

LoadAgain = Callable[[RejectChoice], RejectReport]


def add_rejects_page(app: BatchApp, load_again: LoadAgain) -> None:
    """Add `POST /rejects/redrive?rule=&since=&until=&limit=`; the answer is a `RejectReport`.

    400 and a sentence for a wrong parameter, 403 to other machines, 503 when ClickHouse or the
    registry do not answer.
    """

    @app.page("/rejects/redrive")
    class RejectsPage(View):  # type: ignore[misc]
        async def post(self, request: Request) -> Response:
            if not is_local(request):
                return self.text("Records are loaded again on this machine only.", status=403)
            try:
                choice = _choice(request)
            except ValueError as error:
                return self.text(f"A parameter is wrong: {error}", status=400)
            try:
                report = await asyncio.to_thread(load_again, choice)
            except (SinkError, RegistryError) as error:
                return self.text(str(error), status=503)
            return self.json({"loaded": dict(report.loaded), "rejected": dict(report.rejected)})


def _choice(request: Request) -> RejectChoice:
    times = {
        name: datetime.fromisoformat(request.query[name])
        for name in ("since", "until")
        if name in request.query
    }
    return RejectChoice(request.query.get("rule"), limit=int(request.query["limit"]), **times)
