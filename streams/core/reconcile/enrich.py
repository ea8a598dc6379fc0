"""Enrichment: what is next to what, inside one region.

Plants get their nearest substation, solar and wind plants their resource cells, lines the
substations at both ends. Kept up to date from both sides: a substation that arrives later is linked
to the plants that wait for it. Links name entities; asset ids are looked up when they are shown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from streams.core import contract_types as avro
from streams.core.geodesy import Position
from streams.core.payload_field import asset_payload
from streams.core.reconcile.nearby import PointIndex
from streams.core.reconcile.prepare import EntityKey
from streams.core.reconcile.settings import SETTINGS
from streams.core.regions import region_of

_PLANTS = frozenset({"power_plant", "renewable_project"})
_LINES = frozenset({"transmission_line", "transmission_project"})
_Line: TypeAlias = avro.TransmissionLine | avro.TransmissionProject
_RESOURCES = {
    "solar": ("solar", "pv_yield", "solar_dataset"),
    "wind": ("wind_dataset",),
}
"""Resource types that belong to a technology."""

NO_POSITION = "no_position"
OTHER_REGION = "other_region"
NO_SUBSTATION_NEAR = "no_substation_near"


@dataclass(frozen=True, slots=True)
class LinkRequest:
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
    """Candidates, targets and the links between them, in one region."""

    def __init__(self) -> None:
        self._targets: dict[EntityKey, _Target] = {}
        self._points: dict[str, PointIndex[tuple[EntityKey, str]]] = {}
        self._nodes: dict[tuple[str, str], set[EntityKey]] = {}
        self._requests: dict[EntityKey, tuple[LinkRequest, ...]] = {}
        self._waiting: dict[str, PointIndex[tuple[EntityKey, str]]] = {}
        self._waiting_nodes: dict[tuple[str, str], set[EntityKey]] = {}
        self._links: dict[EntityKey, dict[str, Found]] = {}
        self._linked: dict[EntityKey, set[EntityKey]] = {}

    def update(self, key: EntityKey, records: Sequence[avro.NormalizedAsset]) -> set[EntityKey]:
        """Note what an entity is now (no records: it is gone).

        Returns:
            Other entities whose links differ now.
        """
        if key[0] in _PLANTS or key[0] in _LINES:
            self._update_candidate(key, _requests(key, records))
            return set()
        if key[0] in ("substation", "renewable_resource"):
            return self._update_target(key, _target(key, records))
        return set()

    def candidates(self, targets: Iterable[EntityKey]) -> set[EntityKey]:
        """Entities that are linked to one of these."""
        return {candidate for target in targets for candidate in self._linked.get(target, ())}

    def links(
        self, group: Iterable[EntityKey], id_of: Callable[[EntityKey], str]
    ) -> list[avro.Link]:
        """Links of an asset, sorted by relation: the nearest that one of its entities found."""
        best: dict[str, Found] = {}
        for key in sorted(group):
            for relation, found in self._links.get(key, {}).items():
                known = best.get(relation)
                if known is None or _closeness(found) < _closeness(known):
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
            request.relation: _reason(request, self._region(key))
            for request in self._requests.get(key, ())
            if request.relation not in links
        }

    def _region(self, key: EntityKey) -> int | None:
        first = next(
            (request.position for request in self._requests[key] if request.position), None
        )
        return None if first is None else region_of(*first, None)

    def _update_candidate(self, key: EntityKey, requests: tuple[LinkRequest, ...]) -> None:
        for request in self._requests.pop(key, ()):
            if request.position is not None:
                self._waiting[request.target].remove((key, request.relation), request.position)
            if request.node is not None:
                self._waiting_nodes[request.node].discard(key)
        if requests:
            self._requests[key] = requests
        for request in requests:
            if request.position is not None:
                index = self._waiting.setdefault(request.target, PointIndex())
                index.add((key, request.relation), request.position)
            if request.node is not None:
                self._waiting_nodes.setdefault(request.node, set()).add(key)
        self._relink(key)

    def _update_target(self, key: EntityKey, target: _Target | None) -> set[EntityKey]:
        affected = set(self._linked.get(key, ()))
        before = self._targets.pop(key, None)
        if before is not None:
            self._remove_target(key, before)
        if target is not None:
            self._targets[key] = target
            affected |= self._add_target(key, target)
        return {candidate for candidate in affected if self._relink(candidate)}

    def _remove_target(self, key: EntityKey, target: _Target) -> None:
        if target.position is not None:
            for name in target.classes:
                self._points[name].remove((key, name), target.position)
        for node in target.nodes:
            self._nodes[node].discard(key)

    def _add_target(self, key: EntityKey, target: _Target) -> set[EntityKey]:
        """Index a target; returns the candidates that may prefer it to what they have."""
        affected: set[EntityKey] = set()
        for name in target.classes:
            if target.position is None:
                continue
            self._points.setdefault(name, PointIndex()).add((key, name), target.position)
            waiting = self._waiting.get(name)
            if waiting is None:
                continue
            for km, (candidate, relation) in waiting.near(target.position, _REACH[name]):
                known = self._links.get(candidate, {}).get(relation)
                if known is None or _closeness(Found(key, km)) < _closeness(known):
                    affected.add(candidate)
        for node in target.nodes:
            self._nodes.setdefault(node, set()).add(key)
            affected |= self._waiting_nodes.get(node, set())
        return affected

    def _relink(self, key: EntityKey) -> bool:
        """Look for an entity's requests again; tells whether its links changed."""
        before = self._links.pop(key, {})
        after = {
            request.relation: found
            for request in self._requests.get(key, ())
            if (found := self._find(request)) is not None
        }
        if after:
            self._links[key] = after
        for found in before.values():
            self._linked[found.target].discard(key)
        for found in after.values():
            self._linked.setdefault(found.target, set()).add(key)
        return before != after

    def _find(self, request: LinkRequest) -> Found | None:
        if request.node is not None and (named := self._nodes.get(request.node)):
            return Found(min(named), None)
        index = self._points.get(request.target)
        if request.position is None or index is None:
            return None
        fitting = (
            (km, target)
            for km, (target, _) in index.near(request.position, request.reach_km)
            if self._fits(request, self._targets[target])
        )
        nearest = min(fitting, default=None)
        return None if nearest is None else Found(nearest[1], nearest[0])

    @staticmethod
    def _fits(request: LinkRequest, target: _Target) -> bool:
        if request.voltage_kv is None or not target.voltages:
            return True
        return round(request.voltage_kv) in target.voltages


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


