"""The resolver of one region: events of source records in, changed assets out.

It holds the derived index in memory and reads and writes durable state through a `Table`. An event
touches its entity's component before and after; only that is resolved again, and only assets whose
content differs are published. The outcome depends on the set of events, not on their order.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streams.core.keys import asset_id
from streams.core.reconcile.assign import anchor, ordered
from streams.core.reconcile.enrich import Enrichment
from streams.core.reconcile.graph import Graph, Group
from streams.core.reconcile.prepare import EntityKey, prepare
from streams.core.reconcile.publish import canonical_content, visible_hash
from streams.core.reconcile.score import KINDS
from streams.core.reconcile.state import (
    ASSET_PREFIX,
    RECORD_PREFIX,
    AssetState,
    RecordState,
    StateEntry,
)
from streams.core.records import AvroRecord, OrderKey, Outcome, RawCoordinates, source_key
from streams.core.succession import content_hash, has_outcome
from streams.core.versions import next_version

Decode = Callable[[bytes], AvroRecord]
"""From framed bytes to a normalized record."""

DECISION = "decision"
"""Kind of the events that carry manual decisions."""

_CACHED_RECORDS = 20_000


class Table(Protocol):
    """Durable state as the current batch sees it."""

    def get(self, key: str) -> StateEntry | None:
        """Entry of a key."""

    def put(self, key: str, entry: StateEntry) -> None:
        """Set an entry."""

    def delete(self, key: str) -> None:
        """Remove an entry."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What follows from one event.

    Attributes:
        outcome: Outcome of the event's raw record, None when another event of it has one.
        published: Canonical records, in an order that depends on the event only.
    """

    outcome: Outcome | None
    published: tuple[AvroRecord, ...] = ()


@dataclass(slots=True)
class _Touched:
    """Entities whose assets may differ after an event, and groups as they were before."""

    keys: set[EntityKey] = field(default_factory=set)
    before: set[Group] = field(default_factory=set)


class Resolver:
    """Reconciles the assets of one region.

    Args:
        generation: High part of every version.
        decode: Reads stored records.
    """

    def __init__(self, generation: int, decode: Decode) -> None:
        self._generation = generation
        self._decode = decode
        self._graph = Graph()
        self._enrichment = Enrichment()
        self._records: dict[EntityKey, set[str]] = {}
        self._cache: dict[str, AvroRecord] = {}

    def load(self, entries: Iterable[tuple[str, StateEntry]]) -> None:
        """Rebuild the derived index from durable state; the resolver must be new."""
        events: dict[EntityKey, dict[str, AvroRecord]] = {}
        for key, entry in entries:
            if isinstance(entry, RecordState) and entry.status == "current":
                event = self._decode(entry.record)
                if event["kind"] == DECISION:
                    self._decide(event, event[DECISION]["verdict"])
                else:
                    events.setdefault(_entity_key(event), {})[key] = event
        for entity, records in events.items():
            self._records[entity] = set(records)
            held = [records[key] for key in sorted(records)]
            if entity[0] in KINDS:
                self._graph.put(prepare(held))
            self._enrichment.update(entity, held)
        self._graph.regroup(key for key in events if key[0] in KINDS)

    def apply(self, event: AvroRecord, framed: bytes, table: Table) -> Resolution:
        """Apply one normalized record.

        Args:
            event: The record.
            framed: The same as framed bytes, which is how the state keeps it.
            table: Durable state.
        """
        key = RECORD_PREFIX + source_key(event["source_id"], event["record_id"])
        held = table.get(key)
        assert held is None or isinstance(held, RecordState)
        order = OrderKey.from_avro(event["order"])
        lineage = RawCoordinates.from_avro(event["lineage"])
        if held is not None and order < held.order and lineage != held.lineage:
            return Resolution("superseded" if has_outcome(event) else None)
        if event["event"] == "withdrawal":
            return self._withdraw(event, key, held, table)
        content = content_hash(event)
        new = RecordState(framed, "current", content, order, lineage, event["move_count"])
        table.put(key, new)
        earlier = self._entity_of(held) if held is not None and held.status == "current" else None
        self._remember(key, event)
        same = held is not None and (held.content_hash, held.move_count) == (
            content,
            event["move_count"],
        )
        if same and earlier == _entity_key(event):
            return Resolution(None if event["kind"] == DECISION else "unchanged")
        touched = _Touched()
        if earlier is not None and earlier != _entity_key(event):
            self._leave(earlier, key, table, touched)
        self._join(event, key, table, touched)
        published = self._publish(touched, table, forget=frozenset(), gone={})
        outcome: Outcome = "changed" if published else "unchanged"
        return Resolution(None if event["kind"] == DECISION else outcome, published)

    # -- one event -------------------------------------------------------------------------------

    def _withdraw(
        self, event: AvroRecord, key: str, held: RecordState | None, table: Table
    ) -> Resolution:
        moved = event["cause"] == "moved"
        outcome: Outcome | None = "withdrawn" if has_outcome(event) else None
        if event["kind"] == DECISION:
            outcome = None
        current = held is not None and held.status == "current"
        entity = self._entity_of(held) if held is not None and held.record else None
        last = self._record(key, table) if current else None
        if moved:
            table.delete(key)
        else:
            record, content = (held.record, held.content_hash) if held else (b"", "")
            order = OrderKey.from_avro(event["order"])
            lineage = RawCoordinates.from_avro(event["lineage"])
            table.put(
                key, RecordState(record, "withdrawn", content, order, lineage, event["move_count"])
            )
        if entity is None or not current:
            if moved and entity is not None and entity not in self._records:
                # The new region publishes this id now, whatever it was here.
                table.delete(_asset_key(entity))
            return Resolution(outcome and "unchanged")
        touched = _Touched()
        self._leave(entity, key, table, touched)
        left = frozenset((entity,)) if moved and entity not in self._records else frozenset()
        gone = {entity: [last]} if last is not None and not moved else {}
        published = self._publish(touched, table, forget=left, gone=gone)
        self._cache.pop(key, None)
        return Resolution(outcome, published)

    def _join(self, event: AvroRecord, key: str, table: Table, touched: _Touched) -> None:
        if event["kind"] == DECISION:
            self._touch_decision(event, event[DECISION]["verdict"], touched)
            return
        entity = _entity_key(event)
        self._records.setdefault(entity, set()).add(key)
        self._update(entity, table, touched)

    def _leave(self, entity: EntityKey, key: str, table: Table, touched: _Touched) -> None:
        if entity[0] == DECISION:
            self._touch_decision(self._record(key, table), None, touched)
            return
        records = self._records[entity]
        records.discard(key)
        if not records:
            del self._records[entity]
        self._update(entity, table, touched)

    def _update(self, entity: EntityKey, table: Table, touched: _Touched) -> None:
        """Bring the derived index to the records the entity has now."""
        records = self._entity_records(entity, table) if entity in self._records else []
        touched.keys.add(entity)
        touched.before.add(self._graph.group(entity))
        touched.keys |= self._enrichment.update(entity, records)
        if entity[0] not in KINDS:
            return
        prepared = prepare(records) if records else None
        if prepared is not None and self._graph.holds(prepared):
            return
        component = self._graph.component(entity)
        if prepared is None:
            self._graph.remove(entity)
        else:
            self._graph.put(prepared)
        self._regroup(component | self._graph.component(entity) | {entity}, touched)

    def _regroup(self, keys: set[EntityKey], touched: _Touched) -> None:
        before = {key: self._graph.group(key) for key in keys}
        self._graph.regroup(keys)
        for key, group in before.items():
            if self._graph.group(key) != group:
                touched.before.add(group)
                touched.keys |= group | self._graph.group(key)

    def _touch_decision(self, event: AvroRecord, verdict: str | None, touched: _Touched) -> None:
        pair = self._pair(event)
        keys = self._graph.component(pair[0]) | self._graph.component(pair[1])
        self._decide(event, verdict)
        keys |= self._graph.component(pair[0]) | self._graph.component(pair[1])
        self._regroup(keys, touched)

    def _decide(self, event: AvroRecord, verdict: str | None) -> None:
        self._graph.decide(self._pair(event), verdict)

    @staticmethod
    def _pair(event: AvroRecord) -> tuple[EntityKey, EntityKey]:
        decision = event[DECISION]
        return ordered(
            (decision["kind"], decision["one_source_id"], decision["one_entity_id"]),
            (decision["kind"], decision["other_source_id"], decision["other_entity_id"]),
        )

    # -- what is published -----------------------------------------------------------------------

    def _publish(
        self,
        touched: _Touched,
        table: Table,
        *,
        forget: frozenset[EntityKey],
        gone: Mapping[EntityKey, list[AvroRecord]],
    ) -> tuple[AvroRecord, ...]:
        """Compare every touched asset with what was published last; return what differs.

        Args:
            touched: What the event touched.
            table: Durable state.
            forget: Entities that moved to another region: their ids are published there.
            gone: Last records of entities that were withdrawn.
        """
        groups = {self._graph.group(key) for key in touched.keys if key in self._records}
        holders = {anchor(group) for group in groups}
        published: list[AvroRecord] = []
        renamed: set[EntityKey] = set()
        for group in sorted(groups, key=anchor):
            current = self._publish_group(group, table)
            if current:
                renamed |= group
            published += current
        retired = {key for group in touched.before for key in group} | touched.keys
        for key in sorted(retired - holders):
            renamed.add(key)
            if key in forget:
                table.delete(_asset_key(key))
            else:
                published += self._retire(key, touched.before, table, gone)
        for seeker in sorted(self._enrichment.seekers(renamed) - touched.keys):
            published += self._publish_group(self._graph.group(seeker), table)
        return tuple(published)

    def _publish_group(self, group: Group, table: Table) -> list[AvroRecord]:
        holder = anchor(group)
        records = self._group_records(group, table)
        links = self._enrichment.links(group, self._id_of)
        unresolved = self._enrichment.unresolved(holder)
        content = canonical_content(
            asset_id(*holder), holder[0], "current", None, records, links, unresolved
        )
        return self._publish_content(holder, content, table)

    def _retire(
        self,
        key: EntityKey,
        before: set[Group],
        table: Table,
        gone: Mapping[EntityKey, list[AvroRecord]],
    ) -> list[AvroRecord]:
        """Publish that the id of an entity is none of an asset now: merged, or withdrawn."""
        held = table.get(_asset_key(key))
        if held is None:
            return []
        assert isinstance(held, AssetState)
        heir = self._heir(key, before)
        if heir is not None:
            replaced_by = self._id_of(heir)
            if held.status == "merged" and held.replaced_by == replaced_by:
                return []
            records = self._group_records(self._graph.group(heir), table)
            content = canonical_content(
                asset_id(*key), key[0], "merged", replaced_by, records, [], {}
            )
        elif key in gone and held.status == "current":
            content = canonical_content(
                asset_id(*key), key[0], "withdrawn", None, gone[key], [], {}
            )
        else:
            return []
        return self._publish_content(key, content, table)

    def _heir(self, key: EntityKey, before: set[Group]) -> EntityKey | None:
        """The entity whose asset took an id over: the entity itself, else its best companion."""
        if key in self._records:
            return key
        companions = {
            other for group in before if key in group for other in group if other in self._records
        }
        return anchor(companions) if companions else None

    def _group_records(self, group: Group, table: Table) -> list[AvroRecord]:
        return [record for key in sorted(group) for record in self._entity_records(key, table)]

    def _publish_content(
        self, holder: EntityKey, content: AvroRecord, table: Table
    ) -> list[AvroRecord]:
        key = _asset_key(holder)
        held = table.get(key)
        assert held is None or isinstance(held, AssetState)
        seen = visible_hash(content)
        floor = next_version(None, self._generation, self._move_count(holder, table))
        if held is not None and held.content_hash == seen and held.version >= floor:
            return []
        version = next_version(
            held.version if held else None, self._generation, self._move_count(holder, table)
        )
        table.put(key, AssetState(version, content["status"], content["replaced_by"], seen))
        return [{**content, "version": version}]

    def _move_count(self, holder: EntityKey, table: Table) -> int:
        counts = [
            entry.move_count
            for key in self._records.get(holder, ())
            if isinstance(entry := table.get(key), RecordState)
        ]
        return max(counts, default=0)

    def _id_of(self, key: EntityKey) -> str:
        return asset_id(*anchor(self._graph.group(key)))

    # -- records ---------------------------------------------------------------------------------

    def _entity_records(self, entity: EntityKey, table: Table) -> list[AvroRecord]:
        return [self._record(key, table) for key in sorted(self._records[entity])]

    def _record(self, key: str, table: Table) -> AvroRecord:
        found = self._cache.get(key)
        if found is None:
            entry = table.get(key)
            assert isinstance(entry, RecordState)
            found = self._decode(entry.record)
            self._remember(key, found)
        return found

    def _remember(self, key: str, record: AvroRecord) -> None:
        self._cache.pop(key, None)
        self._cache[key] = record
        if len(self._cache) > _CACHED_RECORDS:
            del self._cache[next(iter(self._cache))]

    def _entity_of(self, held: RecordState) -> EntityKey:
        return _entity_key(self._decode(held.record))


def _entity_key(event: AvroRecord) -> EntityKey:
    return event["kind"], event["source_id"], event["entity_id"]


def _asset_key(holder: EntityKey) -> str:
    return ASSET_PREFIX + ":".join(holder)
