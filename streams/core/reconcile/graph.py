"""The derived index of one region: entities, where they are found, edges, groups.

Mutable and in memory only. It is a function of the current entities and decisions, whatever the
order in which they came: edges follow from pairs of entities, groups from components of edges.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streams.core.reconcile.assign import Decisions, Pair, anchor, assign, ordered
from streams.core.reconcile.block import BlockKey, comparable_by_name, own_keys, reached_keys
from streams.core.reconcile.prepare import Entity, EntityKey
from streams.core.reconcile.score import rate
from streams.core.reconcile.settings import SETTINGS

Group = frozenset[EntityKey]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A pair that scores cannot tell.

    Attributes:
        score: Near the threshold.
        one_anchor, other_anchor: Anchors of the groups of the two; equal when they are joined.
    """

    score: float
    one_anchor: EntityKey
    other_anchor: EntityKey


class Graph:
    """Entities that may be one asset, kept up to date one entity at a time."""

    def __init__(self) -> None:
        self._entities: dict[EntityKey, Entity] = {}
        # By source, then block: records of one source are never candidates of each other. Most
        # blocks have one entity, and a tuple takes a tenth of the memory of a set in a dict.
        self._found: dict[str, dict[BlockKey, tuple[EntityKey, ...]]] = {}
        self._edges: dict[EntityKey, dict[EntityKey, float]] = {}
        # Pairs too unlike to be edges, and near enough that a person may tell.
        self._undecided: dict[EntityKey, dict[EntityKey, float]] = {}
        self._must: dict[EntityKey, set[EntityKey]] = {}
        self._cannot: dict[EntityKey, set[EntityKey]] = {}
        self._groups: dict[EntityKey, Group] = {}  # of several entities

    def holds(self, entity: Entity) -> bool:
        """Whether exactly this is what is known of the entity."""
        return self._entities.get(entity.key) == entity

    def group(self, key: EntityKey) -> Group:
        """Group of an entity, itself alone where no other one is in it."""
        return self._groups.get(key) or frozenset((key,))

    def component(self, key: EntityKey) -> set[EntityKey]:
        """Current entities that edges and must-links connect with this one."""
        if key not in self._entities:
            return set()
        found, waiting = {key}, [key]
        while waiting:
            for other in self._neighbours(waiting.pop()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def put(self, entity: Entity) -> None:
        """Add or replace an entity: its old edges go, new ones are scored. Groups stay as they are.

        Call `regroup` with what it was and is connected with.
        """
        key = entity.key
        self.remove(key)
        self._entities[key] = entity
        threshold = SETTINGS.weights[entity.kind].threshold
        for other in self._candidates(entity):
            value = rate(entity, self._entities[other])
            if value is not None:
                links = self._edges if value >= threshold else self._undecided
                links.setdefault(key, {})[other] = value
                links.setdefault(other, {})[key] = value
        blocks = self._found.setdefault(key[1], {})
        for block in own_keys(entity):
            blocks[block] = (*blocks.get(block, ()), key)

    def remove(self, key: EntityKey) -> None:
        """Take an entity out with its edges; decisions about it stay."""
        entity = self._entities.pop(key, None)
        if entity is None:
            return
        blocks = self._found[key[1]]
        for block in own_keys(entity):
            others = tuple(other for other in blocks[block] if other != key)
            if others:
                blocks[block] = others
            else:
                del blocks[block]
        for links in (self._edges, self._undecided):
            for other in links.pop(key, ()):
                del links[other][key]
                if not links[other]:
                    del links[other]

    def entity(self, key: EntityKey) -> Entity:
        """What is known of an entity of the graph."""
        return self._entities[key]

    def undecided(self, keys: Iterable[EntityKey]) -> dict[Pair, Undecided]:
        """Pairs with one of these entities that scores cannot tell and nobody has decided."""
        found: dict[Pair, Undecided] = {}
        for key in keys:
            weights = SETTINGS.weights[key[0]]
            for links in (self._edges, self._undecided):
                for other, value in links.get(key, {}).items():
                    if value < weights.threshold + weights.undecided:
                        pair = ordered(key, other)
                        open_pair = self._open(pair, value)
                        if open_pair is not None:
                            found[pair] = open_pair
        return found

    def _open(self, pair: Pair, value: float) -> Undecided | None:
        one, other = pair
        if any(other in links.get(one, ()) for links in (self._must, self._cannot)):
            return None
        mine, theirs = self.group(one), self.group(other)
        if mine is not theirs and mine != theirs:
            sources = {key[1] for key in mine}
            if not sources.isdisjoint(key[1] for key in theirs):
                return None  # one of them has found a better counterpart
        return Undecided(value, anchor(mine), anchor(theirs))

    def regroup(self, keys: Iterable[EntityKey]) -> set[Group]:
        """Resolve the components of these entities from scratch; returns their groups."""
        groups: set[Group] = set()
        done: set[EntityKey] = set()
        for key in sorted(keys):
            if key in done:
                continue
            component = self.component(key)
            done |= component
            if not component:
                self._groups.pop(key, None)
                continue
            for group in self._assign(component):
                groups.add(group)
                for member in group:
                    if len(group) > 1:
                        self._groups[member] = group
                    else:
                        self._groups.pop(member, None)
        return groups

    def decide(self, pair: Pair, verdict: str | None) -> None:
        """Set a decision on a pair: must-link, cannot-link, or None to withdraw it."""
        for key, other in (pair, pair[::-1]):
            for links, wanted in ((self._must, "must-link"), (self._cannot, "cannot-link")):
                if verdict == wanted:
                    links.setdefault(key, set()).add(other)
                elif key in links:
                    links[key].discard(other)

    def _neighbours(self, key: EntityKey) -> Iterator[EntityKey]:
        yield from self._edges.get(key, ())
        yield from (other for other in self._must.get(key, ()) if other in self._entities)

    def _candidates(self, entity: Entity) -> set[EntityKey]:
        found: set[EntityKey] = set()
        reached = reached_keys(entity)
        for source_id, blocks in self._found.items():
            if source_id == entity.key[1]:
                continue
            for block in reached:
                keys = blocks.get(block, ())
                if keys and entity.positions and comparable_by_name(block):
                    found.update(key for key in keys if not self._entities[key].positions)
                else:
                    found.update(keys)
        return found

    def _assign(self, component: set[EntityKey]) -> list[Group]:
        if len(component) == 1:
            return [frozenset(component)]
        edges: dict[Pair, float] = {}
        must: set[Pair] = set()
        cannot: set[Pair] = set()
        for key in component:
            for other, value in self._edges.get(key, {}).items():
                edges[ordered(key, other)] = value
            for links, pairs in ((self._must, must), (self._cannot, cannot)):
                pairs.update(
                    ordered(key, other) for other in links.get(key, ()) if other in component
                )
        entities = {key: self._entities[key] for key in component}
        return assign(entities, edges, Decisions(frozenset(must), frozenset(cannot)))
