"""Durable state of reconcile: source records, assets and decisions of one region.

Everything else (cells, edges, groups, links) is derived from it and rebuilt in memory.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from streams.core import contract_types as avro
from streams.core.records import OrderKey, RawCoordinates

RECORD_PREFIX = "r:"
ASSET_PREFIX = "a:"


@dataclass(frozen=True, slots=True)
class RecordState:
    """One source record.

    Attributes:
        record: Normalized record that brought the content, as framed bytes; empty when only its
            withdrawal was ever seen here.
        status: `current` or `withdrawn`.
        content_hash: Of the content that readers can see.
        order, lineage: Newest event seen.
        move_count: How often it changed its region.
    """

    record: bytes
    status: str
    content_hash: str
    order: OrderKey
    lineage: RawCoordinates
    move_count: int

    def to_avro(self) -> avro.AssetState:
        """Avro form of the state entry."""
        content: avro.RecordState = {
            "record": self.record,
            "status": self.status,
            "content_hash": self.content_hash,
            "order": self.order.to_avro(),
            "lineage": self.lineage.to_avro(),
            "move_count": self.move_count,
        }
        return {"record": content, "asset": None}

    @classmethod
    def from_avro(cls, content: avro.RecordState) -> Self:
        """From the `record` of a state entry."""
        return cls(
            content["record"],
            content["status"],
            content["content_hash"],
            OrderKey.from_avro(content["order"]),
            RawCoordinates.from_avro(content["lineage"]),
            content["move_count"],
        )


@dataclass(frozen=True, slots=True)
class AssetState:
    """One asset id that was ever published from this region; merged ids are kept for ever.

    Attributes:
        version: Last published version.
        status: `current`, `withdrawn` or `merged`.
        replaced_by: Asset id that took over; None unless merged.
        content_hash: Of what was published, without its version and `known_at`.
        known_at: When that could first be known; it never decreases.
    """

    version: int
    status: str
    replaced_by: str | None
    content_hash: str
    known_at: datetime

    def to_avro(self) -> avro.AssetState:
        """Avro form of the state entry."""
        content: avro.PublishedAsset = {
            "version": self.version,
            "status": self.status,
            "replaced_by": self.replaced_by,
            "content_hash": self.content_hash,
            "known_at": self.known_at,
        }
        return {"record": None, "asset": content}

    @classmethod
    def from_avro(cls, content: avro.PublishedAsset) -> Self:
        """From the `asset` of a state entry."""
        return cls(
            content["version"],
            content["status"],
            content["replaced_by"],
            content["content_hash"],
            content["known_at"],
        )


StateEntry = RecordState | AssetState


class StateTable(Protocol):
    """Durable state as the current batch sees it."""

    def get(self, key: str) -> StateEntry | None:
        """Entry of a key."""

    def put(self, key: str, entry: StateEntry) -> None:
        """Set an entry."""

    def delete(self, key: str) -> None:
        """Remove an entry."""


def entry_from_avro(entry: avro.AssetState) -> StateEntry:
    """The state entry in its own type."""
    if entry["record"] is not None:
        return RecordState.from_avro(entry["record"])
    assert entry["asset"] is not None
    return AssetState.from_avro(entry["asset"])
