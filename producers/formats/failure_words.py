"""Words by which services say that something of their own failed, whatever the HTTP status."""

import re

_FAILED = re.compile(
    r"internal|unexpected error|unknown error|exception|time[d-]* ?out|temporar|unavailable"
    r"|overload|try again|server error|something went wrong|connection|database|maintenance"
    r"|gateway|unhandled|traceback|undefined method",
    re.IGNORECASE,
)


def is_own_failure(text: str) -> bool:
    """Whether a message is about the service, not about what it was asked."""
    return _FAILED.search(text) is not None
