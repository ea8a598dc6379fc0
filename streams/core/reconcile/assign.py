"""Assignment: which entities of one component are one asset.

Greedy and deterministic: best edges first, at most one entity per source in a group. The exceptions
are a unit that one source lists as a plant of its own, which may join when it brings the capacity
sum of that source clearly closer to the other side's and nothing says that it is another plant, and
a plant that one source lists twice.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log

from streams.core.reconcile.prepare import Entity, EntityKey
from streams.core.reconcile.score import (
    capacity_ratio,
    contradict,
    groups_differ,
    is_later,
    list_units,
    numbered_apart,
    shortest_km,
)
from streams.core.reconcile.settings import SETTINGS

Pair = tuple[EntityKey, EntityKey]
"""Two entity keys, the smaller one first."""


def ordered(one: EntityKey, other: EntityKey) -> Pair:
    """The pair in its one spelling."""
    return (one, other) if one < other else (other, one)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Manual decisions: pairs that are one asset, and pairs that are not, whatever they score."""

    must: frozenset[Pair] = frozenset()
    cannot: frozenset[Pair] = frozenset()


def anchor(members: Iterable[EntityKey]) -> EntityKey:
    """The member whose id the asset has: best rank of its source, then source, then id."""
    return min(members, key=_rank)


def _rank(key: EntityKey) -> tuple[int, str, str]:
    _, source_id, entity_id = key
    order = SETTINGS.source_rank
    rank = order.index(source_id) if source_id in order else len(order)
    return rank, source_id, entity_id


def assign(
    entities: Mapping[EntityKey, Entity], edges: Mapping[Pair, float], decisions: Decisions
) -> list[frozenset[EntityKey]]:
    """Groups of one component; every entity is in exactly one.

    Args:
        entities: Entities of the component.
        edges: Score of each pair of them that is above the threshold.
        decisions: Decisions on pairs of them; must-links come first and know no limit per source.
    """
    groups = _Groups(entities, decisions.cannot)
    for one, other in sorted(decisions.must):
        groups.join(one, other)
    certain = _CERTAIN[next(iter(entities))[0]]
    ranked = sorted(edges.items(), key=lambda edge: (-edge[1], _start(entities, edge[0]), edge[0]))
    for (one, other), score in ranked:
        if score >= certain and groups.may_join(one, other, score):
            groups.join(one, other)
    left = [pair for pair, score in ranked if score < certain and groups.both_alone(*pair)]
    for one, other in _only_left(left):
        groups.join(one, other)
    return groups.all()


_FURTHER = SETTINGS.further_records
_CERTAIN = {kind: weights.certain for kind, weights in SETTINGS.weights.items()}


def _start(entities: Mapping[EntityKey, Entity], pair: Pair) -> float:
    """Of two pairs that are equally alike, the one whose asset exists earlier comes first."""
    years = [entities[key].years[0] for key in pair if entities[key].years]
    return max(years, default=inf)


