"""TLS in front of PostgreSQL: that of the wheel is built without it. What is not TLS is refused."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Final

_SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""What a client of PostgreSQL begins with when it wants TLS; the answer is one letter."""

_PIECE: Final = 65_536


@contextlib.contextmanager
def postgres_front(context: ssl.SSLContext, port: int) -> Iterator[int]:
    """Port on which what comes by TLS goes to PostgreSQL's own."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if client.recv(len(_SSL_REQUEST), socket.MSG_WAITALL) != _SSL_REQUEST:
                return
            client.sendall(b"S")
            with (
                context.wrap_socket(client, server_side=True) as encrypted,
                socket.create_connection(("127.0.0.1", port)) as service,
            ):
                _pass_on(encrypted, service)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join()
