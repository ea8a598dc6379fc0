"""ClickHouse's HTTP interface in front of the embedded engine, as far as the client uses it.

No ClickHouse server fits into a Python package; this one executes every statement for real, so
what is not ClickHouse here is only the parsing of requests.
"""

import json
import re
import ssl
import threading
from ast import literal_eval
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, LifoQueue
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import clickhouse_connect
import lz4.frame  # type: ignore[import-untyped]
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

_TRANSPORT = {"database", "query", "client_protocol_version", "session_id", "role"}


class Server(ThreadingHTTPServer):
    """Serves one data directory, by TLS alone with a context; remembers what clients sent."""

    def __init__(
        self, path: str, password: str, port: int = 0, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.path = path
        self.password = password
        self.insert_settings: list[dict[str, str]] = []
        self.sessions: set[str] = set()
        # To open one takes longer than most statements.
        self._free: LifoQueue[Client] = LifoQueue()

    @contextmanager
    def client(self, settings: Mapping[str, str]) -> Iterator[Client]:
        """One that nobody else uses; not used again after a failure, nor once it can only read."""
        try:
            client = self._free.get_nowait()
        except Empty:
            client = clickhouse_connect.get_client(interface="chdb", path=self.path)
        try:
            yield client
        except BaseException:
            client.close()
            raise
        if "readonly" in settings:
            client.close()
        else:
            self._free.put(client)

    def server_close(self) -> None:
        """Close the engine, too."""
        super().server_close()
        while not self._free.empty():
            self._free.get().close()


def _parameter(text: str) -> Any:
    """A parameter as the client was given it: it writes lists as ClickHouse does, and escapes."""
    return literal_eval(text) if text.startswith("[") else re.sub(r"\\(.)", r"\1", text, flags=re.S)


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """Fields of a form: so the client sends parameters that are too long for an address."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    found = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(part.get_param("name", header="content-disposition"))] = content.decode()
    return found


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(b"Ok.\n")

    def do_POST(self) -> None:
        body = self._body()
        user, _, password = b64decode(self.headers["Authorization"][6:]).decode().partition(":")
        if (user, password) != ("reader", self.server.password):
            self._fail(516, f"Code: 516. DB::Exception: {user}: wrong password {password}.")
            return
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/"):
            asked, body = asked | _form(content_type, body), b""
        if "session_id" in asked:
            self.server.sessions.add(asked["session_id"])
        parameters = {k[6:]: _parameter(v) for k, v in asked.items() if k.startswith("param_")}
        settings = {
            key: value
            for key, value in asked.items()
            if key not in _TRANSPORT and not key.startswith("param_")
        }
        # A server applies the settings of a request together, this one after the other.
        settings = dict(sorted(settings.items(), key=lambda one: one[0] == "readonly"))
        statement = asked.get("query") or body.partition(b"\n")[0].decode("utf-8", "replace")
        insert = re.match(r"INSERT INTO (\S+)( \(.*\))? FORMAT (\w+)", statement)
        try:
            with self.server.client(settings) as client:
                if insert:
                    self.server.insert_settings.append(settings)
                    data = body if "query" in asked else body.partition(b"\n")[2]
                    columns = re.findall(r"\w+", insert[2]) if insert[2] else None
                    client.raw_insert(insert[1], columns, data, settings, insert[3])
                    answer, format_ = b"", ""
                else:
                    sql = asked.get("query", "") + body.decode()
                    answer, format_ = client.raw_query(sql, parameters, settings), "Native"
        except ClickHouseError as error:
            self._fail(getattr(error, "code", None) or 1, str(error))
        else:
            self._answer(answer, format_)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        body = b"".join(parts)
        if self.headers.get("Content-Encoding") == "lz4":
            return bytes(lz4.frame.decompress(body))
        return body

    def _answer(self, body: bytes, format_: str = "") -> None:
        self.send_response(200)
        if format_:
            self.send_header("X-ClickHouse-Format", format_)
        self.send_header("X-ClickHouse-Summary", json.dumps({"written_rows": "0"}))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, code: int, text: str) -> None:
        body = text.encode()
        self.send_response(500)
        self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(path: str, password: str) -> Iterator[Server]:
    """A running server."""
    server = Server(path, password)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
