"""Distances on Earth, taken as a sphere: within 0.6 % of the ellipsoid, enough for checks."""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0088


def distance_km(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """Great-circle distance of two positions (WGS84 degrees), km, by the haversine formula."""
    south, north = radians(latitude), radians(other_latitude)
    half = (
        sin((north - south) / 2) ** 2
        + cos(south) * cos(north) * sin(radians(other_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half)))
