"""Survivorship: whose value of each field an asset shows, by the orders of `rules.yaml`.

Same records, same result: rank first, then newer observation, then source id. Values that lost are
kept beside the winner, with flags where sources disagree by more than a tolerance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import combinations
from typing import Any

import orjson

from streams.core.geodesy import distance_km
from streams.core.reconcile.combine import combine
from streams.core.reconcile.settings import SETTINGS, FieldRule
from streams.core.records import AvroRecord

_ONLY_SOURCE = "only_source"
_UNITS = "sum_of_units"
_ALL = "all"
_SUMS = frozenset({"capacity_mw", "capacity_mtpa"})
_LONGEST_LOSER = 500
"""Characters of a losing value; long lists stand in full in the raw record."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one source says about an asset.

    Attributes:
        source_id: The source.
        member: Index into the members of its first record.
        payload: Its records combined.
        observed_at: Newest of their fetch times.
        records: How many records.
    """

    source_id: str
    member: int
    payload: Mapping[str, Any]
    observed_at: datetime
    records: int


@dataclass(frozen=True, slots=True)
class Survived:
    """The canonical payload of an asset, and where it comes from.

    Attributes:
        payload: Content of the kind's field.
        provenance: `Provenance` records; every filled field stands in exactly one.
        flags: Ids of failed soft checks between sources, sorted.
        position_spread_km: Longest distance between positions that sources give; None with fewer
            than two.
    """

    payload: AvroRecord
    provenance: list[AvroRecord]
    flags: list[str]
    position_spread_km: float | None


def survive(kind: str, members: Sequence[AvroRecord]) -> Survived:
    """Combine the records of one asset.

    Args:
        kind: Canonical kind.
        members: Normalized records, sorted by source and record id, at least one.
    """
    sides = _sides(kind, members)
    if len(sides) == 1:
        return _alone(sides[0])
    payload: AvroRecord = {}
    won: dict[tuple[int, str], list[str]] = {}
    losing: dict[tuple[int, str], list[AvroRecord]] = {}
    for rule, names in _rules(kind, tuple(sides[0].payload)):
        ranked = sorted(sides, key=partial(_rank, rule))
        if rule.together:
            filling = [side for side in ranked if _filled(side.payload[names[0]])]
            ranked = [*filling, *(side for side in ranked if side not in filling)]
        for name in names:
            _choose(name, rule, ranked, payload, won, losing)
    _collect_aliases(payload, sides, won, losing)
    provenance = [
        {
            "member": member,
            "rule": rule,
            "fields": sorted(names),
            "losing": losing.get((member, rule), []),
        }
        for (member, rule), names in sorted(won.items())
        if names
    ]
    ordered = {name: payload.get(name) for name in sides[0].payload}
    return Survived(ordered, provenance, _flags(sides), _spread(sides))


@cache
def _rules(kind: str, names: tuple[str, ...]) -> tuple[tuple[FieldRule, tuple[str, ...]], ...]:
    """Rules of a kind with the fields each is about."""
    rules = SETTINGS.survivorship[kind]
    named = {name for rule in rules for name in rule.fields}
    rest = tuple(name for name in names if name not in named)
    return tuple((rule, rest if rule.fields == ("*",) else rule.fields) for rule in rules)


def _sides(kind: str, members: Sequence[AvroRecord]) -> list[Side]:
    by_source: dict[str, list[int]] = {}
    for index, member in enumerate(members):
        by_source.setdefault(member["source_id"], []).append(index)
    return [
        Side(
            source_id,
            indexes[0],
            combine([members[index][kind] for index in indexes]),
            max(members[index]["order"]["fetched_at"] for index in indexes),
            len(indexes),
        )
        for source_id, indexes in by_source.items()
    ]


def _alone(side: Side) -> Survived:
    filled = [name for name in _sorted_names(tuple(side.payload)) if _filled(side.payload[name])]
    sums = [name for name in filled if side.records > 1 and name in _SUMS]
    groups = {_ONLY_SOURCE: [name for name in filled if name not in sums], _UNITS: sums}
    provenance = [
        {"member": side.member, "rule": rule, "fields": names, "losing": []}
        for rule, names in groups.items()
        if names
    ]
    return Survived(dict(side.payload), provenance, [], None)


@cache
def _sorted_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _rank(rule: FieldRule, side: Side) -> tuple[int, float, str]:
    """Place in the rule's order; `source/qualifier` entries hold for sides of that quality only."""
    names = [side.source_id]
    if "latitude" in rule.fields:
        names.insert(0, f"{side.source_id}/{_position_quality(side.payload)}")
    places = [rule.order.index(name) for name in names if name in rule.order]
    place = min(places, default=len(rule.order))
    return place, -side.observed_at.timestamp(), side.source_id


