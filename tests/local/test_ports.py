"""Ports: chosen, overridden, and taken by somebody else."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from streams.core.errors import SettingsError
from streams.local.errors import PortInUseError
from streams.local.ports import StackPorts, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port this process listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield int(listener.getsockname()[1])


def test_free_ports_differ_and_are_free() -> None:
    ports = StackPorts.free()
    numbers = set(ports.model_dump().values())
    assert len(numbers) == 4
    assert all(is_free(port) for port in numbers)


def test_free_ports_are_none_a_client_gets_for_an_outgoing_connection() -> None:
    """Else a client that reconnects while the broker is down takes the broker's port."""
    assert max(StackPorts.free().model_dump().values()) < 32768


def test_each_port_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(StackPorts.model_fields, start=7001):
        monkeypatch.setenv(name.upper(), str(number))
    assert list(StackPorts.from_environment().model_dump().values()) == [7001, 7002, 7003, 7004]


def test_a_port_that_is_no_number_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PORT", "ninety")
    with pytest.raises(SettingsError, match="KAFKA_PORT must be a whole number from 1 to 65535"):
        StackPorts.from_environment()


@pytest.mark.parametrize("name", list(StackPorts.model_fields))
def test_a_taken_port_names_part_variable_and_holder(name: str, taken: int) -> None:
    ports = StackPorts.free().model_copy(update={name: taken})
    with pytest.raises(PortInUseError) as failure:
        ports.require_free()
    message = str(failure.value)
    assert f"Port {taken}" in message
    assert f"{name.upper()}=<port>" in message
    assert f"(process {os.getpid()})" in message


def test_a_listener_on_every_address_takes_the_loopback_port_too() -> None:
    """Java servers of others listen on the IPv6 wildcard."""
    with closing(
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    ) as all_:
        assert not is_free(all_.getsockname()[1])


def test_a_port_whose_last_connection_still_lingers_is_free() -> None:
    """A broker is started again on its port at once; TIME_WAIT must not read as a holder."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            server_side, _ = listener.accept()
            server_side.close()
            assert client.recv(1) == b""
    assert is_free(port)
