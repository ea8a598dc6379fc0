"""Preparation: the records of one source entity as one comparable entity.

An entity is what a source holds for one thing: a plant (site and technology), a terminal, a
substation. Sources with units send a record for each unit; all records of one entity are compared
together.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Literal, TypeAlias, cast

from anyascii import anyascii

from streams.core import contract_types as avro
from streams.core.reconcile.settings import SETTINGS, TOKEN_COUNTS

EntityKey = tuple[str, str, str]
"""Kind, source id and entity id: the identity of a source entity."""

_WORDS = re.compile(r"[a-z]+|\d+")
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_NUMERALS = _ROMAN | {"daiichi": "1", "daini": "2", "daisan": "3", "daiyon": "4"}
"""Roman numbers, and Japanese ones as they stand in names."""

_LAST_ROMAN = {"i": "1", "x": "10", "xi": "11", "xii": "12"}
"""Words of some language, or initials, anywhere but at the end of a name."""

_JOINED = re.compile(r"['’`´]")
_LONGEST_NUMBER = 3
"""Digits of a unit number; longer ones are years or codes and tell no units apart."""

_LETTERS = re.compile(r"[a-z]+")
_POSSESSIVE = re.compile(r"['’`´]s\b")
_SAY_NO_PARTY = SETTINGS.generic_words | SETTINGS.party_words | SETTINGS.legal_words
_INITIALS = range(3, 7)
"""How many initials may stand for a name; two stand for too many."""

_MOST_COMMON = log(max(TOKEN_COUNTS.values()))

_NEVER_BUILT = ("construction", "pre-construction", "announced", "shelved", "cancelled")
NOT_BUILT = frozenset(_NEVER_BUILT)
_GIVEN_UP = frozenset({"shelved", "cancelled"})

_DIRECTIONS = {word: point for point, words in SETTINGS.directions.items() for word in words}


@dataclass(frozen=True, slots=True)
class Name:
    """A name made comparable.

    Attributes:
        spaceless: All words joined.
        sorted_words: Words in alphabetical order, joined by spaces.
        words: Distinct words that say something, without numbers.
        numbers: What tells units apart: numbers of at most three digits, as written without leading
            zeros, roman ones as digits, and a single letter at the end.
        directions: Points of the compass that are named.
    """

    spaceless: str
    sorted_words: str
    words: frozenset[str]
    numbers: frozenset[str]
    directions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Entity:
    """What is compared.

    Attributes:
        key: Kind, source and entity id.
        names: The distinct comparable names, main name first.
        numbers: Numbers and letters of the main name and of its units.
        directions: Points of the compass in the same names.
        countries: ISO 3166-1 alpha-2 codes.
        positions: Distinct (latitude, longitude), WGS84 degrees, sorted.
        capacities: Sums of capacity in the kind's unit (MW; mtpa for terminals), most inclusive
            first: all units, without those given up where there are others, those built, those of
            the snapshot's year, those running.
        groups: Fuel groups, voltage levels or terminal types; empty when not known.
        years: Years of first operation of its units, sorted; of those that were built, if any was.
        status: The best one of its units: whatever was built before whatever was not.
        floating: Whether a terminal, or a part of it, is said to float.
        virtual: Whether it is a book-keeping device, which is no asset elsewhere.
        owners: What tells its owners and operators from others: words, and initials of long names.
        counts_plans: Whether it was built and the first of its sums counts more than that.
    """

    key: EntityKey
    names: tuple[Name, ...]
    numbers: frozenset[str]
    directions: frozenset[str]
    countries: frozenset[str]
    positions: tuple[tuple[float, float], ...]
    capacities: tuple[float, ...]
    groups: frozenset[str]
    years: tuple[float, ...]
    status: str
    floating: bool
    virtual: bool
    owners: frozenset[str]
    counts_plans: bool

    @property
    def kind(self) -> str:
        """Canonical kind."""
        return self.key[0]

    @property
    def source_id(self) -> str:
        """Source."""
        return self.key[1]

    @property
    def built(self) -> bool:
        """Whether any of it was ever built."""
        return self.status not in NOT_BUILT


@lru_cache(maxsize=10_000)
def comparable(text: str) -> Name | None:
    """A name without case, script, generic words and order; None when nothing is left.

    Generic words in several languages say nothing ("power", "centrale", "PLTU"); when a name
    consists of nothing else they are kept.
    """
    words = [_NUMERALS.get(word, word) for word in _WORDS.findall(_JOINED.sub("", _latin(text)))]
    words = [word.lstrip("0") or "0" if word.isdigit() else word for word in words]
    specific = [word for word in words if word not in SETTINGS.generic_words]
    if not any(word.isalpha() for word in specific):
        specific = words
    if not specific:
        return None
    marks = set()
    if len(specific) > 1:
        specific[-1] = _LAST_ROMAN.get(specific[-1], specific[-1])
        if len(specific[-1]) == 1 and specific[-1].isalpha():
            marks.add(specific[-1])
    return Name(
        "".join(specific),
        " ".join(sorted(specific)),
        _shared(word for word in specific if word.isalpha()),
        _shared(
            marks.union(
                word for word in specific if word.isdigit() and len(word) <= _LONGEST_NUMBER
            )
        ),
        _shared(_DIRECTIONS[word] for word in specific if word in _DIRECTIONS),
    )


@lru_cache(maxsize=10_000)
def party_words(text: str) -> frozenset[str]:
    """What tells the parties of a text, with semicolons between them, from others.

    Their words but those of law and trade, and the initials of each, by which other sources call
    it: "Comisión Federal de Electricidad" is "CFE" elsewhere.
    """
    found: set[str] = set()
    for party in _latin(text).split(";"):
        words = _LETTERS.findall(_JOINED.sub("", _POSSESSIVE.sub("", party)))
        found.update(word for word in words if len(word) > 1 and word not in _SAY_NO_PARTY)
        initials = "".join(word[0] for word in words if word not in SETTINGS.legal_words)
        if len(initials) in _INITIALS:
            found.add(initials)
    return frozenset(found)


def _latin(text: str) -> str:
    """A text in lower case and Latin letters without accents."""
    return (text if text.isascii() else anyascii(unicodedata.normalize("NFKC", text))).lower()


@lru_cache(maxsize=200_000)
def weight(word: str) -> float:
    """How much a word says: 1 for one that the token table does not know, less for common ones."""
    count = TOKEN_COUNTS.get(word)
    return 1.0 if count is None else max(0.05, 1.0 - log(count) / _MOST_COMMON)


_Payload: TypeAlias = avro.PowerPlant | avro.LngTerminal | avro.RenewableProject | avro.Substation
_Kind: TypeAlias = Literal["power_plant", "lng_terminal", "renewable_project", "substation"]
"""What is compared: the kinds that `rules.yaml` has weights for."""

_Unit: TypeAlias = avro.PlantUnit | avro.TerminalUnit | avro.ProjectPhase
_Part: TypeAlias = (
    avro.PlantUnit
    | avro.TerminalUnit
    | avro.ProjectPhase
    | avro.PowerPlant
    | avro.LngTerminal
    | avro.RenewableProject
    | avro.Substation
)
"""What has a capacity and years of its own; spelled out, since mypy narrows flat unions only."""


def prepare(records: Sequence[avro.NormalizedAsset]) -> Entity:
    """The entity that these normalized records of one source entity describe.

    Args:
        records: Upserts of one kind, source and entity, at least one, sorted by record id.
    """
    first = records[0]
    kind = first["kind"]
    payloads = [_payload(record) for record in records]
    capacities, counts_plans = _capacities(payloads)
    return Entity(
        (kind, first["source_id"], first["entity_id"]),
        *_names(payloads),
        _shared(filter(None, (payload["country_code"] for payload in payloads))),
        _positions(payloads),
        capacities,
        _groups(payloads),
        _years(payloads),
        min((payload["status"] for payload in payloads), key=_standing),
        any("floating" in payload and payload["floating"] for payload in payloads),
        any(
            not SETTINGS.virtual_words.isdisjoint(_WORDS.findall(payload["name"].lower()))
            for payload in payloads
            if payload["name"]
        ),
        _owners(payloads),
        counts_plans,
    )


def _shared(found: Iterable[str]) -> frozenset[str]:
    """A set; of equal ones mostly the same object, since each takes 216 bytes and more."""
    return _kept(frozenset(found))


@lru_cache(maxsize=10_000)
def _kept(found: frozenset[str]) -> frozenset[str]:
    return found


def _payload(record: avro.NormalizedAsset) -> _Payload:
    payload = record[cast(_Kind, record["kind"])]
    assert payload is not None
    return payload


def _names(
    payloads: Sequence[_Payload],
) -> tuple[tuple[Name, ...], frozenset[str], frozenset[str]]:
    mains = dict.fromkeys(payload["name"] for payload in payloads if payload["name"])
    others = dict.fromkeys(
        alias for payload in payloads if "aliases" in payload for alias in payload["aliases"]
    )
    found = dict.fromkeys(filter(None, map(comparable, [*mains, *others])))
    names = tuple(found)[: SETTINGS.most_names]
    said = [name for main in mains if (name := comparable(main))]
    return (
        names,
        _shared(mark for name in said for mark in name.numbers),
        _shared(point for name in said for point in name.directions),
    )


def _owners(payloads: Sequence[_Payload]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for payload in payloads:
        if "owner" in payload and (text := payload["owner"]):
            found |= party_words(text)
        if "operator" in payload and (text := payload["operator"]):
            found |= party_words(text)
    return _shared(found)


def _positions(payloads: Sequence[_Payload]) -> tuple[tuple[float, float], ...]:
    found = set()
    for payload in payloads:
        latitude, longitude = payload["latitude"], payload["longitude"]
        if latitude is not None and longitude is not None and (latitude or longitude):
            found.add((latitude, longitude))
    return tuple(sorted(found))[: SETTINGS.most_positions]


def _capacities(payloads: Sequence[_Payload]) -> tuple[tuple[float, ...], bool]:
    """The sums, and whether the first one counts plans beside what was built."""
    everything = built = by_vintage = running = given_up = 0.0
    for payload in payloads:
        for part in _units(payload) or (payload,):
            capacity = _capacity(part)
            if not capacity:
                continue
            if part["status"] in _GIVEN_UP:
                given_up += capacity
                continue
            everything += capacity
            if part["status"] in NOT_BUILT:
                continue
            built += capacity
            if _stood(part, SETTINGS.snapshot_year):
                by_vintage += capacity
            if part["status"] == "operating":
                running += capacity
    everything = everything or given_up
    sums = [round(total, 6) for total in (everything, built, by_vintage, running)]
    return tuple(total for total in dict.fromkeys(sums) if total), 0 < sums[1] < sums[0]


def _units(payload: _Payload) -> Sequence[_Unit]:
    """What a source reports on its own, if it does."""
    if "units" in payload:
        return payload["units"]
    return ()


def _capacity(part: _Part) -> float | None:
    """Capacity in the kind's unit; a substation has none."""
    if "capacity_mw" in part:
        return part["capacity_mw"]
    if "capacity_mtpa" in part:
        return part["capacity_mtpa"]
    return None


