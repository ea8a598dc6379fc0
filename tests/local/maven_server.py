"""A Maven repository over HTTP with two small components, that can misbehave."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from streams.local.lock import ComponentName, LockedFile, write_lock

KAFKA_PATH = "/org/example/broker/1.0/broker-1.0.jar"
REGISTRY_PATH = "/org/example/registry/2.0/registry-2.0-all.tar.gz"


@dataclass(slots=True)
class MavenServer:
    """What it serves, and how.

    Attributes:
        files: Content by path.
        stall: Paths that stop after half of their bytes, until `released`.
        break_off: Paths whose connection ends after half of their bytes, once.
        refuse: Paths answered with 503, once for each time they are listed.
        requests: Paths asked for, checksums not counted.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    stall: set[str] = field(default_factory=set)
    break_off: set[str] = field(default_factory=set)
    refuse: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = handler.path
        content = self.files.get(path)
        if content is None or path in self.refuse:
            if path in self.refuse:
                self.refuse.remove(path)
            handler.send_error(404 if content is None else 503)
            return
        self.requests.append(path)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        half = len(content) // 2
        handler.wfile.write(content[:half])
        if path in self.break_off:
            self.break_off.remove(path)
            return
        if path in self.stall:
            handler.wfile.flush()
            self.stalled.set()
            self.released.wait(60)
        handler.wfile.write(content[half:])

    def write_lock(self, path: Path) -> Path:
        """Lock what is served now."""
        write_lock(
            (
                self._locked("kafka", KAFKA_PATH, "org.example:broker:1.0"),
                self._locked("registry", REGISTRY_PATH, "org.example:registry:2.0:all:tar.gz"),
            ),
            path,
        )
        return path

    def _locked(self, component: ComponentName, path: str, coordinate: str) -> LockedFile:
        content = self.files[path]
        return LockedFile(component, coordinate, len(content), hashlib.sha256(content).hexdigest())


@contextmanager
def serving() -> Iterator[MavenServer]:
    """A running repository with a broker jar and a registry archive."""
    server = MavenServer(files={KAFKA_PATH: b"jar" * 20_000, REGISTRY_PATH: _archive()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        http.shutdown()
        http.server_close()
        thread.join()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("quarkus-run.jar", "lib/main/one.jar"):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"12345"))
    return buffer.getvalue()
