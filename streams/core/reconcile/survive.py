"""Survivorship: whose value of each field an asset shows, by the orders of `rules.yaml`.

Same records, same result: rank first, then newer observation, then source id. Values that lost are
kept beside the winner, with flags where sources disagree by more than a tolerance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import combinations
from typing import cast

import orjson

from streams.core import contract_types as avro
from streams.core.geodesy import distance_km
from streams.core.payload_field import AssetPayload, asset_payload
from streams.core.reconcile.combine import Fields, combine
from streams.core.reconcile.prepare import NOT_BUILT
from streams.core.reconcile.settings import SETTINGS, FieldRule

STATUS_CONFLICT = "status_conflict"
"""Flag of an asset that one source sees running and another does not."""

_RUNNING = "operating"
_ONLY_SOURCE = "only_source"
_UNITS = "sum_of_units"
_ALL = "all"
_SUMS = frozenset({"capacity_mw", "capacity_mtpa"})
_LONGEST_LOSER = 500
"""Characters of a losing value; long lists are in full in the raw record."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one source says about an asset.

    Attributes:
        source_id: The source.
        member: Index into the members of its first record.
        payload: Its records combined.
        fields: The same, for rules that name a field of several kinds.
        observed_at: Newest of their fetch times.
        records: How many records.
    """

    source_id: str
    member: int
    payload: AssetPayload
    fields: Fields
    observed_at: datetime
    records: int

    @property
    def status(self) -> str | None:
        """What the source says; None where it says nothing or the kind has no status."""
        status = self.fields.get("status")
        return None if status in (None, "unknown") else str(status)


@dataclass(frozen=True, slots=True)
class Survived:
    """The canonical payload of an asset, and where it comes from.

    Attributes:
        payload: Content of the kind's field.
        provenance: `Provenance` records; every filled field is in exactly one.
        flags: Ids of failed soft checks between sources, sorted.
        position_spread_km: Longest distance between positions that sources give; None with fewer
            than two.
    """

    payload: AssetPayload
    provenance: list[avro.Provenance]
    flags: list[str]
    position_spread_km: float | None


def survive(kind: str, members: Sequence[avro.NormalizedAsset]) -> Survived:
    """Combine the records of one asset.

    Args:
        kind: Canonical kind.
        members: Normalized records, sorted by source and record id, at least one.
    """
    sides = _sides(members)
    if len(sides) == 1:
        return _alone(sides[0])
    payload: dict[str, object] = {}
    won: dict[tuple[int, str], list[str]] = {}
    losing: dict[tuple[int, str], list[avro.LosingValue]] = {}
    runs = any(side.status == _RUNNING for side in sides)
    for rule, names in _rules(kind, tuple(sides[0].fields)):
        ranked = sorted(sides, key=partial(_rank, rule))
        if runs and rule.built_first:
            ranked.sort(key=_is_planned)
        if rule.together:
            filling = [side for side in ranked if _filled(side.fields[names[0]])]
            ranked = [*filling, *(side for side in ranked if side not in filling)]
        for name in names:
            _choose(name, rule, ranked, payload, won, losing)
    _collect_aliases(payload, sides, won, losing)
    provenance: list[avro.Provenance] = [
        {
            "member": member,
            "rule": rule,
            "fields": sorted(names),
            "losing": losing.get((member, rule), []),
        }
        for (member, rule), names in sorted(won.items())
        if names
    ]
    # In the order of the contract, and with exactly its fields.
    ordered = {name: payload.get(name) for name in sides[0].fields}
    flags = _flags(sides) | ({STATUS_CONFLICT} if _statuses_conflict(sides) else set())
    return Survived(cast(AssetPayload, ordered), provenance, sorted(flags), _spread(sides))


@cache
def _rules(kind: str, names: tuple[str, ...]) -> tuple[tuple[FieldRule, tuple[str, ...]], ...]:
    """Rules of a kind with the fields each is about."""
    rules = SETTINGS.survivorship[kind]
    named = {name for rule in rules for name in rule.fields}
    rest = tuple(name for name in names if name not in named)
    return tuple((rule, rest if rule.fields == ("*",) else rule.fields) for rule in rules)


def _sides(members: Sequence[avro.NormalizedAsset]) -> list[Side]:
    by_source: dict[str, list[int]] = {}
    for index, member in enumerate(members):
        by_source.setdefault(member["source_id"], []).append(index)
    sides = []
    for source_id, indexes in by_source.items():
        payloads = [asset_payload(members[index]) for index in indexes]
        payload = combine(payloads, built_first=len(by_source) > 1 and _runs(members))
        observed_at = max(members[index]["order"]["fetched_at"] for index in indexes)
        sides.append(Side(source_id, indexes[0], payload, payload, observed_at, len(indexes)))
    return sides


def _runs(members: Sequence[avro.NormalizedAsset]) -> bool:
    return any(
        "status" in payload and payload["status"] == _RUNNING
        for payload in map(asset_payload, members)
    )


def _is_planned(side: Side) -> bool:
    return side.status in NOT_BUILT


def _statuses_conflict(sides: Sequence[Side]) -> bool:
    """Whether sources disagree on whether the asset runs, and time does not explain it.

    A newer source that says it stopped explains what an older one saw running.
    """
    running = [side for side in sides if side.status == _RUNNING]
    idle = [side for side in sides if side.status not in (None, _RUNNING)]
    if not (running and idle):
        return False
    newest_running = max(SETTINGS.last_known_year(side.source_id) for side in running)
    return any(
        _is_planned(side) or SETTINGS.last_known_year(side.source_id) <= newest_running
        for side in idle
    )


def _alone(side: Side) -> Survived:
    filled = [name for name in _sorted_names(tuple(side.fields)) if _filled(side.fields[name])]
    sums = [name for name in filled if side.records > 1 and name in _SUMS]
    groups = {_ONLY_SOURCE: [name for name in filled if name not in sums], _UNITS: sums}
    provenance: list[avro.Provenance] = [
        {"member": side.member, "rule": rule, "fields": names, "losing": []}
        for rule, names in groups.items()
        if names
    ]
    return Survived(cast(AssetPayload, dict(side.fields)), provenance, [], None)


@cache
def _sorted_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _rank(rule: FieldRule, side: Side) -> tuple[int, float, str]:
    """Place in the rule's order; `source/qualifier` entries hold for sides of that quality only."""
    names = [side.source_id]
    if "latitude" in rule.fields:
        names.insert(0, f"{side.source_id}/{_position_quality(side.fields)}")
    places = [rule.order.index(name) for name in names if name in rule.order]
    place = min(places, default=len(rule.order))
    return place, -side.observed_at.timestamp(), side.source_id


