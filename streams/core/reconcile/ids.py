"""The id of an asset from its anchor: no two regions ever publish one id at a time.

Regions do not know each other's records, so an entity with records in two of them is an asset in
each, under an id of its own. What is one record is in one region at a time: its id outlives a move,
since the move count makes every version of the new region higher.
"""

from streams.core.keys import asset_id
from streams.core.reconcile.prepare import EntityKey
from streams.core.reconcile.settings import SETTINGS


def is_one_record(key: EntityKey) -> bool:
    """Whether an entity is one record, and so in one region at a time."""
    return key[1] in SETTINGS.one_record_sources


def id_of(anchor: EntityKey, region: int) -> str:
    """Id of the asset that an entity anchors in a region."""
    return asset_id(*anchor, None if is_one_record(anchor) else region)
