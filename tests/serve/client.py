"""Asking the API of these tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from streams.serve.addresses import API, PREFIX
from streams.serve.server import ApiThread
from streams.settings import Settings
from tests.free_ports import free_ports

DOCUMENT = f"{API}/openapi.json"


class Api:
    """Asks for resources."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, resource: str, **headers: str) -> httpx.Response:
        """The answer to one request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"{PREFIX}/{resource}", headers=named)

    def data(self, resource: str) -> list[dict[str, Any]]:
        """Rows of an answer that has some."""
        answer = self.get(resource)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


def free_port() -> int:
    """A port nobody listens on now."""
    return next(free_ports())


@contextmanager
def running_api(settings: Settings) -> Iterator[httpx.Client]:
    """A client of an API that runs in a thread of this process, as beside a sink."""
    thread = ApiThread(settings)
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{settings.api_port}", trust_env=False, timeout=30
        ) as client:
            yield client
    finally:
        thread.stop()
