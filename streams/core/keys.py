"""Stable identifiers of canonical records."""

from datetime import date
from functools import lru_cache
from uuid import UUID, uuid5

from streams.core.records import source_key

ASSET_NAMESPACE = UUID("6b1f2c1e-55c4-5c0e-9f5e-0d6a0f6f6c11")
"""Fixed for ever: asset ids are name-based UUIDs below it."""


@lru_cache(maxsize=20_000)
def asset_id(kind: str, source_id: str, entity_id: str, region: int | None = None) -> str:
    """Id of the asset that holds this anchor: a UUID (version 5) of kind, source and entity id.

    And of the region, for an entity that may have records in several: it is an asset in each.
    """
    place = "" if region is None else f"@{region}"
    return str(uuid5(ASSET_NAMESPACE, f"{kind}:{source_key(source_id, entity_id)}{place}"))


def observation_id(kind: str, source_id: str, record_id: str) -> str:
    """Readable id of one point of a series: kind, source and the source's own record id."""
    return f"{kind}:{source_key(source_id, record_id)}"


def observation_record_id(entity_id: str, day: date) -> str:
    """Source record id of one day of a series: every connector of daily series uses it."""
    return f"{entity_id}/{day.isoformat()}"
