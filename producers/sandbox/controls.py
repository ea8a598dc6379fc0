"""Reading what a control of the sandbox is sent, and refusing what makes no sense."""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse


async def sent(request: Request) -> Mapping[str, object]:
    """The JSON object of a request; empty for anything else."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def ids(value: object) -> frozenset[str]:
    """A list of identifiers; empty for anything else."""
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()


def refused(message: str) -> JSONResponse:
    """The answer to a control that makes no sense: 422."""
    return JSONResponse({"error": message}, status_code=422)
