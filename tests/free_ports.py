"""Ports that nobody listens on, in a range of each test process: another's would be taken twice."""

import os
from collections.abc import Iterator
from random import sample

from streams.local.ports import is_free

_FIRST = 10_000
_PORTS = 600
_PROCESSES = 8


def free_ports() -> Iterator[int]:
    """Different ports, in any order."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST + _PORTS * (process % _PROCESSES)
    return (port for port in sample(range(first, first + _PORTS), _PORTS) if is_free(port))
