"""Region of an asset: the partition in which it meets the assets it may be one with.

Regions keep neighbours together, so that reconciliation never needs to look into another partition.
Their borders run through oceans and deserts. The position decides; the country is the fallback for
records without one. A change of this table is a new version and a rebuild.
"""

from typing import Final

REGION_TABLE_VERSION: Final = 1

EUROPE: Final = 0
NORTH_AMERICA: Final = 1
EAST_ASIA: Final = 2
REST_OF_WORLD: Final = 3

REGION_NAMES: Final = ("Europe", "North America", "East Asia", "Rest of world")

# Boxes (south, west, north, east) in degrees, first hit wins.
_BOXES: Final = (
    # The Mediterranean is the border, not a line through the north of Africa: units of one plant
    # are on both sides of that.
    (REST_OF_WORLD, (34.0, -13.5, 35.95, -2.3)),
    (REST_OF_WORLD, (34.0, -2.3, 36.3, -0.6)),
    (REST_OF_WORLD, (34.0, -0.6, 37.45, 11.2)),
    (EUROPE, (34.0, -32.0, 82.0, 45.0)),
    (NORTH_AMERICA, (14.5, -180.0, 84.0, -50.0)),
    (EAST_ASIA, (17.5, 92.0, 56.0, 150.0)),
)

_COUNTRIES: Final = {
    EUROPE: "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT "
    "JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE SI SJ SK SM TR UA VA XK",
    NORTH_AMERICA: "BM BS BZ CA CU DO GL GT HT JM KY MX PM PR TC US VG VI",
    EAST_ASIA: "CN HK JP KP KR MN MO TW",
}
_REGION_OF_COUNTRY: Final = {
    country: region for region, countries in _COUNTRIES.items() for country in countries.split()
}


def region_of(latitude: float | None, longitude: float | None, country_code: str | None) -> int:
    """Region of a position in WGS84 degrees, else of a country (ISO 3166-1 alpha-2).

    Without either it is the rest of the world.
    """
    if latitude is None or longitude is None:
        return _REGION_OF_COUNTRY.get(country_code or "", REST_OF_WORLD)
    for region, (south, west, north, east) in _BOXES:
        if south <= latitude <= north and west <= longitude <= east:
            return region
    return REST_OF_WORLD