def _position_quality(payload: Mapping[str, Any]) -> str:
    if payload.get("position_accuracy"):
        return str(payload["position_accuracy"])
    source = payload.get("position_source")
    return "copied" if source in SETTINGS.copied_positions else "own"


def _choose(
    name: str,
    rule: FieldRule,
    ranked: Sequence[Side],
    payload: AvroRecord,
    won: dict[tuple[int, str], list[str]],
    losing: dict[tuple[int, str], list[AvroRecord]],
) -> None:
    holders = [side for side in ranked if _filled(side.payload[name])]
    winner = ranked[0] if rule.together or not holders else holders[0]
    if not _filled(winner.payload[name]):
        payload[name] = winner.payload[name]
        return
    holders = [winner, *(side for side in holders if side is not winner)]
    payload[name] = winner.payload[name]
    applied = rule.rule if len(holders) > 1 else _ONLY_SOURCE
    if winner.records > 1 and name in _SUMS:
        applied = _UNITS
    entry = (winner.member, applied)
    won.setdefault(entry, []).append(name)
    losing.setdefault(entry, []).extend(
        {"field": name, "member": side.member, "value": _text(side.payload[name])}
        for side in holders[1:]
        if side.payload[name] != payload[name]
    )


def _collect_aliases(
    payload: AvroRecord,
    sides: Sequence[Side],
    won: dict[tuple[int, str], list[str]],
    losing: dict[tuple[int, str], list[AvroRecord]],
) -> None:
    """All other names of all sides are aliases; none of them loses."""
    if "aliases" not in payload:
        return
    names = {side.payload["name"] for side in sides if side.payload["name"]}
    names.update(alias for side in sides for alias in side.payload["aliases"])
    payload["aliases"] = sorted(names - {payload["name"]})
    for fields in won.values():
        if "aliases" in fields:
            fields.remove("aliases")
    for values in losing.values():
        values[:] = [value for value in values if value["field"] != "aliases"]
    if payload["aliases"]:
        won.setdefault((0, _ALL), []).append("aliases")


def _flags(sides: Sequence[Side]) -> list[str]:
    flags = set()
    for name, conflict in SETTINGS.conflicts.items():
        values = [
            value
            for side in sides
            if isinstance(value := side.payload.get(name), int | float) and value > 0
        ]
        if len(values) < 2:
            continue
        low, high = min(values), max(values)
        if conflict.lowest_ratio is not None and low / high < conflict.lowest_ratio:
            flags.add(conflict.flag)
        if conflict.largest_difference is not None and high - low > conflict.largest_difference:
            flags.add(conflict.flag)
    return sorted(flags)


def _spread(sides: Sequence[Side]) -> float | None:
    positions = [
        (side.payload["latitude"], side.payload["longitude"])
        for side in sides
        if side.payload.get("latitude") is not None and side.payload.get("longitude") is not None
    ]
    if len(positions) < 2:
        return None
    return round(max(distance_km(here, there) for here, there in combinations(positions, 2)), 3)


def _filled(value: Any) -> bool:
    return value is not None and value != [] and value != ()


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()[:_LONGEST_LOSER]
