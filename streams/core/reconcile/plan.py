"""What becomes of the asset ids that one event touched, before anything is compared or published.

Pure: a function of the groups before and after the event.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from streams.core.reconcile.assign import anchor
from streams.core.reconcile.graph import Group
from streams.core.reconcile.ids import is_one_record
from streams.core.reconcile.prepare import EntityKey

_NONE: frozenset[EntityKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Left:
    """An entity that an event has left without a record in this region.

    Attributes:
        key: The entity.
        moved_to: Region that its last record went to; None when no source lists it any more.
    """

    key: EntityKey
    moved_to: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of asset ids, each named by the entity that anchors it.

    Attributes:
        current: Groups that are an asset, by anchor; some are as they were.
        merged: The group that each id has become a part of, by id.
        moved: The region that each id leads to, where the same entity is now, by id.
        withdrawn: Ids of which nothing is left.
        forgotten: Ids that another region publishes from now on.
    """

    current: tuple[Group, ...]
    merged: Mapping[EntityKey, Group]
    moved: Mapping[EntityKey, int]
    withdrawn: frozenset[EntityKey]
    forgotten: frozenset[EntityKey]

    @property
    def retired(self) -> tuple[EntityKey, ...]:
        """Ids that stop being an asset's and are published as such, sorted."""
        return tuple(sorted(self.withdrawn.union(self.merged, self.moved)))

    @property
    def ended(self) -> frozenset[EntityKey]:
        """Ids that are no asset's in this region any more."""
        return self.forgotten.union(self.retired)


def plan(
    touched: Collection[EntityKey],
    groups_before: Collection[Group],
    group_of: Callable[[EntityKey], Group],
    listed: Collection[EntityKey],
    left: Left | None,
) -> Plan:
    """Say what becomes of the ids of touched entities.

    Args:
        touched: Entities whose asset may differ.
        groups_before: Their groups before the event, where these may differ.
        group_of: Group of an entity after the event.
        listed: Entities that have records in this region after the event.
        left: The entity that the event has left without records here, if it has.
    """
    groups = {group_of(key) for key in touched if key in listed}
    by_anchor = {anchor(group): group for group in groups}
    current = tuple(by_anchor[key] for key in sorted(by_anchor))
    ids = set(touched).union(*groups_before).difference(by_anchor)
    if not ids:
        return Plan(current, {}, {}, _NONE, _NONE)
    moved: dict[EntityKey, int] = {}
    forgotten: set[EntityKey] = set()
    if left is not None and left.moved_to is not None:
        if is_one_record(left.key):
            forgotten.add(left.key)
        else:
            moved[left.key] = left.moved_to
    merged = {
        key: group_of(successor)
        for key in ids - forgotten - moved.keys()
        if (successor := _successor(key, groups_before, listed)) is not None
    }
    withdrawn = ids & {left.key} - merged.keys() - moved.keys() - forgotten if left else ()
    return Plan(current, merged, moved, frozenset(withdrawn), frozenset(forgotten))


def _successor(
    key: EntityKey, groups_before: Iterable[Group], listed: Collection[EntityKey]
) -> EntityKey | None:
    """The entity whose asset took an id over: the entity itself, else its best companion."""
    if key in listed:
        return key
    companions = {
        other for group in groups_before if key in group for other in group if other in listed
    }
    return anchor(companions) if companions else None
