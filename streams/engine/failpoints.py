"""Named steps at which a fault test can end, stop or hold this process.

`FAILPOINT=after_commit:3` ends the process with SIGKILL the third time it passes `after_commit`.
`FAILPOINT=in_index@reconcile:1` counts only passages of that stage (of its changelog, in a
restore). A third part says what happens there: `stop` stops the process with SIGSTOP until it is
continued, `hold=FILE` makes the file and waits, at this step alone, until somebody deletes it.
Several are apart by commas. Unset in normal life: passing a failpoint is then one comparison.
"""

import os
import signal
import time
from pathlib import Path
from typing import Literal

Failpoint = Literal[
    "after_compute",
    "before_commit",
    "after_commit",
    "after_local_write",
    "after_acknowledge",
    "before_fence",
    "after_fence",
    "in_restore",
    "after_check",
    "after_restore",
    "before_index",
    "in_index",
    "after_index",
    "before_revoke",
    "in_revoke",
    "after_revoke",
    "after_insert",
    "after_copy",
    "in_switch",
    "before_switch",
    "after_switch",
    "before_attach",
    "in_attach",
]

_LOOK_SECONDS = 0.02


class _Countdown:
    def __init__(self, setting: str) -> None:
        where, _, rest = setting.partition(":")
        count, _, self._action = rest.partition(":")
        self._name, _, self._of = where.partition("@")
        self._left = int(count or 1)

    def pass_by(self, name: str, of: str) -> None:
        if name != self._name or (self._of and self._of != of):
            return
        self._left -= 1
        if self._left == 0:
            self._act()

    def _act(self) -> None:
        action, _, argument = self._action.partition("=")
        if action == "hold":
            hold = Path(argument)
            hold.touch()
            while hold.exists():
                time.sleep(_LOOK_SECONDS)
        else:
            os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)


_countdowns = [_Countdown(one) for one in os.environ.get("FAILPOINT", "").split(",")]


def failpoint(name: Failpoint, of: str = "") -> None:
    """Do here what the environment asks for.

    Args:
        name: This step.
        of: Stage or topic the step is about.
    """
    for countdown in _countdowns:
        countdown.pass_by(name, of)
