"""Enrichment: what stands next to what, inside one region.

Plants get their nearest substation, solar and wind plants their resource cells, lines the
substations at both ends. Kept up to date from both sides: a substation that arrives later is linked
to the plants that wait for it. Links name entities; asset ids are looked up when they are shown.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from streams.core.geodesy import Position
from streams.core.reconcile.nearby import PointIndex
from streams.core.reconcile.prepare import EntityKey
from streams.core.reconcile.settings import SETTINGS
from streams.core.records import AvroRecord
from streams.core.regions import region_of

_PLANTS = frozenset({"power_plant", "renewable_project"})
LINES = frozenset({"transmission_line", "transmission_project"})
_RESOURCES = {
    "solar": ("solar", "pv_yield", "solar_dataset"),
    "wind": ("wind_dataset",),
}
"""Resource types that belong to a technology."""

NO_POSITION = "no_position"
OTHER_REGION = "other_region"
NO_SUBSTATION_NEAR = "no_substation_near"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an entity looks for.

    Attributes:
        relation: Name of the link.
        target: Class of targets: `substation` or `resource:<type>`.
        position: Where to look; None: by identifier only.
        reach_km: Furthest distance.
        node: Source and its node identifier that names the target; None: by position only.
        voltage_kv: Level the target must have where both are known.
    """

    relation: str
    target: str
    position: Position | None
    reach_km: float
    node: tuple[str, str] | None = None
    voltage_kv: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: the target and how far it is, km; None when its identifier named it."""

    target: EntityKey
    km: float | None


@dataclass(frozen=True, slots=True)
class _Target:
    classes: tuple[str, ...]
    position: Position | None
    nodes: frozenset[tuple[str, str]]
    voltages: frozenset[int]


class Enrichment:
    """Seekers, targets and the links between them, in one region."""

    def __init__(self) -> None:
        self._targets: dict[EntityKey, _Target] = {}
        self._points: dict[str, PointIndex] = {}
        self._nodes: dict[tuple[str, str], set[EntityKey]] = {}
        self._wishes: dict[EntityKey, tuple[Wish, ...]] = {}
        self._waiting: dict[str, PointIndex] = {}
        self._waiting_nodes: dict[tuple[str, str], set[EntityKey]] = {}
        self._links: dict[EntityKey, dict[str, Found]] = {}
        self._linked: dict[EntityKey, set[EntityKey]] = {}

    def update(self, key: EntityKey, records: Sequence[AvroRecord]) -> set[EntityKey]:
        """Take over what an entity is now (no records: it is gone).

        Returns:
            Other entities whose links differ now.
        """
        if key[0] in _PLANTS or key[0] in LINES:
            self._update_seeker(key, _wishes(key, records))
            return set()
        if key[0] in ("substation", "renewable_resource"):
            return self._update_target(key, _target(key, records))
        return set()

    def seekers(self, targets: Iterable[EntityKey]) -> set[EntityKey]:
        """Entities that are linked to one of these."""
        return {seeker for target in targets for seeker in self._linked.get(target, ())}

    def links(
        self, group: Iterable[EntityKey], id_of: Callable[[EntityKey], str]
    ) -> list[AvroRecord]:
        """Links of an asset, sorted by relation: the nearest that one of its entities found."""
        best: dict[str, Found] = {}
        for key in sorted(group):
            for relation, found in self._links.get(key, {}).items():
                held = best.get(relation)
                if held is None or _closeness(found) < _closeness(held):
                    best[relation] = found
        return [
            {
                "relation": relation,
                "record_id": id_of(found.target),
                "distance_km": None if found.km is None else round(found.km, 3),
            }
            for relation, found in sorted(best.items())
        ]

    def unresolved(self, key: EntityKey) -> dict[str, str]:
        """Why each end of a line has no substation, by relation."""
        links = self._links.get(key, {})
        return {
            wish.relation: _reason(wish, self._region(key))
            for wish in self._wishes.get(key, ())
            if wish.relation not in links
        }

    def _region(self, key: EntityKey) -> int | None:
        first = next((wish.position for wish in self._wishes[key] if wish.position), None)
        return None if first is None else region_of(*first, None)

    def _update_seeker(self, key: EntityKey, wishes: tuple[Wish, ...]) -> None:
        for wish in self._wishes.pop(key, ()):
            if wish.position is not None:
                self._waiting[wish.target].remove((key, wish.relation), wish.position)
            if wish.node is not None:
                self._waiting_nodes[wish.node].discard(key)
        if wishes:
            self._wishes[key] = wishes
        for wish in wishes:
            if wish.position is not None:
                index = self._waiting.setdefault(wish.target, PointIndex())
                index.add((key, wish.relation), wish.position)
            if wish.node is not None:
                self._waiting_nodes.setdefault(wish.node, set()).add(key)
        self._relink(key)

    def _update_target(self, key: EntityKey, target: _Target | None) -> set[EntityKey]:
        affected = set(self._linked.get(key, ()))
        before = self._targets.pop(key, None)
        if before is not None:
            self._remove_target(key, before)
        if target is not None:
            self._targets[key] = target
            affected |= self._add_target(key, target)
        return {seeker for seeker in affected if self._relink(seeker)}

    def _remove_target(self, key: EntityKey, target: _Target) -> None:
        if target.position is not None:
            for name in target.classes:
                self._points[name].remove((key, name), target.position)
        for node in target.nodes:
            self._nodes[node].discard(key)

    def _add_target(self, key: EntityKey, target: _Target) -> set[EntityKey]:
        """Index a target; returns the seekers that may prefer it to what they have."""
        affected: set[EntityKey] = set()
        for name in target.classes:
            if target.position is None:
                continue
            self._points.setdefault(name, PointIndex()).add((key, name), target.position)
            waiting = self._waiting.get(name)
            if waiting is None:
                continue
            for km, (seeker, relation) in waiting.near(target.position, _REACH[name]):
                held = self._links.get(seeker, {}).get(relation)
                if held is None or _closeness(Found(key, km)) < _closeness(held):
                    affected.add(seeker)
        for node in target.nodes:
            self._nodes.setdefault(node, set()).add(key)
            affected |= self._waiting_nodes.get(node, set())
        return affected

    def _relink(self, key: EntityKey) -> bool:
        """Look for an entity's wishes again; tells whether its links changed."""
        before = self._links.pop(key, {})
        after = {
            wish.relation: found
            for wish in self._wishes.get(key, ())
            if (found := self._find(wish)) is not None
        }
        if after:
            self._links[key] = after
        for found in before.values():
            self._linked[found.target].discard(key)
        for found in after.values():
            self._linked.setdefault(found.target, set()).add(key)
        return before != after

    def _find(self, wish: Wish) -> Found | None:
        if wish.node is not None and (named := self._nodes.get(wish.node)):
            return Found(min(named), None)
        index = self._points.get(wish.target)
        if wish.position is None or index is None:
            return None
        fitting = (
            (km, target)
            for km, (target, _) in index.near(wish.position, wish.reach_km)
            if self._fits(wish, self._targets[target])
        )
        nearest = min(fitting, default=None)
        return None if nearest is None else Found(nearest[1], nearest[0])

    @staticmethod
    def _fits(wish: Wish, target: _Target) -> bool:
        if wish.voltage_kv is None or not target.voltages:
            return True
        return round(wish.voltage_kv) in target.voltages


