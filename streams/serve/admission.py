"""Who is let in: with keys where there are any, each at its own rate, and no request too long."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pyrate_limiter import Duration, Limiter, Rate
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.core.errors import SettingsError
from streams.serve.problems import ProblemError

KEY_HEADER: Final = "X-API-Key"
LONGEST_QUERY: Final = 16_384

_BEARER: Final = "bearer "
OPEN_TO_ALL: Final = ("/live", "/ready", "/metrics")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without the key.

    Attributes:
        name: Whose it is, for logs.
        rate: Requests a minute.
        limiter: Counts them, in this process.
    """

    name: str
    rate: int
    limiter: Limiter


def keys_of(text: str) -> Mapping[bytes, Key]:
    """Keys by their digest, from `name:key:requests a minute`, apart by commas.

    Raises:
        SettingsError: written otherwise. Never shows the text.
    """
    found: dict[bytes, Key] = {}
    for number, part in enumerate((one for one in text.split(",") if one.strip()), start=1):
        name, _, rest = part.strip().partition(":")
        secret, _, rate = rest.rpartition(":")
        if not name or not secret or not rate.isdecimal() or int(rate) < 1:
            raise SettingsError(
                f"API_KEYS must be written as name:key:requests a minute, apart by commas; number "
                f"{number} is not."
            )
        limiter = Limiter(Rate(int(rate), Duration.MINUTE))
        found[_digest(secret)] = Key(name, int(rate), limiter)
    return found


class Admission:
    """Turns away whoever has no key, asks too often, or asks at too great length."""

    def __init__(self, app: ASGIApp, keys: Mapping[bytes, Key]) -> None:
        """Wrap an app.

        Args:
            app: What answers.
            keys: By digest; empty: nobody needs one.
        """
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if len(scope["query_string"]) > LONGEST_QUERY:
                raise ProblemError(
                    "query-too-long", 400, f"At most {LONGEST_QUERY:,} characters after the ?."
                )
            if self._keys and scope["path"] not in OPEN_TO_ALL:
                self._admit(scope)
        except ProblemError as problem:
            await problem.response()(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # The server leaves out the body.
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        given = headers.get(KEY_HEADER)
        authorization = headers.get("authorization", "")
        if given is None and authorization.lower().startswith(_BEARER):
            given = authorization[len(_BEARER) :]
        # By digest: how long looking takes says nothing about the keys.
        key = self._keys.get(_digest(given)) if given else None
        if key is None:
            raise ProblemError(
                "unauthorized",
                401,
                f"A key is needed in {KEY_HEADER}: ask whoever runs this for one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        scope.setdefault("state", {})["key_name"] = key.name
        if not key.limiter.try_acquire(key.name, blocking=False):
            raise ProblemError(
                "too-many-requests",
                429,
                f"This key may be used {key.rate:,} times a minute: ask for whole lists "
                "(format=parquet), or follow the changes, instead of polling.",
                headers={"Retry-After": str(math.ceil(60 / key.rate))},
            )


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
