"""What rows of a list share: an id of several things, and the place of one thing.

GEM's lists give one id to a terminal in India and one in Croatia, and to machines that stand all
over a country. Rows of an id that lie in another region, where assets
are resolved apart, or farther away than a site can be, are another thing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from producers.formats.tracker_position import Place
from streams.core.geodesy import distance_km
from streams.core.regions import REGION_NAMES, region_of

_ONE_SITE_KM = 100.0
"""Rows of one site lie closer together, each to the next one, also across a border."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A row by what it is about.

    Attributes:
        entity: Id of the terminal or plant.
        record_id: Id of the row.
    """

    entity: str
    record_id: str
    place: Place


def told_apart(sightings: Iterable[Sighting]) -> dict[str, str]:
    """Place of every row that shares its id with something elsewhere, by record id.

    The site with the lowest record id keeps the bare id, and so do rows without a position on
    Earth. Another site is named by its country or region where that differs and by its lowest
    record id where it does not, or where another site has the name.
    """
    by_entity: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        if sighting.place.is_on_earth:
            by_entity.setdefault(sighting.entity, []).append(sighting)
    found: dict[str, str] = {}
    for rows in by_entity.values():
        home, *others = _sites(sorted(rows, key=lambda row: row.record_id))
        names: set[str] = set()
        for site in others:
            name = _name(site[0], home[0])
            if name in names:
                name = site[0].record_id
            names.add(name)
            found |= {row.record_id: name for row in site}
    return found


@dataclass(slots=True)
class FirstAtPlace:
    """The first readable row of each entity at each place, which is told what is wrong there."""

    _first: dict[tuple[str | None, str | None, Place], str] = field(default_factory=dict)

    def before(
        self,
        entity: str | None,
        name: str | None,
        place: Place,
        record_id: str,
        is_readable: Callable[[], bool],
    ) -> str | None:
        """The row of the same entity that states the same place before; None for the first one.

        Args:
            entity: Id of the terminal, plant or project.
            name: What tells it apart from others of that id, if anything does.
            place: Where the row says it is.
            record_id: Id of the row, the first one at its place if none was before.
            is_readable: Whether the row becomes a record; it is asked of the first one only.
        """
        stated = entity, name, place
        first = self._first.get(stated)
        if first is None and is_readable():
            self._first[stated] = record_id
        return first


def _sites(rows: Sequence[Sighting]) -> list[list[Sighting]]:
    """Rows by site, in the order of the first row of each; rows of a site keep their order."""
    sites: list[list[Sighting]] = []
    for row in rows:
        near = [site for site in sites if any(_is_one_site(row, other) for other in site)]
        joined = [other for site in near for other in site] + [row]
        sites = [site for site in sites if site not in near]
        sites.append(sorted(joined, key=lambda one: one.record_id))
    return sorted(sites, key=lambda site: site[0].record_id)


def _is_one_site(one: Sighting, other: Sighting) -> bool:
    if one.place == other.place:
        return True
    return (
        _region(one.place) == _region(other.place)
        and distance_km(_position(one.place), _position(other.place)) <= _ONE_SITE_KM
    )


def _name(row: Sighting, home: Sighting) -> str:
    place = row.place
    if place.country_code is not None and place.country_code != home.place.country_code:
        return place.country_code
    if _region(place) != _region(home.place):
        return REGION_NAMES[_region(place)].lower().replace(" ", "-")
    return row.record_id


def _region(place: Place) -> int:
    return region_of(place.latitude, place.longitude, place.country_code)


def _position(place: Place) -> tuple[float, float]:
    assert place.latitude is not None
    assert place.longitude is not None
    return place.latitude, place.longitude