_REACH = {
    "substation": max(SETTINGS.substation_reach_km, SETTINGS.line_end_reach_km),
    **{
        f"resource:{resource}": SETTINGS.resource_reach_km
        for resources in _RESOURCES.values()
        for resource in resources
    },
}


def _closeness(found: Found) -> tuple[float, EntityKey]:
    return (-1.0 if found.km is None else found.km), found.target


def _wishes(key: EntityKey, records: Sequence[AvroRecord]) -> tuple[Wish, ...]:
    if not records:
        return ()
    kind, source_id, _ = key
    payload = records[0][kind]
    if kind in LINES:
        return tuple(
            Wish(
                f"{end}_substation",
                "substation",
                _position(payload, f"{end}_latitude", f"{end}_longitude"),
                SETTINGS.line_end_reach_km,
                (source_id, payload[f"{end}_node_id"]) if payload[f"{end}_node_id"] else None,
                payload["voltage_kv"],
            )
            for end in ("from", "to")
        )
    position = _position(payload, "latitude", "longitude")
    if position is None:
        return ()
    technology = payload.get("technology" if kind == "renewable_project" else "primary_fuel")
    resources = _RESOURCES.get(technology or "", ())
    return (
        Wish("nearest_substation", "substation", position, SETTINGS.substation_reach_km),
        *(
            Wish(
                f"resource_{resource}",
                f"resource:{resource}",
                position,
                SETTINGS.resource_reach_km,
            )
            for resource in resources
        ),
    )


def _target(key: EntityKey, records: Sequence[AvroRecord]) -> _Target | None:
    if not records:
        return None
    kind, source_id, entity_id = key
    payload = records[0][kind]
    position = _position(payload, "latitude", "longitude")
    if kind == "renewable_resource":
        if payload["coverage"] != "covered":
            return None
        return _Target(
            (f"resource:{payload['resource_type']}",), position, frozenset(), frozenset()
        )
    if payload["node_type"] == "joint":
        return None  # a branching point without equipment is no substation
    nodes = {(source_id, entity_id), *((source_id, record["record_id"]) for record in records)}
    if payload["station_id"]:
        nodes.add((source_id, payload["station_id"]))
    voltages = frozenset(round(voltage) for voltage in payload["voltages_kv"])
    return _Target(("substation",), position, frozenset(nodes), voltages)


def _position(payload: AvroRecord, latitude: str, longitude: str) -> Position | None:
    if payload[latitude] is None or payload[longitude] is None:
        return None
    return payload[latitude], payload[longitude]


def _reason(wish: Wish, region: int | None) -> str:
    if wish.position is None:
        return NO_POSITION
    if region is not None and region_of(*wish.position, None) != region:
        return OTHER_REGION
    return NO_SUBSTATION_NEAR


def resolved_ends(
    payload: dict[str, Any], links: Sequence[AvroRecord], unresolved: dict[str, str]
) -> list[str]:
    """Write the substations of a line's ends into its payload; returns the fields it filled."""
    found = {link["relation"]: link["record_id"] for link in links}
    filled = []
    for end in ("from", "to"):
        relation = f"{end}_substation"
        payload[f"{end}_substation_id"] = found.get(relation)
        payload[f"{end}_unresolved"] = unresolved.get(relation)
        name = f"{end}_substation_id" if relation in found else f"{end}_unresolved"
        if payload[name] is not None:
            filled.append(name)
    return filled
