"""Position and country of a row, checked against the range of WGS84."""

from dataclasses import dataclass

from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.geography import country_at


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is; None where it is not reported."""

    latitude: float | None
    longitude: float | None
    country_code: str | None


def place(
    latitude: float | None, longitude: float | None, country_code: str | None
) -> Place | Rejected:
    """A position; its country where none is stated. Half a position is none."""
    if latitude is None or longitude is None:
        return Place(None, None, country_code)
    if not -90 <= latitude <= 90:
        return reject_rules.POSITION_OUT_OF_RANGE.reject(latitude, limit="-90 to 90")
    if not -180 <= longitude <= 180:
        return reject_rules.POSITION_OUT_OF_RANGE.reject(
            longitude, field="longitude", limit="-180 to 180"
        )
    return Place(latitude, longitude, country_code or country_at(latitude, longitude))
