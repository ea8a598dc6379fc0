"""Redriving: a raw record that goes through the pipeline again, under its own coordinates.

It is published to its own topic and partition once more, with a header that names the original, so
that the stage which owns its state decides on it in the order of its input.
"""

from collections.abc import Sequence

from streams.core.records import RawCoordinates

REDRIVEN_FROM = "redriven-from"
"""Header with the original coordinates, as `topic:partition:offset`."""

Headers = Sequence[tuple[str, bytes | None]]


def original_of(topic: str, partition: int, headers: Headers) -> RawCoordinates | None:
    """Coordinates of the original of a record; None for one that is no copy.

    Args:
        topic: Topic of the record.
        partition: Its partition.
        headers: Its headers; one that names another partition is somebody else's and counts for
            nothing.
    """
    for name, text in headers:
        if name == REDRIVEN_FROM:
            found = RawCoordinates.from_key((text or b"").decode("utf-8", "replace"))
            if found is not None and (found.topic, found.partition) == (topic, partition):
                return found
    return None


def without_redrive_header(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Headers as the original had them."""
    return [(name, text) for name, text in headers if name != REDRIVEN_FROM]
