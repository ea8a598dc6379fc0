"""Redriving: a raw record that goes through the pipeline again, under its own coordinates.

It is published to its own topic and partition once more, with a header that names the original, so
that the stage which owns its state decides on it in the order of its input.
"""

from collections.abc import Sequence

from streams.core.errors import Rejected
from streams.core.records import RawCoordinates
from streams.core.reject_rules import BAD_REDRIVE

REDRIVEN_FROM = "redriven-from"
"""Header with the original coordinates, as `topic:partition:offset`."""

Headers = Sequence[tuple[str, bytes | None]]


def original_of(copy: RawCoordinates, headers: Headers) -> RawCoordinates | Rejected | None:
    """Coordinates of the original of a record; None for one that is no copy.

    A header that names no record of the same partition before this one is no redrive of ours: the
    record is rejected under its own coordinates.

    Args:
        copy: Where the record is.
        headers: Its headers.
    """
    for name, text in headers:
        if name == REDRIVEN_FROM:
            key = (text or b"").decode("utf-8", "replace")
            found = RawCoordinates.from_key(key)
            if found is None or (found.topic, found.partition) != (copy.topic, copy.partition):
                return BAD_REDRIVE.reject(key, limit=f"{copy.topic}:{copy.partition}:<offset>")
            if found.offset >= copy.offset:
                return BAD_REDRIVE.reject(key, limit=f"an offset below {copy.offset}")
            return found
    return None


def without_redrive_header(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Headers as the original had them."""
    return [(name, text) for name, text in headers if name != REDRIVEN_FROM]