def _only_left(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of which neither side has another pair: nothing else is left for them."""
    count = Counter(key for pair in pairs for key in pair)
    return [pair for pair in pairs if count[pair[0]] == count[pair[1]] == 1]


class _Groups:
    """Disjoint groups that grow by joining."""

    def __init__(self, entities: Mapping[EntityKey, Entity], cannot: Collection[Pair]) -> None:
        self._entities = entities
        self._cannot = cannot
        self._group = {key: [key] for key in entities}

    def all(self) -> list[frozenset[EntityKey]]:
        """Every group."""
        return [
            frozenset(group) for group in {id(one): one for one in self._group.values()}.values()
        ]

    def join(self, one: EntityKey, other: EntityKey) -> None:
        """Make the groups of two entities one."""
        left, right = self._group[one], self._group[other]
        if left is right:
            return
        left += right
        for key in right:
            self._group[key] = left

    def both_alone(self, one: EntityKey, other: EntityKey) -> bool:
        """Whether neither of two entities has been joined, and nobody forbids to join them."""
        left, right = self._group[one], self._group[other]
        return len(left) == len(right) == 1 and not self._forbidden(left, right)

    def may_join(self, one: EntityKey, other: EntityKey, score: float) -> bool:
        """Whether an edge between two entities, of this score, may make their groups one."""
        left, right = self._group[one], self._group[other]
        if left is right or self._forbidden(left, right):
            return False
        common = {key[1] for key in left} & {key[1] for key in right}
        if not common:
            return True
        mine, theirs = self._entities[one], self._entities[other]
        if numbered_apart(mine, theirs) and not list_units(mine, theirs):
            return False  # the next stage is no missing unit
        return self._completes(left, right, score) or self._completes(right, left, score)

    def _forbidden(self, left: Sequence[EntityKey], right: Sequence[EntityKey]) -> bool:
        if not self._cannot:
            return False
        return any(ordered(one, other) in self._cannot for one in left for other in right)

    def _completes(
        self, group: Sequence[EntityKey], addition: Sequence[EntityKey], score: float
    ) -> bool:
        """Whether further entities of one source are missing from a group that has some of it."""
        sources = {key[1] for key in addition}
        present = [key for key in group if key[1] in sources]
        others = [key for key in group if key[1] not in sources]
        if len(sources) != 1 or not others:
            return False
        if len({self._entities[key].built for key in (*present, *addition)}) > 1:
            return False  # a plan is no missing unit of what stands
        if not self._on_one_site(present, addition):
            return False
        if len(addition) == 1 and any(self._is_twin(addition[0], key) for key in present):
            return True
        alike = self._named_alike(present, addition)
        if not alike and self._owned_apart(present, addition, score):
            return False
        for source_id in {key[1] for key in others}:
            other = [key for key in others if key[1] == source_id]
            known = self._entities[other[0]]
            if any(is_later(self._entities[key], known) for key in addition):
                continue  # that source cannot have counted it
            if not alike and self._is_another(present, addition, other):
                continue
            if self._closer(present, addition, other, strong=score >= _FURTHER.strong):
                return True
        return False

    def _on_one_site(self, present: Sequence[EntityKey], addition: Sequence[EntityKey]) -> bool:
        """Whether entities may be parts of one plant; those of a company may lie far apart."""
        found = (
            shortest_km(self._entities[one], self._entities[other])
            for one in present
            for other in addition
        )
        known = [km for km in found if km is not None]
        return not known or min(known) <= _FURTHER.most_km

    def _named_alike(self, present: Sequence[EntityKey], addition: Sequence[EntityKey]) -> bool:
        """Whether their source gives both one main name, as it does to the parts of one site."""
        mine, theirs = (
            {name for key in keys for name in self._entities[key].names[:1]}
            for keys in (present, addition)
        )
        return not mine.isdisjoint(theirs)

    def _owned_apart(
        self, present: Sequence[EntityKey], addition: Sequence[EntityKey], score: float
    ) -> bool:
        """Whether their source knows other owners of each, and the score cannot outweigh that.

        A source writes one owner in one way, so its own records tell owners apart best.
        """
        weights = SETTINGS.weights[addition[0][0]]
        if score + weights.other_owner >= weights.threshold:
            return False
        return contradict(self._owners(present), self._owners(addition))

    def _is_another(
        self,
        present: Sequence[EntityKey],
        addition: Sequence[EntityKey],
        other: Sequence[EntityKey],
    ) -> bool:
        """Whether an addition is a plant beside what the other source means, or that itself.

        It has another fuel; or alone it is as near the other's capacity as both are together.
        """
        if groups_differ(self._groups_of(addition), self._groups_of(other)):
            return True
        alone, added, theirs = map(self._sums, (addition, [*present, *addition], other))
        if not (alone and added and theirs):
            return False
        return _gap(alone[:1], theirs[:1]) <= _gap(added[:1], theirs[:1])

    def _owners(self, keys: Iterable[EntityKey]) -> frozenset[str]:
        return frozenset().union(*(self._entities[key].owners for key in keys))

    def _groups_of(self, keys: Iterable[EntityKey]) -> frozenset[str]:
        return frozenset().union(*(self._entities[key].groups for key in keys))

    def _is_twin(self, one: EntityKey, other: EntityKey) -> bool:
        """Whether a source lists one plant twice: same name, owner, place, fuel and capacity."""
        mine, theirs = self._entities[one], self._entities[other]
        km, ratio = shortest_km(mine, theirs), capacity_ratio(mine, theirs)
        return (
            mine.names[:1] == theirs.names[:1] != ()
            and not contradict(mine.owners, theirs.owners)
            and (mine.built, mine.floating) == (theirs.built, theirs.floating)
            and not mine.groups.isdisjoint(theirs.groups)
            and km is not None
            and km <= _FURTHER.twin_km
            and ratio is not None
            and ratio >= _FURTHER.twin_ratio
        )

    def _closer(
        self,
        present: Sequence[EntityKey],
        addition: Sequence[EntityKey],
        other: Sequence[EntityKey],
        *,
        strong: bool,
    ) -> bool:
        """Whether the capacities of two sides are clearly closer with an addition to one.

        In any way to count them; where the edge is strong, in the most inclusive way is enough:
        the running units of a plant may equal one unit by chance.
        """
        mine, added, theirs = map(self._sums, (present, [*present, *addition], other))
        if not (mine and added and theirs):
            return False
        if _gap(mine, theirs) - _gap(added, theirs) >= _FURTHER.closer:
            return True
        largest = _gap(mine[:1], theirs[:1]) - _gap(added[:1], theirs[:1])
        return strong and largest >= _FURTHER.closer

    def _sums(self, keys: Sequence[EntityKey]) -> list[float]:
        """Capacity of several entities together, each way to count it; of built ones no plans."""
        found = [
            one.capacities[1:] if one.counts_plans else one.capacities
            for one in map(self._entities.__getitem__, keys)
        ]
        if not all(found):
            return []
        longest = max(map(len, found))
        return [sum(sums[min(index, len(sums) - 1)] for sums in found) for index in range(longest)]


def _gap(my_sums: Sequence[float], their_sums: Sequence[float]) -> float:
    """How far the capacities of two sides are apart at least, as a natural logarithm."""
    return min(abs(log(my / their)) for my in my_sums for their in their_sums)
