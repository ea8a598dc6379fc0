"""The resolver of one region: events of source records in, changed assets out.

It holds the derived index in memory and reads and writes durable state through a `StateTable`. An
event touches its entity's component before and after; only that is resolved again, and only assets
whose content differs are published. The outcome depends on the set of events, not on their order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from streams.core import contract_types as avro
from streams.core.reconcile.assign import Pair, anchor, ordered
from streams.core.reconcile.candidates import candidate, candidate_key
from streams.core.reconcile.enrich import Enrichment
from streams.core.reconcile.entity_records import Decode, EntityRecords, entity_key
from streams.core.reconcile.graph import Graph, Group, Undecided
from streams.core.reconcile.ids import id_of
from streams.core.reconcile.plan import Left, Plan, plan
from streams.core.reconcile.prepare import EntityKey, prepare
from streams.core.reconcile.publish import canonical_content, visible_hash
from streams.core.reconcile.score import KINDS
from streams.core.reconcile.state import (
    ASSET_PREFIX,
    RECORD_PREFIX,
    AssetState,
    RecordState,
    StateEntry,
    StateTable,
)
from streams.core.records import OrderKey, Outcome, RawCoordinates, newness, source_key
from streams.core.succession import content_hash, has_outcome
from streams.core.versions import next_version

DECISION = "decision"
"""Kind of the events that carry manual decisions."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What follows from one event.

    Attributes:
        outcome: Outcome of the event's raw record, None when another event of it has one.
        published: Canonical records, in an order that depends on the event only.
        candidates: Pairs that are undecided since the event, by key; None for those that no longer
            are.
    """

    outcome: Outcome | None
    published: tuple[avro.InfrastructureRecord, ...] = ()
    candidates: Mapping[str, avro.MatchCandidate | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Touched:
    """Entities whose assets may differ after an event, and groups as they were before.

    Attributes:
        fetched_at: Of the event.
        changed: Entities of which the edges have changed already.
        seen: Entities of which undecided pairs may differ.
        undecided: Their undecided pairs as they were before.
    """

    fetched_at: datetime
    keys: set[EntityKey] = field(default_factory=set)
    before: set[Group] = field(default_factory=set)
    changed: set[EntityKey] = field(default_factory=set)
    seen: set[EntityKey] = field(default_factory=set)
    undecided: dict[Pair, Undecided] = field(default_factory=dict)


class Resolver:
    """Reconciles the assets of one region.

    Args:
        region: The region, which is part of the ids of its assets.
        generation: High part of every version.
        decode: Reads stored records.
    """

    def __init__(self, region: int, generation: int, decode: Decode) -> None:
        self._region = region
        self._generation = generation
        self._graph = Graph()
        self._enrichment = Enrichment()
        self._records = EntityRecords(decode)

    def load(self, entries: Iterable[tuple[str, StateEntry]]) -> None:
        """Rebuild the derived index from durable state; the resolver must be new."""
        records: dict[EntityKey, dict[str, avro.NormalizedAsset]] = {}
        move_counts: dict[str, int] = {}
        for key, entry in entries:
            if isinstance(entry, RecordState) and entry.status == "current":
                record = self._records.decode(entry.record)
                if record["kind"] == DECISION:
                    decision = _decision(record)
                    self._graph.decide(_pair(decision), decision["verdict"])
                else:
                    records.setdefault(entity_key(record), {})[key] = record
                    move_counts[key] = entry.move_count
        for entity, by_key in records.items():
            for key in by_key:
                self._records.add(entity, key, move_counts[key])
            members = [by_key[key] for key in sorted(by_key)]
            if entity[0] in KINDS:
                self._graph.put(prepare(members))
            self._enrichment.update(entity, members)
        self._graph.regroup(key for key in records if key[0] in KINDS)

    def apply(self, event: avro.NormalizedAsset, framed: bytes, table: StateTable) -> Resolution:
        """Apply one normalized record.

        Args:
            event: The record.
            framed: The same as framed bytes, which is how the state keeps it.
            table: Durable state.
        """
        key = RECORD_PREFIX + source_key(event["source_id"], event["record_id"])
        previous = table.get(key)
        assert previous is None or isinstance(previous, RecordState)
        order = OrderKey.from_avro(event["order"])
        lineage = RawCoordinates.from_avro(event["lineage"])
        if previous is not None and newness(order, lineage) < newness(
            previous.order, previous.lineage
        ):
            is_raw = has_outcome(event) and event["kind"] != DECISION
            return Resolution("superseded" if is_raw else None)
        if event["event"] == "withdrawal":
            last = (previous.record, previous.content_hash) if previous is not None else (b"", "")
            state = RecordState(last[0], "withdrawn", last[1], order, lineage, event["move_count"])
        else:
            content = content_hash(event)
            state = RecordState(framed, "current", content, order, lineage, event["move_count"])
        if event["kind"] == DECISION:
            return self._apply_decision(event, key, previous, state, table)
        if event["event"] == "withdrawal":
            return self._withdraw(event, key, previous, state, table)
        return self._upsert(event, key, previous, state, table)

    # -- one event -------------------------------------------------------------------------------

    def _apply_decision(
        self,
        event: avro.NormalizedAsset,
        key: str,
        previous: RecordState | None,
        state: RecordState,
        table: StateTable,
    ) -> Resolution:
        """Set or withdraw a manual decision; it is no raw record, so it has no outcome."""
        table.put(key, state)
        current = previous if previous is not None and previous.status == "current" else None
        if state.status == "current":
            if current is not None and _same(current, state):
                return Resolution(None)
            decision = _decision(event)
            verdict: str | None = decision["verdict"]
        else:
            if current is None:
                return Resolution(None)
            decision, verdict = _decision(self._records.decode(current.record)), None
        touched = _Touched(event["order"]["fetched_at"])
        one, other = _pair(decision)
        keys = self._graph.component(one) | self._graph.component(other)
        self._see_undecided(keys, touched)
        touched.changed |= {one, other}
        self._graph.decide((one, other), verdict)
        keys |= self._graph.component(one) | self._graph.component(other)
        self._regroup(keys, touched)
        return Resolution(None, self._publish(touched, table), self._candidates(touched))

    def _upsert(
        self,
        event: avro.NormalizedAsset,
        key: str,
        previous: RecordState | None,
        state: RecordState,
        table: StateTable,
    ) -> Resolution:
        entity, last, earlier = entity_key(event), None, None
        if previous is not None and previous.status == "current":
            last = self._records.last(key, previous)
            earlier = entity_key(last)
        if previous is not None and earlier == entity and _same(previous, state):
            # The record that brought the content stays: when others publish the asset must not
            # decide which of equal records it names.
            table.put(key, replace(state, record=previous.record))
            return Resolution("unchanged")
        table.put(key, state)
        self._records.remember(key, event)
        touched = _Touched(event["order"]["fetched_at"])
        left = None
        if earlier is not None and earlier != entity:
            self._leave(earlier, key, table, touched)
            left = None if earlier in self._records.entities() else Left(earlier, moved_to=None)
        self._records.add(entity, key, state.move_count)
        self._update(entity, table, touched)
        published = self._publish(touched, table, left, last)
        outcome: Outcome = "changed" if published else "unchanged"
        return Resolution(outcome, published, self._candidates(touched))

    def _withdraw(
        self,
        event: avro.NormalizedAsset,
        key: str,
        previous: RecordState | None,
        state: RecordState,
        table: StateTable,
    ) -> Resolution:
        moved = event["cause"] == "moved"
        outcome: Outcome | None = "withdrawn" if has_outcome(event) else None
        last = self._records.last(key, state) if state.record else None
        if moved:
            table.delete(key)
        else:
            table.put(key, state)
        was_listed = previous is not None and previous.status == "current"
        if last is None or not (was_listed or moved):
            return Resolution(outcome and "unchanged")
        touched = _Touched(event["order"]["fetched_at"])
        entity = entity_key(last)
        if was_listed:
            self._leave(entity, key, table, touched)
        else:
            touched.keys.add(entity)  # what was withdrawn here is listed elsewhere now
        gone = entity not in self._records.entities()
        left = Left(entity, event.get("moved_to")) if gone else None
        published = self._publish(touched, table, left, last)
        self._records.forget(key)
        return Resolution(outcome, published, self._candidates(touched))

    def _leave(self, entity: EntityKey, key: str, table: StateTable, touched: _Touched) -> None:
        """Take a record from its entity."""
        self._records.remove(entity, key)
        self._update(entity, table, touched)

    def _update(self, entity: EntityKey, table: StateTable, touched: _Touched) -> None:
        """Bring the derived index to the records the entity has now."""
        records = self._records.of(entity, table)
        touched.keys.add(entity)
        touched.before.add(self._graph.group(entity))
        touched.keys |= self._enrichment.update(entity, records)
        if entity[0] not in KINDS:
            return
        prepared = prepare(records) if records else None
        if prepared is not None and self._graph.holds(prepared):
            return
        component = self._graph.component(entity)
        self._see_undecided({entity}, touched)
        touched.changed.add(entity)
        if prepared is None:
            self._graph.remove(entity)
        else:
            self._graph.put(prepared)
        self._regroup(component | self._graph.component(entity) | {entity}, touched)

    def _see_undecided(self, keys: set[EntityKey], touched: _Touched) -> None:
        """Note which pairs of these entities are undecided, before that changes."""
        touched.seen |= keys
        for pair, undecided in self._graph.undecided(keys).items():
            if touched.changed.isdisjoint(pair):
                touched.undecided.setdefault(pair, undecided)

    def _candidates(self, touched: _Touched) -> dict[str, avro.MatchCandidate | None]:
        """Undecided pairs that differ from before the event."""
        before, after = touched.undecided, self._graph.undecided(touched.seen)
        found: dict[str, avro.MatchCandidate | None] = {}
        for pair in sorted(before.keys() | after.keys()):
            undecided = after.get(pair)
            if undecided is None:
                found[candidate_key(pair, self._region)] = None
            elif undecided != before.get(pair):
                one, other = map(self._graph.entity, pair)
                found[candidate_key(pair, self._region)] = candidate(
                    one, other, undecided, self._region, self._generation
                )
        return found

    def _regroup(self, keys: set[EntityKey], touched: _Touched) -> None:
        self._see_undecided(keys, touched)
        before = {key: self._graph.group(key) for key in keys}
        self._graph.regroup(keys)
        for key, group in before.items():
            if self._graph.group(key) != group:
                touched.before.add(group)
                touched.keys |= group | self._graph.group(key)

    # -- what is published -----------------------------------------------------------------------

    def _publish(
        self,
        touched: _Touched,
        table: StateTable,
        left: Left | None = None,
        last: avro.NormalizedAsset | None = None,
    ) -> tuple[avro.InfrastructureRecord, ...]:
        """Compare every touched asset with what was published last; return what differs.

        Args:
            touched: What the event touched.
            table: Durable state.
            left: The entity that the event has left without records here, if it has.
            last: The last record of that entity.
        """
        planned = plan(
            touched.keys, touched.before, self._graph.group, self._records.entities(), left
        )
        published: list[avro.InfrastructureRecord] = []
        differing = set(planned.ended)
        for group in planned.current:
            current = self._publish_current(group, touched.fetched_at, table)
            if current:
                differing |= group
            published += current
        for key in planned.forgotten:
            table.delete(_asset_key(key))
        for key in planned.retired:
            published += self._publish_retired(key, planned, last, touched.fetched_at, table)
        # What is linked to them shows their ids.
        for linked in sorted(self._enrichment.candidates(differing) - touched.keys):
            group = self._graph.group(linked)
            published += self._publish_current(group, touched.fetched_at, table)
        return tuple(published)

    def _publish_current(
        self, group: Group, fetched_at: datetime, table: StateTable
    ) -> list[avro.InfrastructureRecord]:
        anchor_entity = anchor(group)
        records = self._records.of_group(group, table)
        links = self._enrichment.links(group, self._id_of)
        unresolved = self._enrichment.unresolved(anchor_entity)
        content = canonical_content(
            id_of(anchor_entity, self._region),
            anchor_entity[0],
            "current",
            None,
            records,
            links,
            unresolved,
        )
        return self._publish_content(anchor_entity, content, fetched_at, table)

    def _publish_retired(
        self,
        key: EntityKey,
        planned: Plan,
        last: avro.NormalizedAsset | None,
        fetched_at: datetime,
        table: StateTable,
    ) -> list[avro.InfrastructureRecord]:
        """Publish that an id is none of an asset now, where it ever was one.

        Or where another region leads to it, since a record has moved here.
        """
        published = table.get(_asset_key(key))
        assert published is None or isinstance(published, AssetState)
        if published is None and not self._records.move_count(key):
            return []
        record_id = id_of(key, self._region)
        group = planned.merged.get(key)
        if group is not None:
            replaced_by = id_of(anchor(group), self._region)
            if published and published.replaced_by == replaced_by:
                return []
            records = self._records.of_group(group, table)
            content = canonical_content(record_id, key[0], "merged", replaced_by, records, [], {})
        elif key in planned.moved and last is not None:
            there = id_of(key, planned.moved[key])
            content = canonical_content(record_id, key[0], "merged", there, [last], [], {})
        elif last is not None and published and published.status == "current":
            content = canonical_content(record_id, key[0], "withdrawn", None, [last], [], {})
        else:
            return []
        return self._publish_content(key, content, fetched_at, table)

    def _publish_content(
        self,
        anchor_entity: EntityKey,
        content: avro.InfrastructureRecord,
        fetched_at: datetime,
        table: StateTable,
    ) -> list[avro.InfrastructureRecord]:
        key = _asset_key(anchor_entity)
        stored = table.get(key)
        assert stored is None or isinstance(stored, AssetState)
        seen = visible_hash(content)
        move_count = self._records.move_count(anchor_entity)
        floor = next_version(None, self._generation, move_count)
        if stored is not None and stored.content_hash == seen and stored.version >= floor:
            return []
        version = next_version(stored.version if stored else None, self._generation, move_count)
        # The event may be what left the asset, and a late one may be older than what is known.
        known_at = max(content["known_at"], fetched_at)
        if stored is not None:
            known_at = max(known_at, stored.known_at)
        state = AssetState(version, content["status"], content["replaced_by"], seen, known_at)
        table.put(key, state)
        return [{**content, "version": version, "known_at": known_at}]

    def _id_of(self, key: EntityKey) -> str:
        """Id of the asset that an entity is in."""
        return id_of(anchor(self._graph.group(key)), self._region)


def _same(one: RecordState, other: RecordState) -> bool:
    return (one.content_hash, one.move_count) == (other.content_hash, other.move_count)


def _decision(event: avro.NormalizedAsset) -> avro.Decision:
    decision = event["decision"]
    assert decision is not None
    return decision


def _pair(decision: avro.Decision) -> Pair:
    """The two entities that a decision is about."""
    return ordered(
        (decision["kind"], decision["one_source_id"], decision["one_entity_id"]),
        (decision["kind"], decision["other_source_id"], decision["other_entity_id"]),
    )


def _asset_key(anchor_entity: EntityKey) -> str:
    return ASSET_PREFIX + ":".join(anchor_entity)
