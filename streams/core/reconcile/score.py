"""Scoring: how alike two entities of one kind and different sources are.

A plain weighted sum of features; weights and threshold are in `rules.yaml`. On the same features
neither logistic regression nor boosted trees did better.
"""

from math import exp

from rapidfuzz import fuzz

from streams.core.geodesy import distance_km
from streams.core.reconcile.prepare import Entity, Name, weight
from streams.core.reconcile.settings import SETTINGS, Weights

_NEAR_KM = 0.5
_CLOSE_KM = 5.0
_SAME_YEARS = 1
_OTHER_YEARS = 10
_LIKE_SIZE = 0.8
_ROUNDED = 9


KINDS = frozenset(SETTINGS.weights)
"""Kinds that several sources report and that are matched."""


def score(one: Entity, other: Entity) -> float | None:
    """Score of a pair, rounded to nine digits; None below the threshold or out of reach."""
    rated = rate(one, other)
    return None if rated is None or rated < SETTINGS.weights[one.kind].threshold else rated


def rate(one: Entity, other: Entity) -> float | None:
    """The same down to where a pair is undecided; None below that."""
    if one.virtual or other.virtual:
        return None
    km = shortest_km(one, other)
    if km is not None and km > SETTINGS.reach_km:
        return None
    weights = SETTINGS.weights[one.kind]
    lowest = weights.threshold - weights.undecided
    rest = sum(_without_names(one, other, km, weights))
    if rest + weights.name + weights.rare_words < lowest:
        return None  # not even with the same name; comparing names costs most
    name, rare_words = _names(one, other)
    total = round(rest + weights.name * name + weights.rare_words * rare_words, _ROUNDED)
    if total < lowest:
        return None
    if total < weights.certain and not (_may_be_left(one) and _may_be_left(other)):
        return None
    return total


def parts(one: Entity, other: Entity) -> dict[str, float]:
    """What each kind of evidence adds to the score of a pair, in a fixed order."""
    weights = SETTINGS.weights[one.kind]
    name, rare_words = _names(one, other)
    rest = _without_names(one, other, shortest_km(one, other), weights)
    found = {"name": weights.name * name + weights.rare_words * rare_words}
    return {**found, **dict(zip(_EVIDENCE, rest, strict=True))}


def missing(one: Entity, other: Entity) -> list[str]:
    """Evidence that neither or only one of two entities has, and that would tell."""
    weights = SETTINGS.weights[one.kind]
    said = {
        "position": (one.positions, other.positions),
        "numbers": (one.numbers, other.numbers),
        "capacity": (one.capacities, other.capacities),
        "groups": (one.groups, other.groups),
        "years": (one.years, other.years),
    }
    if weights.same_owner or weights.other_owner:
        said["owner"] = (one.owners, other.owners)
    return [evidence for evidence, sides in said.items() if not all(sides)]


_EVIDENCE = (
    "base",
    "position",
    "numbers",
    "capacity",
    "groups",
    "years",
    "country",
    "standing",
    "floating",
    "owner",
)


def _may_be_left(entity: Entity) -> bool:
    """Whether a terminal may be joined because nothing else is left in its country."""
    large = not entity.capacities or entity.capacities[0] >= SETTINGS.only_left_mtpa
    return entity.built and large and "export" not in entity.groups


def _without_names(
    one: Entity, other: Entity, km: float | None, weights: Weights
) -> tuple[float, ...]:
    """Weights of everything but the names, in the order of `_EVIDENCE`."""
    ratio = capacity_ratio(one, other)
    country = 0.0
    if one.countries and other.countries:
        apart = one.countries.isdisjoint(other.countries)
        country = weights.other_country if apart else weights.same_country
    return (
        weights.base,
        _position_weight(km, weights),
        _number_weight(one, other, ratio, weights),
        _capacity_weight(one, other, ratio, weights),
        _group_weight(one, other, weights),
        _year_weight(one, other, weights),
        country,
        _standing_weight(one, other, ratio, weights),
        _floating_weight(one, other, weights),
        _owner_weight(one, other, weights),
    )


def _standing_weight(one: Entity, other: Entity, ratio: float | None, weights: Weights) -> float:
    """Weight of one side never built, or built after the other side's source was closed.

    More where what is new differs in fuel or size, too: then it stands beside the old one, or will.
    """
    found = 0.0
    if one.built != other.built:
        found = weights.not_built.get(other.status if one.built else one.status, 0.0)
    elif one.built and (is_later(one, other) or is_later(other, one)):
        found = weights.later
    if not found:
        return 0.0
    if groups_differ(one.groups, other.groups):
        found += weights.new_fuel
    if ratio is not None and ratio < _LIKE_SIZE:
        found += weights.new_size
    return found


def is_later(one: Entity, other: Entity) -> bool:
    """Whether the first unit started after the last year of which the other's source knows."""
    return bool(one.years) and one.years[0] > SETTINGS.last_known_year(other.source_id)


def _floating_weight(one: Entity, other: Entity, weights: Weights) -> float:
    if one.floating == other.floating:
        return weights.same_floating if one.floating else 0.0
    silent = other if one.floating else one
    return weights.other_floating if silent.source_id in SETTINGS.says_floating else 0.0


