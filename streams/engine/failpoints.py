"""Named places where a fault test can kill this process.

`FAILPOINT=after_commit:3` ends the process with SIGKILL the third time it passes `after_commit`.
Unset in normal life: passing a failpoint is then one dictionary look-up.
"""

import os
import signal
from typing import Literal

Failpoint = Literal[
    "after_compute",
    "before_commit",
    "after_commit",
    "after_local_write",
    "after_acknowledge",
    "after_fence",
    "after_restore",
    "after_insert",
]


class _Countdown:
    def __init__(self, setting: str) -> None:
        name, _, count = setting.partition(":")
        self._name = name
        self._left = int(count or 1)

    def reached(self, name: str) -> bool:
        if name != self._name:
            return False
        self._left -= 1
        return self._left == 0


_countdown = _Countdown(os.environ.get("FAILPOINT", ""))


def failpoint(name: Failpoint) -> None:
    """Kill this process here when the environment asks for it."""
    if _countdown.reached(name):
        os.kill(os.getpid(), signal.SIGKILL)
