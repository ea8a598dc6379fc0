"""Which ports the components listen on (loopback only), and who holds one that is taken."""

import random
import socket
from typing import Final, Self

import psutil
from pydantic import Field

from streams.local.errors import PortInUseError
from streams.settings import EnvironmentSettings, Port

HOST: Final = "127.0.0.1"

# Below the ports systems hand to outgoing connections (Linux 32768, macOS 49152): a client that
# reconnects while the broker is down would otherwise take the broker's port, or connect to itself.
_FREE_PORTS: Final = range(15_000, 32_000)
_TRIES: Final = 200


class StackPorts(EnvironmentSettings):
    """Ports of the local stack."""

    kafka_port: Port = Field(9092, description="Kafka broker.")
    kafka_controller_port: Port = Field(9093, description="Kafka controller.")
    registry_port: Port = Field(8081, description="Schema registry.")
    postgres_port: Port = Field(5433, description="PostgreSQL.")

    @classmethod
    def from_environment(cls) -> Self:
        """The ports of this environment (and `.env`), else the defaults."""
        return cls()

    @classmethod
    def free(cls) -> Self:
        """Four different ports nobody listens on now, chosen at random."""
        free = (port for port in random.sample(_FREE_PORTS, _TRIES) if is_free(port))
        return cls(
            kafka_port=next(free),
            kafka_controller_port=next(free),
            registry_port=next(free),
            postgres_port=next(free),
        )

    def require_free(self) -> None:
        """Check every port before anything is started.

        Raises:
            PortInUseError: names the port, its component, its variable and, where the system tells,
                the holder.
        """
        for component, variable in _USES:
            port: int = getattr(self, variable.lower())
            if not is_free(port):
                raise PortInUseError(port, component, variable, holder_of(port))


_USES: Final = (
    ("the Kafka broker", "KAFKA_PORT"),
    ("the Kafka controller", "KAFKA_CONTROLLER_PORT"),
    ("the schema registry", "REGISTRY_PORT"),
    ("PostgreSQL", "POSTGRES_PORT"),
)


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of the loopback address."""
    if is_listening(port):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that still linger do not block it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether something accepts connections on a port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def holder_of(port: int) -> str | None:
    """Name and id of the process that listens on a port, or None where the system hides it."""
    try:
        listeners = [
            c.pid
            for c in psutil.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid
        ]
        return f"{psutil.Process(listeners[0]).name()} (process {listeners[0]})"
    except (psutil.Error, IndexError):
        # macOS shows other users' connections to root only.
        return None
