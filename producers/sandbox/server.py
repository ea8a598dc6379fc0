"""The sandbox server: upstreams, their controls, and a health check.

GET  /alsi/api                  GIE ALSI
GET  /wri/…_v_1_3.zip           WRI bucket
GET  /gem/…                     Global Energy Monitor, grid extract, project lists
GET  /healthz                   what is served
POST /control/revise            {"days": 30}: correct the newest gas days
POST /control/wri               {"change": [ids], "drop": [ids], "move": [ids]}: next release
POST /control/gem               {"change": [ids], "drop": [ids]}: next release of its lists
POST /control/reset             everything as at the start
"""

import json
import logging
from collections.abc import Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from producers.sandbox.alsi import AlsiUpstream
from producers.sandbox.gem import GemUpstream
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.wri import ReleaseChange, WriUpstream

_STOP_SECONDS = 2


def create_app(settings: SandboxSettings) -> Starlette:
    """The server as an ASGI application, its data loaded."""
    alsi = AlsiUpstream(settings.data_dir, settings.alsi_key, settings.alsi_requests_per_minute)
    wri = WriUpstream(settings.data_dir, settings.plants)
    gem = GemUpstream(settings.data_dir)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "real_data": settings.data_dir.is_dir()})

    async def revise(request: Request) -> JSONResponse:
        days = (await _body(request)).get("days")
        if not isinstance(days, int) or days < 0:
            return _refused('send {"days": 30}')
        return JSONResponse({"revised": alsi.revise(days)})

    async def release(request: Request) -> JSONResponse:
        body = await _body(request)
        change = ReleaseChange(*(_ids(body.get(key)) for key in ("change", "drop", "move")))
        found = await run_in_threadpool(wri.publish, change)
        if found != change.ids:
            return _refused(f"unknown ids: {sorted(change.ids - found)[:5]}")
        return JSONResponse({"touched": len(found)})

    async def gem_release(request: Request) -> JSONResponse:
        body = await _body(request)
        change, drop = _ids(body.get("change")), _ids(body.get("drop"))
        found = await run_in_threadpool(gem.publish, change, drop)
        if found != change | drop:
            return _refused(f"unknown ids: {sorted((change | drop) - found)[:5]}")
        return JSONResponse({"touched": len(found)})

    async def reset(request: Request) -> JSONResponse:
        alsi.reset()
        await run_in_threadpool(wri.reset)
        await run_in_threadpool(gem.reset)
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            *alsi.routes(),
            *wri.routes(),
            *gem.routes(),
            Route("/healthz", health),
            Route("/control/revise", revise, methods=["POST"]),
            Route("/control/wri", release, methods=["POST"]),
            Route("/control/gem", gem_release, methods=["POST"]),
            Route("/control/reset", reset, methods=["POST"]),
        ]
    )


def serve(settings: SandboxSettings) -> None:
    """Serve until SIGINT or SIGTERM."""
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level=logging.INFO,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


async def _body(request: Request) -> Mapping[str, object]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _ids(value: object) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()


def _refused(message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=422)
