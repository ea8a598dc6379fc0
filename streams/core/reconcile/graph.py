"""The derived index of one region: entities, where they are found, edges, groups.

Mutable and in memory only. It is a function of the current entities and decisions, whatever the
order in which they came: edges follow from pairs of entities, groups from components of edges.
"""

from collections.abc import Iterable, Iterator

from streams.core.reconcile.assign import Decisions, Pair, assign, ordered
from streams.core.reconcile.block import BlockKey, comparable_by_name, own_keys, reached_keys
from streams.core.reconcile.prepare import Entity, EntityKey
from streams.core.reconcile.score import score

Group = frozenset[EntityKey]


class Graph:
    """Entities that may be one asset, kept up to date one entity at a time."""

    def __init__(self) -> None:
        self._entities: dict[EntityKey, Entity] = {}
        # By source within a block: records of one source are never candidates of each other.
        self._found: dict[BlockKey, dict[str, set[EntityKey]]] = {}
        self._edges: dict[EntityKey, dict[EntityKey, float]] = {}
        self._must: dict[EntityKey, set[EntityKey]] = {}
        self._cannot: dict[EntityKey, set[EntityKey]] = {}
        self._groups: dict[EntityKey, Group] = {}

    def holds(self, entity: Entity) -> bool:
        """Whether exactly this is what is known of the entity."""
        return self._entities.get(entity.key) == entity

    def group(self, key: EntityKey) -> Group:
        """Group of an entity; itself alone while nothing is known of it."""
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
        edges = self._edges[key] = {}
        for other in self._candidates(entity):
            value = score(entity, self._entities[other])
            if value is not None:
                edges[other] = value
                self._edges[other][key] = value
        for block in own_keys(entity):
            self._found.setdefault(block, {}).setdefault(key[1], set()).add(key)

    def remove(self, key: EntityKey) -> None:
        """Take an entity out with its edges; decisions about it stay."""
        entity = self._entities.pop(key, None)
        if entity is None:
            return
        for block in own_keys(entity):
            sources = self._found[block]
            sources[key[1]].discard(key)
            if not sources[key[1]]:
                del sources[key[1]]
            if not sources:
                del self._found[block]
        for other in self._edges.pop(key):
            del self._edges[other][key]

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
                    self._groups[member] = group
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
        yield from self._edges[key]
        yield from (other for other in self._must.get(key, ()) if other in self._entities)

    def _candidates(self, entity: Entity) -> set[EntityKey]:
        source_id = entity.key[1]
        found: set[EntityKey] = set()
        for block in reached_keys(entity):
            by_name = comparable_by_name(block) and bool(entity.positions)
            for other_source, keys in self._found.get(block, {}).items():
                if other_source != source_id:
                    found.update(
                        key for key in keys if not (by_name and self._entities[key].positions)
                    )
        return found

    def _assign(self, component: set[EntityKey]) -> list[Group]:
        if len(component) == 1:
            return [frozenset(component)]
        edges: dict[Pair, float] = {}
        must: set[Pair] = set()
        cannot: set[Pair] = set()
        for key in component:
            for other, value in self._edges[key].items():
                edges[ordered(key, other)] = value
            for links, pairs in ((self._must, must), (self._cannot, cannot)):
                pairs.update(
                    ordered(key, other) for other in links.get(key, ()) if other in component
                )
        entities = {key: self._entities[key] for key in component}
        return assign(entities, edges, Decisions(frozenset(must), frozenset(cannot)))