def _position_quality(fields: Fields) -> str:
    if accuracy := fields.get("position_accuracy"):
        return str(accuracy)
    source = fields.get("position_source")
    return "copied" if source in SETTINGS.copied_positions else "own"


def _choose(
    name: str,
    rule: FieldRule,
    ranked: Sequence[Side],
    payload: dict[str, object],
    won: dict[tuple[int, str], list[str]],
    losing: dict[tuple[int, str], list[avro.LosingValue]],
) -> None:
    holders = [side for side in ranked if _filled(side.fields[name])]
    winner = ranked[0] if rule.together or not holders else holders[0]
    if not _filled(winner.fields[name]):
        payload[name] = winner.fields[name]
        return
    holders = [winner, *(side for side in holders if side is not winner)]
    payload[name] = winner.fields[name]
    applied = rule.rule if len(holders) > 1 else _ONLY_SOURCE
    if winner.records > 1 and name in _SUMS:
        applied = _UNITS
    entry = (winner.member, applied)
    won.setdefault(entry, []).append(name)
    losing.setdefault(entry, []).extend(
        {"field": name, "member": side.member, "value": _text(side.fields[name])}
        for side in holders[1:]
        if side.fields[name] != payload[name]
    )


def _collect_aliases(
    payload: dict[str, object],
    sides: Sequence[Side],
    won: dict[tuple[int, str], list[str]],
    losing: dict[tuple[int, str], list[avro.LosingValue]],
) -> None:
    """All other names of all sides are aliases; none of them loses."""
    if "aliases" not in payload:
        return
    payloads = [side.payload for side in sides]
    named = [one for one in payloads if "aliases" in one]
    names = {one["name"] for one in named if one["name"]}
    names.update(alias for one in named for alias in one["aliases"])
    payload["aliases"] = sorted(name for name in names if name != payload["name"])
    for fields in won.values():
        if "aliases" in fields:
            fields.remove("aliases")
    for values in losing.values():
        values[:] = [value for value in values if value["field"] != "aliases"]
    if payload["aliases"]:
        won.setdefault((0, _ALL), []).append("aliases")


def _flags(sides: Sequence[Side]) -> set[str]:
    flags = set()
    for name, conflict in SETTINGS.conflicts.items():
        values = [
            value
            for side in sides
            if isinstance(value := side.fields.get(name), int | float) and value > 0
        ]
        if len(values) < 2:
            continue
        low, high = min(values), max(values)
        if conflict.lowest_ratio is not None and low / high < conflict.lowest_ratio:
            flags.add(conflict.flag)
        if conflict.largest_difference is not None and high - low > conflict.largest_difference:
            flags.add(conflict.flag)
    return flags


def _spread(sides: Sequence[Side]) -> float | None:
    payloads = [side.payload for side in sides]
    positions = [
        (payload["latitude"], payload["longitude"])
        for payload in payloads
        if "latitude" in payload
        and payload["latitude"] is not None
        and payload["longitude"] is not None
    ]
    if len(positions) < 2:
        return None
    return round(max(distance_km(here, there) for here, there in combinations(positions, 2)), 3)


def _filled(value: object) -> bool:
    return value is not None and value != [] and value != ()


def _text(value: object) -> str:
    return orjson.dumps(value).decode()[:_LONGEST_LOSER]