def _owner_weight(one: Entity, other: Entity, weights: Weights) -> float:
    """Weight of owners with half of their words in common, or none; less than half says nothing."""
    if not (one.owners and other.owners):
        return 0.0
    common = one.owners & other.owners
    if not common:
        return weights.other_owner
    least = min(sum(map(weight, one.owners)), sum(map(weight, other.owners)))
    return weights.same_owner if 2 * sum(map(weight, common)) >= least else 0.0


def _position_weight(km: float | None, weights: Weights) -> float:
    if km is None:
        return weights.no_position
    near, close = exp(-km / _NEAR_KM), exp(-km / _CLOSE_KM)
    return weights.near * near + weights.close * close + weights.far_per_km * km


def _number_weight(one: Entity, other: Entity, ratio: float | None, weights: Weights) -> float:
    if numbered_apart(one, other):
        return weights.other_numbers
    if one.numbers and other.numbers:
        return weights.same_numbers if one.numbers == other.numbers else 0.0
    return weights.own_number if _outgrows(one, other, ratio) else 0.0


def numbered_apart(one: Entity, other: Entity) -> bool:
    """Whether both sides have numbers, or points of the compass, and none in common."""
    return contradict(one.directions, other.directions) or contradict(one.numbers, other.numbers)


def contradict(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether both sides say something, and nothing that the other one says."""
    return bool(mine and theirs) and mine.isdisjoint(theirs)


def _outgrows(one: Entity, other: Entity, ratio: float | None) -> bool:
    """Whether one side alone has a number and is the larger one: no stage of the other is that."""
    if ratio is None or ratio >= _LIKE_SIZE or list_units(one, other):
        return False
    if bool(one.numbers) == bool(other.numbers):
        return False
    numbered, plain = (one, other) if one.numbers else (other, one)
    return numbered.capacities[0] > plain.capacities[0]


def list_units(one: Entity, other: Entity) -> bool:
    """Whether a source of either may list units under their codes: small, with their numbers."""
    return not SETTINGS.lists_units.isdisjoint((one.source_id, other.source_id))


def groups_differ(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether fuels, voltages or types are known of two sides and none is common to both."""
    return contradict(mine, theirs) and (mine | theirs).isdisjoint(SETTINGS.wildcard_groups)


def _group_weight(one: Entity, other: Entity, weights: Weights) -> float:
    if not one.groups.isdisjoint(other.groups):
        return weights.same_groups
    if not groups_differ(one.groups, other.groups):
        return 0.0
    distinct = SETTINGS.distinct_groups
    if one.groups <= distinct or other.groups <= distinct:
        return weights.other_technology
    return weights.other_groups


def _year_weight(one: Entity, other: Entity, weights: Weights) -> float:
    if not (one.years and other.years):
        return 0.0
    gap = min(abs(mine - theirs) for mine in one.years for theirs in other.years)
    if gap <= _SAME_YEARS:
        return weights.same_years
    return weights.other_years if gap > _OTHER_YEARS else 0.0


def _capacity_weight(one: Entity, other: Entity, ratio: float | None, weights: Weights) -> float:
    if ratio is None:
        return 0.0
    if ratio >= 0.95:
        return weights.capacity_95
    if ratio >= _LIKE_SIZE:
        return weights.capacity_80
    if ratio >= 0.5:
        return weights.capacity_50
    if ratio >= 0.25:
        return weights.capacity_25
    if ratio >= (0.05 if list_units(one, other) else 0.1):
        return weights.capacity_10
    return weights.capacity_05 if ratio >= 0.05 else weights.capacity_less


def shortest_km(one: Entity, other: Entity) -> float | None:
    """Shortest distance between two entities; None when one has no position."""
    if not (one.positions and other.positions):
        return None
    if len(one.positions) == len(other.positions) == 1:
        return distance_km(one.positions[0], other.positions[0])
    return min(distance_km(here, there) for here in one.positions for there in other.positions)


def capacity_ratio(one: Entity, other: Entity) -> float | None:
    """Best ratio, 0 to 1, between any two capacity sums; None when one is not known."""
    if not (one.capacities and other.capacities):
        return None
    best = 0.0
    for mine in one.capacities:
        for theirs in other.capacities:
            ratio = mine / theirs if mine < theirs else theirs / mine
            best = max(best, ratio)
    return best


def _names(one: Entity, other: Entity) -> tuple[float, float]:
    """Best blend of three name ratios, and best share of rare words in common, 0 to 1."""
    best = rare = 0.0
    for mine in one.names:
        for theirs in other.names:
            if mine.sorted_words == theirs.sorted_words:
                return 1.0, 1.0 if mine.words else 0.0
            rare = max(rare, _rare_words(mine, theirs))
            blend = (
                0.4 * fuzz.token_set_ratio(mine.sorted_words, theirs.sorted_words)
                + 0.3 * fuzz.ratio(mine.sorted_words, theirs.sorted_words)
                + 0.3 * fuzz.ratio(mine.spaceless, theirs.spaceless)
            ) / 100
            best = max(best, blend)
    return best, rare


def _rare_words(mine: Name, theirs: Name) -> float:
    common = mine.words & theirs.words
    if not common:
        return 0.0
    least = min(sum(map(weight, mine.words)), sum(map(weight, theirs.words)))
    return sum(map(weight, common)) / least
