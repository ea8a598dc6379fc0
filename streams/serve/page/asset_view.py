"""One asset as data: where each field comes from, flags in words, and what changed when."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from streams.clickhouse.candidate_queries import Candidate
from streams.clickhouse.tables import ENVELOPE, POSITION
from streams.core.all_rules import RULES
from streams.core.reconcile.in_words import evidence_words
from streams.core.records import RawCoordinates
from streams.core.topic_record import TopicRecord

Version = Mapping[str, Any]
"""A version of an asset: its JSON."""

_AROUND: Final = frozenset(
    {column.name for column in (*ENVELOPE, *POSITION)}
    | {"kind", "flags", "links", "members", "provenance", "source_ids", "position_spread_km"}
)
_APART: Final[Mapping[str, str | None]] = {
    "units": "unit_id",
    "generation": "year",
    "unavailabilities": None,
}
"""Lists of records with tables of their own, and the field that names an item; None: none does."""

_RULES: Final[Mapping[str, str]] = {
    "only_source": "only one source gives it",
    "priority": "its source comes first",
    "newest": "newest",
    "sum_of_units": "sum of units",
    "all": "all sources together",
    "derived": "derived",
    "corrected": "corrected, see the doubts",
}
"""Rules of survivorship of the contract, in words."""


@dataclass(frozen=True, slots=True)
class Losing:
    """A value of another source that was not taken."""

    value: Any
    source_id: str


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field.

    Attributes:
        rule: Why this value is the one shown, in words; empty: no source gives a value.
        source_id: Whose value it is; empty with the rule.
        observed_at: When it was fetched, ISO 8601; None with the rule.
    """

    name: str
    value: Any
    rule: str
    source_id: str
    observed_at: str | None
    losing: Sequence[Losing]


@dataclass(frozen=True, slots=True)
class Flag:
    """A soft check that failed: what is wrong, and why the rule holds."""

    rule_id: str
    sentence: str
    reference: str


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two versions: a field, or an item of a list such as the units.

    Attributes:
        name: Of the field, or of the list.
        item: Which item of the list, empty where none names it; None: it is a field.
        before: Value, or fields of the item that differ; None: not reported, or no such item.
        after: Likewise.
    """

    name: str
    before: Any
    after: Any
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one version changed; `first` is the version that the asset began with."""

    version: Version
    changes: Sequence[Change]
    first: bool


def fields(version: Version) -> Sequence[FieldValue]:
    """Every field of the kind that has a value, in the order of the contract."""
    return [_field(version, name) for name in _own(version) if _filled(version[name])]


def missing(version: Version) -> Sequence[str]:
    """Fields of the kind that nobody gives a value of."""
    return [name for name in _own(version) if not _filled(version[name])]


def _own(version: Version) -> Sequence[str]:
    return [name for name in version if name not in _AROUND | _APART.keys()]


def _field(version: Version, name: str) -> FieldValue:
    value = version[name]
    entry = next((one for one in version["provenance"] if name in one["fields"]), None)
    if entry is None:
        return FieldValue(name, value, "", "", None, [])
    members = version["members"]
    member = members[entry["member"]]
    losing = [
        Losing(_read(one["value"]), members[one["member"]]["source_id"])
        for one in entry["losing"]
        if one["field"] == name
    ]
    return FieldValue(
        name, value, rule_words(entry["rule"]), member["source_id"], member["observed_at"], losing
    )


def rule_words(rule: str) -> str:
    """Why a value is the one shown."""
    return _RULES.get(rule, rule.replace("_", " "))


def _read(text: str) -> Any:
    """A losing value; one that was cut short is no JSON any more."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _filled(value: Any) -> bool:
    return value is not None and value not in ("", [])


def tables(version: Version) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Lists of records that are not empty, such as units, by name."""
    return {name: version[name] for name in sorted(_APART) if version.get(name)}


def flags(version: Version) -> Sequence[Flag]:
    """Every flag in words; of one this program does not know only its id."""
    found = []
    for rule_id in version["flags"]:
        rule = RULES.get(rule_id)
        sentence = rule.sentence if rule else "This version of the page does not know the rule."
        found.append(Flag(rule_id, sentence, rule.reference if rule else ""))
    return found


def history(versions: Sequence[Version]) -> Sequence[Step]:
    """What each version changed, newest first.

    Args:
        versions: Newest first, as far back as they are shown.
    """
    steps = []
    for number, version in enumerate(versions):
        before = versions[number + 1] if number + 1 < len(versions) else None
        changes = [] if before is None else _changes(before, version)
        steps.append(Step(version, changes, before is None))
    return steps


def _changes(before: Version, after: Version) -> list[Change]:
    names = [*_own(after), "flags", "source_ids", "links"]
    if before["record_status"] != after["record_status"]:
        names.insert(0, "record_status")
    changes = [
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]
    for name, key in _APART.items():
        changes += _changed_items(name, key, before.get(name) or [], after.get(name) or [])
    return changes


