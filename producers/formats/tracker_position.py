"""Position and country of a row, as its source states them."""

from dataclasses import dataclass
from typing import Final

from producers.formats.country_names import country_code
from producers.formats.tracker_columns import Columns
from streams.core.geography import country_at

COUNTRY: Final = ("country", "country_area", "country_1", "country_area_1", "areas")
"""Plants on a border have two; the first counts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is; None where it is not reported."""

    latitude: float | None
    longitude: float | None
    country_code: str | None

    @property
    def is_on_earth(self) -> bool:
        """Whether there is a position, in the range of WGS84; out of it, it may be swapped."""
        return (
            self.latitude is not None
            and self.longitude is not None
            and abs(self.latitude) <= 90
            and abs(self.longitude) <= 180
        )


def place_of(row: Columns) -> Place:
    """Where a tracker says a row is; a coordinate that is no number is flagged and none."""
    return place(
        row.degrees("latitude", "lat", "geometry_latitude"),
        row.degrees("longitude", "lng", "lon", "geometry_longitude"),
        country_code(row.text(*COUNTRY)),
    )


def place(latitude: float | None, longitude: float | None, country: str | None) -> Place:
    """A position; its country where none is stated. Half a position is none.

    One that is not on Earth is kept as it is: validation knows whether it is swapped.
    """
    if latitude is None or longitude is None:
        return Place(None, None, country)
    return Place(latitude, longitude, country or country_at(latitude, longitude))
