"""Points the NLR services are asked about: configured ones, and solar and wind plants.

Plants within about a kilometre share a point: the finest model cells are two kilometres wide.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from producers.connector import KnownPlant

OWN_GROUP = "own"
"""Group of the configured points."""

Box = tuple[float, float, float, float]
"""South, west, north, east in degrees."""

_PLANT_GROUPS = 256
_NOT_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ResourcePoint:
    """A position in WGS84 degrees.

    Attributes:
        id: Part of the record id: never changes while the point means the same.
        group: Points that are read again together when one of them changes.
    """

    id: str
    name: str
    latitude: float
    longitude: float
    country_code: str | None
    group: str


def slug(name: str) -> str:
    """A name as an identifier: `Boulder, CO` becomes `boulder-co`."""
    return _NOT_WORD.sub("-", name.lower()).strip("-")


def plant_points(
    plants: Iterable[KnownPlant], fuel: str, boxes: Iterable[Box]
) -> tuple[ResourcePoint, ...]:
    """Points of the plants of a fuel inside the boxes, by id; the first plant by id names it."""
    inside = tuple(boxes)
    points: dict[str, ResourcePoint] = {}
    for plant in sorted(plants, key=lambda plant: plant.id):
        if plant.fuel != fuel or not _covered(plant, inside):
            continue
        # Adding zero makes 0.0 of -0.0, which would be another id.
        latitude, longitude = round(plant.latitude, 2) + 0.0, round(plant.longitude, 2) + 0.0
        point_id = f"{latitude:.2f},{longitude:.2f}"
        group = f"{crc32(point_id.encode()) % _PLANT_GROUPS:02x}"
        point = ResourcePoint(point_id, plant.name, latitude, longitude, plant.country_code, group)
        points.setdefault(point_id, point)
    return tuple(points[point_id] for point_id in sorted(points))


def grouped(points: Iterable[ResourcePoint]) -> Mapping[str, tuple[ResourcePoint, ...]]:
    """Points by group: configured ones first, then the groups of plants."""
    groups: dict[str, list[ResourcePoint]] = {}
    for point in sorted(points, key=lambda point: (point.group != OWN_GROUP, point.group)):
        groups.setdefault(point.group, []).append(point)
    return {group: tuple(members) for group, members in groups.items()}


def _covered(plant: KnownPlant, boxes: tuple[Box, ...]) -> bool:
    return any(
        south <= plant.latitude <= north and west <= plant.longitude <= east
        for south, west, north, east in boxes
    )
