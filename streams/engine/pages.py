"""Pages that every worker serves: metrics, liveness and readiness."""

import asyncio

from faust.types.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.engine.app import BatchApp


def add_pages(app: BatchApp) -> None:
    """`/metrics`, `/live` (the event loop turns) and `/ready` (inputs flow).

    `/ready` names paused partitions with the reason; the others flow, so it is ready all the same.
    """

    @app.page("/metrics")  # type: ignore[untyped-decorator]
    async def metrics(self: View, request: Request) -> Response:
        # Some are asked of other services, which must not stop the event loop.
        text = await asyncio.to_thread(generate_latest)
        return self.bytes(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/live")  # type: ignore[untyped-decorator]
    async def live(self: View, request: Request) -> Response:
        return self.json({"live": True})

    @app.page("/ready")  # type: ignore[untyped-decorator]
    async def ready(self: View, request: Request) -> Response:
        is_ready = app.tables.recovery.completed.is_set() and not app.rebalancing
        assigned = sorted(f"{tp.topic}/{tp.partition}" for tp in app.consumer.assignment())
        answer = {"ready": is_ready, "assigned": assigned, "paused": app.paused()}
        return self.json(answer, status=200 if is_ready else 503)
