"""Which source records each entity has in one region, and the records themselves."""

from collections.abc import Callable, Collection, Iterable

from streams.core import contract_types as avro
from streams.core.reconcile.ids import is_one_record
from streams.core.reconcile.prepare import EntityKey
from streams.core.reconcile.state import RecordState, StateTable

Decode = Callable[[bytes], avro.NormalizedAsset]
"""From framed bytes to a normalized record."""

_MOST_DECODED = 500
"""A decoded record takes some kilobytes; one that is asked for again mostly came lately."""


class EntityRecords:
    """Keys of state entries by entity; entries are decoded when they are asked for.

    Args:
        decode: Reads stored records.
    """

    def __init__(self, decode: Decode) -> None:
        self.decode = decode
        self._keys: dict[EntityKey, dict[str, int]] = {}
        self._decoded: dict[str, avro.NormalizedAsset] = {}

    def entities(self) -> Collection[EntityKey]:
        """Entities that have records."""
        return self._keys.keys()

    def move_count(self, entity: EntityKey) -> int:
        """How often the record of an entity that moved most has changed its region; 0 of none."""
        return max(self._keys.get(entity, {}).values(), default=0)

    def add(self, entity: EntityKey, key: str, move_count: int) -> None:
        """Give an entity a record, or note how often the one it has was moved."""
        self._keys.setdefault(entity, {})[key] = move_count

    def remove(self, entity: EntityKey, key: str) -> None:
        """Take a record from an entity that has it."""
        keys = self._keys[entity]
        keys.pop(key, None)
        if not keys:
            del self._keys[entity]

    def of(self, entity: EntityKey, table: StateTable) -> list[avro.NormalizedAsset]:
        """Records of an entity, by key."""
        return [self._record(key, table) for key in sorted(self._keys.get(entity, ()))]

    def of_group(self, group: Iterable[EntityKey], table: StateTable) -> list[avro.NormalizedAsset]:
        """Records of several entities, by entity and key."""
        return [record for entity in sorted(group) for record in self.of(entity, table)]

    def last(self, key: str, state: RecordState) -> avro.NormalizedAsset:
        """The last accepted record of a state entry."""
        found = self._decoded.get(key)
        return self.decode(state.record) if found is None else found

    def remember(self, key: str, record: avro.NormalizedAsset) -> None:
        """Keep a record decoded; the one kept longest makes way."""
        self._decoded.pop(key, None)
        self._decoded[key] = record
        if len(self._decoded) > _MOST_DECODED:
            del self._decoded[next(iter(self._decoded))]

    def forget(self, key: str) -> None:
        """Keep a record decoded no longer."""
        self._decoded.pop(key, None)

    def _record(self, key: str, table: StateTable) -> avro.NormalizedAsset:
        found = self._decoded.get(key)
        if found is None:
            entry = table.get(key)
            assert isinstance(entry, RecordState)
            found = self.decode(entry.record)
            self.remember(key, found)
        return found


def entity_key(record: avro.NormalizedAsset) -> EntityKey:
    """The entity that a record is about."""
    key = record["kind"], record["source_id"], record["entity_id"]
    # Whatever a connector says: the ids of such sources rely on it.
    return (*key[:2], record["record_id"]) if is_one_record(key) else key
