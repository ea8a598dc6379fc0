"""One line and one measurement a request: what was asked, and how it was answered. No secrets."""

import logging
import time
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.metrics import API_REQUEST_SECONDS
from streams.serve.unchanged import EVENT_STREAM

logger = logging.getLogger(__name__)

_LONGEST: Final = 500
_SECRETS: Final = ("key", "token", "secret", "password", "auth", "signature")


class RequestLog:
    """Logs and measures every request when its answer has ended.

    Streams of events are not measured: they last as long as somebody listens.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        began = time.perf_counter()
        status, size, is_stream = 500, 0, False

        async def counted(message: Message) -> None:
            nonlocal status, size, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = _is_stream(message)
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            seconds = time.perf_counter() - began
            if not is_stream:
                # As declared: paths have no end, labels must.
                route = getattr(scope.get("route"), "path", "none")
                API_REQUEST_SECONDS.labels(route, str(status)).observe(seconds)
            logger.info(
                "%s %s %d %d bytes %.1f ms key=%s",
                scope["method"],
                asked(scope["path"], scope["query_string"]),
                status,
                size,
                seconds * 1000,
                state.get("key_name", "-"),
            )


def _is_stream(start: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(EVENT_STREAM.encode())
        for name, value in start.get("headers", ())
    )


def asked(path: str, query: bytes) -> str:
    """Path and query for a log: one line, not too long, without what may be a secret."""
    text = path
    if query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        text += "?" + urlencode([(name, _shown(name, value)) for name, value in pairs], safe="*,:")
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _shown(name: str, value: str) -> str:
    return "***" if any(word in name.lower() for word in _SECRETS) else value
