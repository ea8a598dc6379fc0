"""A token server: OAuth 2 client credentials in, a token that the broker takes unsigned out."""

import contextlib
import json
import ssl
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIFE_SECONDS = 3600


class TokenServer(ThreadingHTTPServer):
    """Gives tokens to clients that know their secret."""

    def __init__(self, context: ssl.SSLContext, secrets: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.secrets = secrets

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_address[1]}/token"


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        client, _, secret = b64decode(self.headers["Authorization"][6:]).decode().partition(":")
        if self.server.secrets.get(client) != secret:
            self._answer(401, {"error": "invalid_client", "secret": secret})
            return
        now = time.time()
        token = {"sub": client, "iat": now, "exp": now + LIFE_SECONDS}
        words = ".".join(map(_encoded, ({"alg": "none"}, token)))
        self._answer(200, {"access_token": f"{words}.", "expires_in": LIFE_SECONDS})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _encoded(claims: object) -> str:
    return urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


@contextlib.contextmanager
def serving_tokens(context: ssl.SSLContext, secrets: Mapping[str, str]) -> Iterator[TokenServer]:
    """A running token server."""
    server = TokenServer(context, secrets)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
