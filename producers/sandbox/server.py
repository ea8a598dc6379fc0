"""The sandbox server: upstreams, their controls, and a health check.

GET  /alsi/api…                 GIE ALSI: days, /about, /unavailability
GET  /wri/…_v_1_3.zip           WRI bucket
GET  /nlr/api…                  NLR developer API: five services behind their gateway
GET  /trackers/solar_wind.csv   tracker file of solar and wind phases
GET  /gem/…                     Global Energy Monitor, grid extract, project lists
GET  /healthz                   what is served
POST /control/revise            {"days": 30}: correct the newest gas days
POST /control/alsi              {"unlist": [facility EICs]}: the listing without them
POST /control/wri               {"change": [ids], "drop": [ids], "move": [ids]}: next release
POST /control/gem               {"change": [ids], "drop": [ids]}: next release of its lists
POST /control/nlr               {"last_year": 2025}, {"gone": true} or {"use_up": 0}
POST /control/trackers          {"operate": [ids], "drop": [ids]}: next release
POST /control/fault             make requests fail, see `faults.py`
POST /control/reset             everything as at the start, no faults
"""

import logging

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from producers.sandbox.alsi import AlsiUpstream
from producers.sandbox.controls import ids, refused, sent
from producers.sandbox.faults import Fault, FaultSwitches
from producers.sandbox.gem import GemUpstream
from producers.sandbox.nlr import NlrUpstream
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.trackers import TrackerUpstream
from producers.sandbox.wri import ReleaseChange, WriUpstream

_STOP_SECONDS = 2


def create_app(settings: SandboxSettings) -> FaultSwitches:
    """The server as an ASGI application, its data loaded."""
    alsi = AlsiUpstream(settings.data_dir, settings.alsi_key, settings.alsi_requests_per_minute)
    wri = WriUpstream(settings.data_dir, settings.plants)
    nlr = NlrUpstream(settings.nlr_key, settings.nlr_requests_per_hour)
    trackers = TrackerUpstream(settings.data_dir)
    gem = GemUpstream(settings.data_dir)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "real_data": settings.data_dir.is_dir()})

    async def release(request: Request) -> JSONResponse:
        body = await sent(request)
        change = ReleaseChange(*(ids(body.get(key)) for key in ("change", "drop", "move")))
        found = await run_in_threadpool(wri.publish, change)
        if found != change.ids:
            return refused(f"unknown ids: {sorted(change.ids - found)[:5]}")
        return JSONResponse({"touched": len(found)})

    async def gem_release(request: Request) -> JSONResponse:
        body = await sent(request)
        change, drop = ids(body.get("change")), ids(body.get("drop"))
        found = await run_in_threadpool(gem.publish, change, drop)
        if found != change | drop:
            return refused(f"unknown ids: {sorted((change | drop) - found)[:5]}")
        return JSONResponse({"touched": len(found)})

    async def fault(request: Request) -> JSONResponse:
        try:
            switches.add(Fault.model_validate(await sent(request)))
        except ValidationError as error:
            return refused(str(error))
        return JSONResponse({"status": "ok"})

    async def reset(request: Request) -> JSONResponse:
        switches.clear()
        alsi.reset()
        nlr.reset()
        trackers.reset()
        await run_in_threadpool(wri.reset)
        await run_in_threadpool(gem.reset)
        return JSONResponse({"status": "ok"})

    app = Starlette(
        routes=[
            *alsi.routes(),
            *wri.routes(),
            *nlr.routes(),
            *trackers.routes(),
            *gem.routes(),
            Route("/healthz", health),
            Route("/control/wri", release, methods=["POST"]),
            Route("/control/fault", fault, methods=["POST"]),
            Route("/control/gem", gem_release, methods=["POST"]),
            Route("/control/reset", reset, methods=["POST"]),
        ]
    )
    switches = FaultSwitches(app, {"/alsi": {"grow": alsi.grow, "shrink": alsi.shrink}})
    return switches


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
