"""Unchanged answers: entity tags from the version of the data, compared before anything is asked.

A tag is a digest of the version, the address and what the client accepts. It is weak: the same
data may be written with other bytes.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.serve.data_version import DataVersion

EVENT_STREAM = "text/event-stream"

_VARY = "Accept, Accept-Encoding"
_FRESHNESS = "no-cache"


class Unchanged:
    """Answers 304 where the client has the present answer, and tags those it has not."""

    def __init__(
        self, app: ASGIApp, version: DataVersion, prefixes: Sequence[str], apart: Sequence[str] = ()
    ) -> None:
        """Wrap an app.

        Args:
            app: What answers.
            version: Version of the data.
            prefixes: Addresses whose answers depend on the data alone begin so.
            apart: Those of them whose answers depend on other things, too.
        """
        self._app = app
        self._version = version
        self._prefixes = tuple(prefixes)
        self._apart = tuple(apart)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        tag = self._tag(scope)
        if tag is None:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("if-none-match")
        if given is not None and _matches(given, tag):
            headers = [
                (b"etag", tag.encode()),
                (b"cache-control", _FRESHNESS.encode()),
                (b"vary", _VARY.encode()),
            ]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Accept")
                if message["status"] == 200:
                    headers["ETag"] = tag
                    headers["Cache-Control"] = _FRESHNESS
            await send(message)

        await self._app(scope, receive, tagged)

    def _tag(self, scope: Scope) -> str | None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return None
        path: str = scope["path"]
        if not path.startswith(self._prefixes) or path.startswith(self._apart):
            return None
        if self._version.current is None:
            return None
        accept = Headers(scope=scope).get("accept", "")
        if EVENT_STREAM in accept:
            return None
        return _digest(self._version.current, path, scope["query_string"], accept)


@lru_cache(maxsize=10_000)
def _digest(version: str, path: str, query: bytes, accept: str) -> str:
    canonical = urlencode(sorted(parse_qsl(query.decode("latin-1"), keep_blank_values=True)))
    text = "\n".join((version, path, canonical, accept))
    return f'W/"{blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()}"'


def _matches(given: str, tag: str) -> bool:
    """Whether an If-None-Match names a tag; `*` names none, as nothing is known to exist."""
    return tag in (one.strip() for one in given.split(","))
