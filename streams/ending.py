"""How a worker says why it ended: one marked line of its log."""

from typing import Final

_MARK: Final = "Ended: "


def ended_line(reason: str) -> str:
    """The line that says why a worker ended; `reason_in` finds it."""
    return f"{_MARK}{' '.join(reason.split())}\n"


def reason_in(log: str) -> str | None:
    """Why the worker ended that wrote a log; None when it does not say."""
    marked = [line for line in log.splitlines() if line.startswith(_MARK)]
    return marked[-1].removeprefix(_MARK) if marked else None
