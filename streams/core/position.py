"""Positions against the stated country: found swapped or without a sign, put right, or flagged.

A position is only corrected when exactly one simple slip explains it: the position as reported is
not in the country and not within a margin of it, and one of the readings below is.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from math import ceil
from typing import Any

from streams.core import flag_rules
from streams.core.errors import Rejected
from streams.core.geography import countries_at, is_land
from streams.core.payloads import (
    LngTerminal,
    PowerPlant,
    RenewableProject,
    RenewableResource,
    Substation,
    TransmissionLine,
    TransmissionProject,
)
from streams.core.records import Correction
from streams.core.reject_rules import POSITION_OUT_OF_RANGE
from streams.core.rule import Rule
from streams.core.tolerances import Margins

Placed = PowerPlant | LngTerminal | RenewableProject | RenewableResource | Substation
Stretched = TransmissionLine | TransmissionProject

_AT_SEA = frozenset({"wind", "wave_and_tidal"})
"""Fuels whose plants are at sea."""

_STEP_DEGREES = 0.25

_Point = tuple[float, float]

_DIRECTIONS = tuple(
    (north, east) for north in (-1, 0, 1) for east in (-1, 0, 1) if (north, east) != (0, 0)
)


@dataclass(frozen=True, slots=True)
class CorrectedPosition:
    """What is known about a position in the end.

    Attributes:
        latitude: WGS84 degrees, corrected where it was wrong in a way that can be recognised.
        longitude: The same.
        flags: Rules that flag it.
        corrections: What was changed.
    """

    latitude: float | None
    longitude: float | None
    flags: tuple[Rule, ...] = ()
    corrections: tuple[Correction, ...] = ()


def correct(asset: Placed, margins: Margins) -> CorrectedPosition | Rejected:
    """Check the position of an asset against its country and the sea.

    Args:
        asset: The asset; without a position there is nothing to say.
        margins: How far from its country and from land it may be.
    """
    latitude, longitude = asset.latitude, asset.longitude
    if latitude is None or longitude is None:
        return CorrectedPosition(latitude, longitude)
    country = asset.country_code
    if country is not None and country in countries_at(latitude, longitude):
        return CorrectedPosition(latitude, longitude)
    if not _on_earth(latitude, longitude):
        return _as_meant(latitude, longitude, country) or _out_of_range(latitude, longitude)
    at_sea = not is_land(latitude, longitude)
    offshore = at_sea and _may_stand_at_sea(asset)
    flags: tuple[Rule, ...] = ()
    if country is not None:
        margin = margins.country_at_sea if offshore else margins.country
        if not _is_near(latitude, longitude, country, margin):
            meant = _as_meant(latitude, longitude, country)
            if meant is not None:
                return meant
            flags = (flag_rules.POSITION_OUTSIDE_COUNTRY,)
    if at_sea and _needs_land(asset) and not _has_land_within(latitude, longitude, margins.land):
        flags = (*flags, flag_rules.POSITION_NOT_ON_LAND)
    return CorrectedPosition(latitude, longitude, flags)


@dataclass(frozen=True, slots=True)
class CorrectedEnds:
    """What is known about the ends of a line in the end.

    Attributes:
        positions: Fields of the line to put right, and what they are then.
        flags: Rules that flag it.
        corrections: What was changed.
    """

    positions: Mapping[str, Any]
    flags: tuple[Rule, ...] = ()
    corrections: tuple[Correction, ...] = ()


def correct_ends(line: Stretched, margins: Margins) -> CorrectedEnds | Rejected:
    """Check both ends of a line against the countries it touches.

    An end that is not on Earth is corrected like any position. A slip on Earth is not: it cannot be
    told apart from a node that was taken for another.
    """
    countries = frozenset(line.country_codes or filter(None, (line.country_code,)))
    flags: set[Rule] = set()
    corrections: tuple[Correction, ...] = ()
    for end, latitude, longitude in (
        ("from_", line.from_latitude, line.from_longitude),
        ("to_", line.to_latitude, line.to_longitude),
    ):
        if latitude is None or longitude is None:
            continue
        if not _on_earth(latitude, longitude):
            meant = _reading_in(latitude, longitude, countries)
            if meant is None:
                return _out_of_range(latitude, longitude)
            point, rule = meant
            flags.add(rule)
            corrections += _corrections((latitude, longitude), point, rule, end)
        elif countries and not _is_in_or_near(latitude, longitude, countries, margins):
            flags.add(flag_rules.POSITION_OUTSIDE_COUNTRY)
    positions = {one.field: one.corrected for one in corrections}
    return CorrectedEnds(positions, tuple(sorted(flags, key=lambda rule: rule.id)), corrections)


def _as_meant(latitude: float, longitude: float, country: str | None) -> CorrectedPosition | None:
    """The one reading that lies in the country; None when there is none or several."""
    meant = _reading_in(latitude, longitude, frozenset() if country is None else {country})
    if meant is None:
        return None
    point, rule = meant
    return CorrectedPosition(*point, (rule,), _corrections((latitude, longitude), point, rule))


def _reading_in(
    latitude: float, longitude: float, countries: Set[str]
) -> tuple[_Point, Rule] | None:
    found = {
        point: rule
        for point, rule in _readings(latitude, longitude)
        if not countries_at(*point).isdisjoint(countries)
    }
    return next(iter(found.items())) if len(found) == 1 else None


def _may_stand_at_sea(asset: Placed) -> bool:
    """Wind, waves and tides are used at sea; converters are there, and terminals that float.

    Where nobody says whether a terminal floats it may: terminals are on islets and reclaimed land.
    """
    if isinstance(asset, PowerPlant):
        return asset.primary_fuel in _AT_SEA
    if isinstance(asset, RenewableProject):
        return asset.technology in _AT_SEA
    return isinstance(asset, Substation) or (
        isinstance(asset, LngTerminal) and asset.floating is not False
    )


def _needs_land(asset: Placed) -> bool:
    """A resource is asked for at any point; the others are on land unless they float."""
    return not isinstance(asset, RenewableResource) and not _may_stand_at_sea(asset)


def _is_near(latitude: float, longitude: float, country: str, margin_degrees: float) -> bool:
    return any(
        country in countries_at(*point) for point in _around(latitude, longitude, margin_degrees)
    )


def _is_in_or_near(
    latitude: float, longitude: float, countries: Set[str], margins: Margins
) -> bool:
    return not countries_at(latitude, longitude).isdisjoint(countries) or any(
        _is_near(latitude, longitude, country, margins.country_at_sea) for country in countries
    )


def _has_land_within(latitude: float, longitude: float, margin_degrees: float) -> bool:
    return any(is_land(*point) for point in _around(latitude, longitude, margin_degrees))


def _around(latitude: float, longitude: float, margin_degrees: float) -> Iterator[_Point]:
    """Points on growing squares around a position."""
    steps = ceil(margin_degrees / _STEP_DEGREES)
    for step in range(1, steps + 1):
        distance = margin_degrees * step / steps
        for north, east in _DIRECTIONS:
            yield latitude + north * distance, longitude + east * distance


def _readings(latitude: float, longitude: float) -> Iterator[tuple[_Point, Rule]]:
    """What the source may have meant by a position."""
    yield (longitude, latitude), flag_rules.POSITION_SWAPPED
    for point in ((-latitude, longitude), (latitude, -longitude), (-latitude, -longitude)):
        yield point, flag_rules.POSITION_SIGN_LOST


def _corrections(
    reported: _Point, corrected: _Point, rule: Rule, end: str = ""
) -> tuple[Correction, ...]:
    return tuple(
        Correction(f"{end}{field}", before, after, rule.id)
        for field, before, after in zip(("latitude", "longitude"), reported, corrected, strict=True)
        if before != after
    )


def _on_earth(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def _out_of_range(latitude: float, longitude: float) -> Rejected:
    if not -90 <= latitude <= 90:
        return POSITION_OUT_OF_RANGE.reject(latitude, limit="-90 to 90")
    return POSITION_OUT_OF_RANGE.reject(longitude, field="longitude", limit="-180 to 180")