def _stood(part: _Part, year: int) -> bool:
    """Whether something that was built existed in a year, as far as its years are known."""
    if "start_year" in part and part["start_year"] is not None and part["start_year"] > year:
        return False
    if "retired_year" in part and part["retired_year"] is not None:
        return part["retired_year"] > year
    return True


def _groups(payloads: Sequence[_Payload]) -> frozenset[str]:
    found: set[str] = set()
    for payload in payloads:
        if "primary_fuel" in payload:
            for fuel in (payload["primary_fuel"], *payload["other_fuels"]):
                found |= SETTINGS.fuel_groups.get(fuel, {fuel})
        elif "voltages_kv" in payload:
            found |= {str(round(voltage)) for voltage in payload["voltages_kv"]}
        elif "technology" in payload:
            found.add(payload["technology"])
        elif "terminal_type" in payload and payload["terminal_type"] != "unknown":
            found.add(payload["terminal_type"])
    return _shared(found)


def _years(payloads: Sequence[_Payload]) -> tuple[float, ...]:
    built: set[float] = set()
    planned: set[float] = set()
    for payload in payloads:
        year: float | None = None
        if "commissioning_year" in payload:
            year = payload["commissioning_year"]
        elif "start_year" in payload:
            year = payload["start_year"]
        starts = [(payload["status"], year)]
        starts += [(unit["status"], unit["start_year"]) for unit in _units(payload)]
        for status, start in starts:
            if start is not None:
                (planned if status in NOT_BUILT else built).add(float(start))
    return tuple(sorted(built or planned))


def _standing(status: str) -> int:
    """Rank of a status: everything that was built, then what is closer to being built."""
    return _NEVER_BUILT.index(status) + 1 if status in NOT_BUILT else 0
