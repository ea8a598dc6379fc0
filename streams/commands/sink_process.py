"""Asking the sink's process, which alone can read the embedded engine while it has that open."""

from collections.abc import Mapping

import httpx

from streams.core.errors import SinkError
from streams.worker_pages import pages


def ask_sink(
    port: int,
    held: str,
    method: str,
    page: str,
    *,
    seconds: float,
    params: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """What a page of the sink answers, whatever its status.

    Args:
        port: Of the sink's pages.
        held: Who has the engine open, for the sentence of the error.
        method: GET or POST.
        page: Path of the page.
        seconds: How long the answer may take.
        params: Query parameters.
        content: Body of the request.

    Raises:
        SinkError: nobody answers.
    """
    try:
        return pages().request(
            method,
            f"http://127.0.0.1:{port}{page}",
            params=params,
            content=content,
            timeout=seconds,
        )
    except httpx.TransportError as error:
        raise SinkError(
            f"{held}, and no sink answers on port {port} ({error}): wait until `make run` has "
            "started it, or name its port with SINK_PORT=<port>."
        ) from error
