"""Where PostgreSQL's socket is: its path must fit into an address of 104 bytes."""

import tempfile
from pathlib import Path

import pytest

from streams.local.ports import StackPorts
from streams.local.postgres import Postgres

LONG = "x" * 90


@pytest.mark.parametrize("temporary", ["/tmp", f"/var/folders/{LONG}"])
@pytest.mark.parametrize("data", ["/data", f"/data/{LONG}", "/data/with,comma"])
def test_a_socket_fits_whatever_the_paths_are(
    monkeypatch: pytest.MonkeyPatch, temporary: str, data: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    server = Postgres(Path(data), StackPorts(postgres_port=65535))
    assert len(f"{server._sockets}/.s.PGSQL.65535") < 104
