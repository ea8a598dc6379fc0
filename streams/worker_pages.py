"""The client that asks workers for their pages."""

from functools import cache
from typing import Final

import httpx

_NOTHING_KEPT: Final = httpx.Limits(max_keepalive_connections=0)
"""A worker may have been started anew between two questions."""


@cache
def pages() -> httpx.Client:
    """One for the life of the process, safe to use from several threads.

    Making one reads every authority of the system, which takes as long as thirty answers: whoever
    waits for a worker that starts would keep a processor from it.
    """
    return httpx.Client(trust_env=False, limits=_NOTHING_KEPT)