def _changed_items(
    name: str, key: str | None, before: Sequence[Version], after: Sequence[Version]
) -> Iterable[Change]:
    """Items that came, went or changed; those without a name only come and go."""
    if key is None:
        yield from (Change(name, item, None, "") for item in before if item not in after)
        yield from (Change(name, None, item, "") for item in after if item not in before)
        return
    old, new = ({item[key]: item for item in items} for items in (before, after))
    for item in sorted(old.keys() | new.keys()):
        was, now = old.get(item), new.get(item)
        if was is None or now is None:
            yield Change(name, _but(key, was), _but(key, now), str(item))
        elif was != now:
            differing = [field for field in now if was.get(field) != now[field]]
            yield Change(
                name,
                {field: was.get(field) for field in differing},
                {field: now[field] for field in differing},
                str(item),
            )


def _but(key: str, item: Version | None) -> Version | None:
    """An item without the field that names it, and without what it does not report."""
    if item is None:
        return None
    return {name: value for name, value in item.items() if name != key and _filled(value)}


def entities(version: Version) -> Sequence[str]:
    """Every entity that the asset is made of, as decisions name it."""
    names = [f"{one['source_id']}:{one['entity_id']}" for one in version["members"]]
    return list(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class ManualDecision:
    """A decision by hand that names an entity of an asset."""

    verdict: str
    one: str
    other: str
    reason: str
    decided_at: datetime


def decisions(version: Version, known: Iterable[TopicRecord]) -> Sequence[ManualDecision]:
    """Decisions about the entities of an asset, newest first; of each pair the last one counts.

    Args:
        version: The asset.
        known: Every decision, in the order of the topic.
    """
    mine = set(entities(version))
    found: dict[str, ManualDecision] = {}
    for record in known:
        said = record.content
        if not said:
            # Withdrawn.
            found.pop(str(record.key), None)
            continue
        if said["kind"] != version["kind"]:
            continue
        one = f"{said['one_source_id']}:{said['one_entity_id']}"
        other = f"{said['other_source_id']}:{said['other_entity_id']}"
        if mine & {one, other}:
            found[str(record.key)] = ManualDecision(
                said["verdict"], one, other, said["reason"], said["decided_at"]
            )
    return sorted(found.values(), key=lambda one: one.decided_at, reverse=True)


@dataclass(frozen=True, slots=True)
class MayBeSame:
    """An undecided pair, seen from an asset that one of its entities belongs to.

    Attributes:
        mine, theirs: The two entities, as decisions name them.
        asset_id: The other asset; None: they are joined for now.
        score: Above the threshold if positive.
        parts: What speaks for and against it in words, the strongest first; each with its weight.
        open_questions: What at most one of them says, of what would decide it, in words.
        must_link, cannot_link: The commands.
    """

    mine: str
    theirs: str
    asset_id: str | None
    score: float
    parts: Sequence[tuple[str, float]]
    open_questions: Sequence[str]
    must_link: str
    cannot_link: str


def may_be_same(record_id: str, candidate: Candidate) -> MayBeSame:
    """An undecided pair, of which at least one entity belongs to the asset of this id."""
    one = f"{candidate.one_source_id}:{candidate.one_entity_id}", candidate.one_asset_id
    other = f"{candidate.other_source_id}:{candidate.other_entity_id}", candidate.other_asset_id
    mine, theirs = (one, other) if one[1] == record_id else (other, one)
    parts = [(evidence_words(part.evidence), part.weight) for part in candidate.parts]
    return MayBeSame(
        mine[0],
        theirs[0],
        None if candidate.joined else theirs[1],
        candidate.match_score - candidate.threshold,
        sorted(parts, key=lambda part: -abs(part[1])),
        [evidence_words(one) for one in candidate.would_decide],
        candidate.must_link_command,
        candidate.cannot_link_command,
    )


def lineages(version: Version) -> Sequence[RawCoordinates]:
    """Raw records that the asset is made of, in the order of its members."""
    return [RawCoordinates.from_avro(one["lineage"]) for one in version["members"]]


def position(version: Version) -> tuple[float, float] | None:
    """Latitude and longitude, of a line its first end; None: not known."""
    start = "from_" if "from_latitude" in version else ""
    latitude, longitude = version.get(f"{start}latitude"), version.get(f"{start}longitude")
    if latitude is None or longitude is None or not math.isfinite(latitude + longitude):
        return None
    return latitude, longitude


def name_of(version: Version) -> str:
    """Name; of a line without one its ends; else its id."""
    if version.get("name"):
        return str(version["name"])
    ends = [version.get("from_name"), version.get("to_name")]
    if any(ends):
        return " - ".join(str(one or "?") for one in ends)
    return str(version["record_id"])
