"""Where the API runs: in a process of its own, or in that of the sink.

One process owns the embedded engine's directory, so there the sink's process serves the API, in a
thread with an event loop of its own: neither a slow answer nor a failure of the API stops the sink.
"""

import gc
import logging
import socket
import threading
from typing import Final

import uvicorn

from streams.clickhouse.client import embedded_path, holder_of
from streams.core.errors import SettingsError, SinkError
from streams.serve.app import create_app
from streams.settings import Settings

logger = logging.getLogger(__name__)

_GOODBYE_SECONDS: Final = 3
_BACKLOG: Final = 512


def serve(settings: Settings) -> None:
    """Serve until a signal ends the process.

    Raises:
        SettingsError: the port is in use.
        SinkError: another process has the embedded engine open.
    """
    path = embedded_path(settings.clickhouse_url())
    if path and (holder := holder_of(path)):
        raise SinkError(
            f"{path} is in use by {holder}, and a sink serves the API itself there; name a "
            "ClickHouse server with CLICKHOUSE_DSN to serve it from a process of its own."
        )
    with _listening(settings) as listening:
        server = uvicorn.Server(_config(settings))
        _freeze_what_stays()
        server.run([listening])


class ApiThread:
    """The API in a thread of this process."""

    def __init__(self, settings: Settings) -> None:
        """Listen.

        Raises:
            SettingsError: the port is in use, or a setting of the API is wrong.
        """
        self._server = uvicorn.Server(_config(settings))
        self._listening = _listening(settings)
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        _freeze_what_stays()
        self._thread.start()

    def stop(self) -> None:
        """Let running answers end for some seconds, then stop."""
        self._server.should_exit = True
        self._thread.join(2 * _GOODBYE_SECONDS)

    def _serve(self) -> None:
        with self._listening:
            self._server.run([self._listening])
        if not self._server.should_exit:
            logger.error("The API has ended; what this process loads goes on.")


def _freeze_what_stays() -> None:
    """Leave modules, routes and schemas out of garbage collection.

    To look through them stopped every answer for 150 ms, every few seconds under load (measured).
    """
    gc.collect()
    gc.freeze()


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    try:
        return socket.create_server(
            (settings.api_host, settings.api_port), family=family, backlog=_BACKLOG
        )
    except OSError as error:
        raise SettingsError(
            f"The API cannot listen on {settings.api_host} port {settings.api_port} "
            f"({error.strerror}): choose another with API_PORT=<port>."
        ) from error


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        # Its own lines for each request are those of request_log.py.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        timeout_keep_alive=30,
    )
