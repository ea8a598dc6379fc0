"""Proxies that write down which address they are asked for, and answer that it is not there."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWER = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
_NAME = 3


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Http(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        first = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(first[1])
        self.wfile.write(_ANSWER)


class _Socks(socketserver.StreamRequestHandler):
    """SOCKS 5 (RFC 1928) without a password, for names."""

    server: _Proxy

    def handle(self) -> None:
        self.rfile.read(self.rfile.read(2)[1])
        self.wfile.write(b"\x05\x00")
        assert self.rfile.read(4)[3] == _NAME
        name = self.rfile.read(self.rfile.read(1)[0]).decode()
        port = int.from_bytes(self.rfile.read(2))
        self.server.asked.append(f"{name}:{port}")
        self.wfile.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        while self.rfile.readline().strip():
            pass
        self.wfile.write(_ANSWER)


@contextmanager
def running_proxy(*, socks: bool = False) -> Iterator[_Proxy]:
    """A running proxy."""
    with _Proxy(_Socks if socks else _Http) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
