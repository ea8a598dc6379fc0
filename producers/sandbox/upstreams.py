"""The upstreams of the sandbox, one line each, and what a sandboxed run needs of them."""

from producers.sandbox.alsi import AlsiUpstream
from producers.sandbox.gem import GemUpstream
from producers.sandbox.nlr import NlrUpstream
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.trackers import TrackerUpstream
from producers.sandbox.upstream import Upstream
from producers.sandbox.wri import WriUpstream

UPSTREAMS: tuple[type[Upstream], ...] = (
    AlsiUpstream,
    GemUpstream,
    NlrUpstream,
    TrackerUpstream,
    WriUpstream,
)

SANDBOXED_SOURCES = frozenset(upstream.source for upstream in UPSTREAMS)
"""Connectors that can be pointed to the sandbox."""


def connector_environment(url: str, settings: SandboxSettings) -> dict[str, str]:
    """Variables that point every sandboxed connector to the sandbox at `url`."""
    return {
        name: value
        for upstream in UPSTREAMS
        for name, value in upstream.variables(url, settings).items()
    }


def environment_without_limits() -> dict[str, str]:
    """Variables of a sandbox that answers as often as it is asked."""
    return {
        name: value for upstream in UPSTREAMS for name, value in upstream.without_limits.items()
    }
