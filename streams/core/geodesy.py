"""Distances on Earth, taken as a sphere: within 0.6 % of the ellipsoid, enough for checks.

Scoring calls this for every pair of candidates; the libraries for it (haversine, pyproj, geopy)
take 1.7 to 20 times as long.
"""

from math import asin, cos, pi, radians, sin, sqrt
from typing import TypeAlias

Position: TypeAlias = tuple[float, float]
"""Latitude and longitude, WGS84 degrees."""

_RADIUS_KM = 6371.0088
KM_PER_DEGREE = _RADIUS_KM * pi / 180
"""Of latitude."""


def distance_km(here: Position, there: Position) -> float:
    """Great-circle distance of two positions, by the haversine formula."""
    latitude, other_latitude = radians(here[0]), radians(there[0])
    half = (
        sin((other_latitude - latitude) / 2) ** 2
        + cos(latitude) * cos(other_latitude) * sin(radians(there[1] - here[1]) / 2) ** 2
    )
    return 2 * _RADIUS_KM * asin(sqrt(min(1.0, half)))
