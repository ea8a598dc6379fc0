"""The feed of changes: every version once, in the order of the topic, without gaps.

A position is an offset of every partition of `market.infrastructure`. Read `loaded_positions`
first and ask for changes up to there: a batch of the sink is several inserts, and what is stored
beyond that position may still have gaps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.tables import CHANGES, LOADED, kinds
from streams.core.errors import InfrastructureError

_MOST_PARTITIONS = 1024
_LAST_OFFSET = 2**63 - 1


class TopicRecreatedError(InfrastructureError):
    """A position is of an earlier life of the topic."""


@dataclass(frozen=True, slots=True)
class Positions:
    """A place in the feed.

    Attributes:
        topic_id: UUID of the topic: offsets of a recreated one start again.
        offsets: Last offset read of each partition; one that is left out was never read.
    """

    topic_id: str
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LoadedPartition:
    """How far a partition is stored.

    Attributes:
        offset: Every version up to here is.
        published_at: Kafka time of the record at that offset.
    """

    topic_id: str
    partition: int
    offset: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One canonical version and where it is in the topic; `body` is all of it as JSON."""

    partition: int
    offset: int
    kind: str
    record_id: str
    record_status: str
    version: int
    known_at: datetime
    published_at: datetime
    body: str


def loaded_positions() -> BoundQuery[LoadedPartition]:
    """How far each partition of the topic's present life is stored."""
    return BoundQuery(
        f"""
SELECT topic_id, partition, offset, published_at FROM {LOADED.name} FINAL
WHERE topic_id = (SELECT argMax(topic_id, published_at) FROM {LOADED.name})
ORDER BY partition""",  # noqa: S608  names from this package
        {},
        LoadedPartition,
    )


def changes_between(
    after: Positions, until: Positions, of_kinds: Sequence[str] = (), limit: int = 1000
) -> BoundQuery[Change]:
    """Versions after one position and up to another, by partition and offset.

    Args:
        after: Where the reader is.
        until: Where storage is complete, from `loaded_positions`; not empty.
        of_kinds: Only these; empty for all.
        limit: Most rows of each partition.

    Raises:
        TopicRecreatedError: the positions are of two lives of the topic.
        OutOfBoundsError: a parameter without bounds.
    """
    if after.topic_id != until.topic_id:
        raise TopicRecreatedError(
            "The topic was recreated since: read everything again, without a cursor."
        )
    bounds.whole("partitions", len(until.offsets), 1, _MOST_PARTITIONS)
    parameters: dict[str, Any] = {
        "topic_id": bounds.text("topic_id", until.topic_id),
        "limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS),
    }
    condition = ""
    if of_kinds:
        parameters["kinds"] = [bounds.one_of("kind", kind, kinds()) for kind in of_kinds]
        condition = " AND kind IN {kinds:Array(String)}"
    selects = []
    for partition, last in sorted(until.offsets.items()):
        number = bounds.whole("partition", partition, 0, _MOST_PARTITIONS)
        first = after.offsets.get(partition, -1)
        parameters[f"after_{number}"] = bounds.whole("offset", first, -1, _LAST_OFFSET)
        parameters[f"until_{number}"] = bounds.whole("offset", last, -1, _LAST_OFFSET)
        # One read in order for each partition: it stops at the limit. A batch that was loaded
        # twice may be here twice until its parts are merged.
        selects.append(f"""
    SELECT partition, offset, kind, record_id, record_status, version, known_at, published_at, body
    FROM {CHANGES.name}
    WHERE topic_id = {{topic_id:String}} AND partition = {number}
        AND offset > {{after_{number}:Int64}} AND offset <= {{until_{number}:Int64}}{condition}
    ORDER BY offset LIMIT 1 BY offset LIMIT {{limit:UInt32}}""")  # noqa: S608  names from this package
    return BoundQuery(
        f"SELECT * FROM ({' UNION ALL '.join(selects)}) ORDER BY partition, offset",  # noqa: S608
        parameters,
        Change,
    )


def position_after(
    after: Positions, until: Positions, changes: Sequence[Change], limit: int
) -> Positions:
    """Where a reader is who has read these changes: at the end of every partition not cut short.

    Args:
        after: As it was asked for.
        until: As it was asked for.
        changes: Everything that was answered.
        limit: As it was asked for.
    """
    read: dict[int, list[int]] = {}
    for change in changes:
        read.setdefault(change.partition, []).append(change.offset)
    offsets = {
        partition: max(found) if len(found := read.get(partition, [])) >= limit else last
        for partition, last in until.offsets.items()
        if last > after.offsets.get(partition, -1)
    }
    return Positions(until.topic_id, {**after.offsets, **offsets})
