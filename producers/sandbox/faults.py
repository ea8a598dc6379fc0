"""Fault switches of the sandbox: any upstream can be made to fail over HTTP, for any path.

`POST /control/fault` adds a switch, `POST /control/reset` removes all:

    {"fault": "limited", "path": "/alsi/api", "query": "page=2", "after": 1, "times": 2,
     "retry_after": "1"}

| fault | what the client sees |
|---|---|
| `cut` | the connection ends in the middle of the body |
| `slow` | nothing for `seconds`, then the answer |
| `limited` | 429, with `retry_after` when given |
| `error` | `status` (503), with `retry_after` when given |
| `refused` | `status` (401): the key is refused |
| `html` | 200 with a page of HTML |
| `truncated` | 200 with half of the body and a content-length that fits it |
| `repeat` | the body of the answer before, on the same path: a duplicate page |
| `grow`, `shrink` | the answer, after the upstream got a newer row or lost its newest: rows move |

`path` is a prefix and `query` a part of the query; `after` requests that fit pass first, `times`
are hit (all when left out). The first switch that hits is used.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultName = Literal[
    "cut",
    "slow",
    "limited",
    "error",
    "refused",
    "html",
    "truncated",
    "repeat",
    "grow",
    "shrink",
]
FAULTS = get_args(FaultName)

Change = Callable[[], None]
"""Moves the rows of an upstream by one."""


class Fault(BaseModel):
    """One switch, as it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: FaultName
    path: str = "/"
    query: str = ""
    after: int = Field(0, ge=0)
    times: int | None = Field(None, ge=1)
    seconds: float = Field(1.0, ge=0)
    status: int | None = Field(None, ge=400, le=599)
    retry_after: str | None = None


@dataclass(slots=True)
class _Switch:
    fault: Fault
    met: int = 0

    def hits(self, path: str, query: str) -> bool:
        """Whether this request is one to fail; counts it."""
        if not path.startswith(self.fault.path) or self.fault.query not in query:
            return False
        self.met += 1
        first = self.fault.after
        return self.met > first and (
            self.fault.times is None or self.met <= first + self.fault.times
        )


@dataclass(slots=True)
class _Recorded:
    """An answer of the upstream behind the switches."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def __call__(self, message: Message) -> None:
        """Take what the upstream sends."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")


class FaultSwitches:
    """ASGI middleware in front of the upstreams; `/control` and `/healthz` never fail.

    Args:
        app: The sandbox.
        changes: How `grow` and `shrink` move rows, by path prefix.
    """

    def __init__(self, app: ASGIApp, changes: Mapping[str, Mapping[str, Change]]) -> None:
        self._app = app
        self._changes = changes
        self._switches: list[_Switch] = []
        self._bodies: dict[str, bytes] = {}

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._switches.append(_Switch(fault))

    def clear(self) -> None:
        """Switch every fault off."""
        self._switches.clear()
        self._bodies.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail it."""
        path = scope.get("path", "")
        if (
            scope["type"] != "http"
            or not self._switches
            or path.startswith(("/control", "/health"))
        ):
            await self._app(scope, receive, send)
            return
        query = scope["query_string"].decode()
        hits = [one.fault for one in self._switches if one.hits(path, query)]
        fault = hits[0] if hits else None
        if fault is not None and fault.fault in ("limited", "error", "refused", "html"):
            await _refusal(fault)(scope, receive, send)
            return
        if fault is not None and fault.fault == "slow":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.fault in ("grow", "shrink"):
            self._move_rows(path, fault.fault)
        answer = _Recorded()
        await self._app(scope, receive, answer)
        before = self._bodies.get(path, answer.body)
        self._bodies[path] = answer.body
        match fault.fault if fault else None:
            case "repeat":
                await _send(send, answer.start, before)
            case "truncated":
                await _send(send, answer.start, answer.body[: len(answer.body) // 2])
            case "cut":
                # More is announced and never sent: the server closes the connection.
                half = answer.body[: len(answer.body) // 2]
                await send(answer.start)
                await send({"type": "http.response.body", "body": half, "more_body": True})
            case _:
                await _send(send, answer.start, answer.body)

    def _move_rows(self, path: str, change: str) -> None:
        for prefix, changes in self._changes.items():
            if path.startswith(prefix):
                changes[change]()


def _refusal(fault: Fault) -> Response:
    if fault.fault == "html":
        return HTMLResponse("<!doctype html><title>Maintenance</title><p>Back soon.")
    status = {"limited": 429, "error": 503, "refused": 401}[fault.fault]
    headers = {"retry-after": fault.retry_after} if fault.retry_after else None
    return JSONResponse({"message": fault.fault}, fault.status or status, headers)


async def _send(send: Send, start: Message, body: bytes) -> None:
    headers = MutableHeaders(raw=list(start["headers"]))
    if "content-length" in headers:
        headers["content-length"] = str(len(body))
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})
