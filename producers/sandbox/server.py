"""The sandbox server: upstreams, their controls, and a health check.

GET  /alsi/api…                 GIE ALSI: days, /about, /unavailability
GET  /wri/…_v_1_3.zip           WRI bucket
GET  /nlr/api…                  NLR developer API: five services behind their gateway
GET  /trackers/solar_wind.csv   tracker file of solar and wind phases
GET  /gem/…                     Global Energy Monitor, grid extract, project lists
GET  /healthz                   what is served
POST /control/day               {"day": "2026-05-20"}: every upstream as on this day, in order
POST /control/revise            {"days": 30}: correct the newest gas days
POST /control/alsi              {"unlist": [facility EICs]}: the listing without them;
                                {"rename": {"sendOut": "send_out"}}: keys of gas days, {} for none
POST /control/wri               {"change": [ids], "drop": [ids], "move": [ids]}: next release;
                                {"spoil": true}: a bad copy of it, {"spoil": false}: the good one
POST /control/gem               {"change": [ids], "drop": [ids]}: next release of its lists
POST /control/nlr               {"last_year": 2025}, {"gone": true} or {"use_up": 0}
POST /control/trackers          {"operate": [ids], "drop": [ids]}: next release
POST /control/fault             make requests fail, see `faults.py`; DELETE: no more
POST /control/reset             everything as at the start, no faults
"""

import logging
from datetime import date

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from producers.sandbox.controls import refused, sent
from producers.sandbox.faults import Fault, FaultSwitches
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import UPSTREAMS

_STOP_SECONDS = 2


def create_app(settings: SandboxSettings) -> FaultSwitches:
    """The server as an ASGI application, its data loaded."""
    upstreams = [upstream(settings) for upstream in UPSTREAMS]

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "real_data": settings.data_dir.is_dir()})

    async def fault(request: Request) -> JSONResponse:
        try:
            switches.add(Fault.model_validate(await sent(request)))
        except ValidationError as error:
            return refused(str(error))
        return JSONResponse({"status": "ok"})

    async def no_faults(request: Request) -> JSONResponse:
        switches.clear()
        return JSONResponse({"status": "ok"})

    async def day(request: Request) -> JSONResponse:
        try:
            chosen = date.fromisoformat(str((await sent(request)).get("day")))
        except ValueError:
            return refused('send {"day": "2026-05-20"}')
        for upstream in upstreams:
            await run_in_threadpool(upstream.on_day, chosen)
        return JSONResponse({"status": "ok"})

    async def reset(request: Request) -> JSONResponse:
        switches.clear()
        for upstream in upstreams:
            await run_in_threadpool(upstream.reset)
        return JSONResponse({"status": "ok"})

    app = Starlette(
        routes=[
            *(route for upstream in upstreams for route in upstream.routes()),
            Route("/healthz", health),
            Route("/control/day", day, methods=["POST"]),
            Route("/control/fault", fault, methods=["POST"]),
            Route("/control/fault", no_faults, methods=["DELETE"]),
            Route("/control/reset", reset, methods=["POST"]),
        ]
    )
    changes = {
        path: change for upstream in upstreams for path, change in upstream.changes().items()
    }
    switches = FaultSwitches(app, changes)
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
