"""Whether the API lives, whether what it answers is current, and what it measures."""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from streams.metrics import exposition
from streams.serve.data_version import DataVersion


def health(version: DataVersion) -> APIRouter:
    """`/live` (the event loop turns), `/ready` (ClickHouse was read moments ago), `/metrics`."""
    router = APIRouter(tags=["health"], include_in_schema=False)

    @router.get("/live")
    async def live() -> Response:
        return _json({"live": True}, 200)

    @router.get("/metrics")
    async def metrics() -> Response:
        # Where the sink serves the API, some are asked of other services.
        text = await asyncio.to_thread(exposition)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    @router.get("/ready")
    async def ready() -> Response:
        problem = version.problem
        positions = version.positions
        published_at = version.published_at
        answer = {
            "ready": problem is None,
            "problem": problem,
            "data_version": version.current,
            "stored_up_to": {str(p): o for p, o in positions.offsets.items()} if positions else {},
            "newest_published_at": published_at.isoformat() if published_at else None,
        }
        return _json(answer, 200 if problem is None else 503)

    return router


def _json(content: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