def _requests(key: EntityKey, records: Sequence[avro.NormalizedAsset]) -> tuple[LinkRequest, ...]:
    if not records:
        return ()
    payload = asset_payload(records[0])
    if "from_latitude" in payload:
        source_id = key[1]
        start = _position(payload["from_latitude"], payload["from_longitude"])
        end = _position(payload["to_latitude"], payload["to_longitude"])
        return (
            _end("from_substation", start, source_id, payload["from_node_id"], payload),
            _end("to_substation", end, source_id, payload["to_node_id"], payload),
        )
    if "latitude" not in payload:
        return ()
    position = _position(payload["latitude"], payload["longitude"])
    if position is None:
        return ()
    technology = None
    if "primary_fuel" in payload:
        technology = payload["primary_fuel"]
    elif "technology" in payload:
        technology = payload["technology"]
    return (
        LinkRequest("nearest_substation", "substation", position, SETTINGS.substation_reach_km),
        *(
            LinkRequest(
                f"resource_{resource}",
                f"resource:{resource}",
                position,
                SETTINGS.resource_reach_km,
            )
            for resource in _RESOURCES.get(technology or "", ())
        ),
    )


def _end(
    relation: str, position: Position | None, source_id: str, node_id: str | None, line: _Line
) -> LinkRequest:
    """What one end of a line looks for."""
    return LinkRequest(
        relation,
        "substation",
        position,
        SETTINGS.line_end_reach_km,
        (source_id, node_id) if node_id else None,
        line["voltage_kv"],
    )


def _target(key: EntityKey, records: Sequence[avro.NormalizedAsset]) -> _Target | None:
    if not records:
        return None
    _, source_id, entity_id = key
    payload = asset_payload(records[0])
    if "coverage" in payload:
        if payload["coverage"] != "covered":
            return None
        position = _position(payload["latitude"], payload["longitude"])
        resource = f"resource:{payload['resource_type']}"
        return _Target((resource,), position, frozenset(), frozenset())
    if "node_type" not in payload or payload["node_type"] == "joint":
        return None  # a branching point without equipment is no substation
    nodes = {(source_id, entity_id), *((source_id, record["record_id"]) for record in records)}
    if payload["station_id"]:
        nodes.add((source_id, payload["station_id"]))
    voltages = frozenset(round(voltage) for voltage in payload["voltages_kv"])
    position = _position(payload["latitude"], payload["longitude"])
    return _Target(("substation",), position, frozenset(nodes), voltages)


def _position(latitude: float | None, longitude: float | None) -> Position | None:
    return None if latitude is None or longitude is None else (latitude, longitude)


def _reason(request: LinkRequest, region: int | None) -> str:
    if request.position is None:
        return NO_POSITION
    if region is not None and region_of(*request.position, None) != region:
        return OTHER_REGION
    return NO_SUBSTATION_NEAR


def resolved_ends(
    line: _Line, links: Sequence[avro.Link], unresolved: Mapping[str, str]
) -> list[str]:
    """Write the substations of a line's ends into its payload; returns the fields it filled."""
    found = {link["relation"]: link["record_id"] for link in links}
    line["from_substation_id"] = found.get("from_substation")
    line["from_unresolved"] = unresolved.get("from_substation")
    line["to_substation_id"] = found.get("to_substation")
    line["to_unresolved"] = unresolved.get("to_substation")
    names = (
        "from_substation_id" if "from_substation" in found else "from_unresolved",
        "to_substation_id" if "to_substation" in found else "to_unresolved",
    )
    fields: Mapping[str, object] = line
    return [name for name in names if fields[name] is not None]
