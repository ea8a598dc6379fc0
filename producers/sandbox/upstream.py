"""One upstream of the sandbox: what it answers, and how its source is pointed to it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date
from typing import ClassVar

from starlette.routing import Route

from producers.sandbox.faults import Change
from producers.sandbox.settings import SandboxSettings

UNLIMITED = "60000"
"""Requests a minute that no source reaches here."""


class Upstream(ABC):
    """One upstream, its data loaded.

    Args:
        settings: Where real files are, keys and limits.
    """

    source: ClassVar[str]
    """Connector that reads it."""

    without_limits: ClassVar[Mapping[str, str]] = {}
    """Variables of the sandbox that lift the limits the real upstream has."""

    @abstractmethod
    def __init__(self, settings: SandboxSettings) -> None: ...

    @staticmethod
    @abstractmethod
    def variables(url: str, settings: SandboxSettings) -> dict[str, str]:
        """Variables that point the connector to the sandbox at `url`, without minute limits."""

    @abstractmethod
    def routes(self) -> list[Route]:
        """What it answers, and its controls."""

    @abstractmethod
    def reset(self) -> None:
        """Back to the start."""

    def on_day(self, day: date) -> None:  # noqa: B027  most sources have no days
        """Answer as on this day, later than the one before."""

    def changes(self) -> Mapping[str, Mapping[str, Change]]:
        """What the faults `grow` and `shrink` do, by path prefix."""
        return {}
