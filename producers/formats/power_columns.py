"""Which columns of the power trackers carry which field, by their published data dictionaries.

Names are in plain form (`plain_name`). Files, maps and the API of one tracker spell them in several
ways, so a field has all of its spellings, the tracker's own workbook first.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from producers.formats.capacity_units import rating_of
from producers.formats.tracker_columns import Columns, plain_name
from producers.formats.tracker_position import COUNTRY

UNIT_ID: Final = ("gem_unit_id", "gem_unit_phase_id", "gem_phase_id", "asset_id", "id")
LOCATION_ID: Final = ("gem_location_id", "location_id")
TRACKER: Final = ("tracker", "tracker_acro", "type", "asset_type")
NAME: Final = ("plant_name", "plant_project_name", "project_name", "name", "asset_name")
ALIASES: Final = (
    "plant_name_local",
    "plant_name_local_script",
    "plant_name_in_local_language_script",
    "project_name_in_local_language_script",
    "project_name_local",
    "local_name",
    "plant_name_other",
    "plant_name_s_other",
    "other_plant_names",
    "other_names",
    "other_name_s",
    "otherenglishnames",
    "other_english_names",
)
UNIT_NAME: Final = ("unit_name", "unit_phase_name", "phase_name")
STATUS: Final = ("status", "operating_sub_status", "operating_status")
CAPACITY: Final = ("capacity_mw", "unit_capacity_mw", "capacity_value", "capacity")
RATING: Final = ("capacity_rating", "capacity_unit")
FUEL: Final = ("fuel", "fuels", "fuel_s")
START_YEAR: Final = ("start_year", "unit_start_year")
RETIRED_YEAR: Final = ("retired_year", "retirement_year", "unit_retired_year")
OWNER: Final = ("owner", "owner_s", "owners")
OPERATOR: Final = ("operator", "operator_s", "operators")
ACCURACY: Final = ("location_accuracy",)
URL: Final = ("url", "wiki_url", "gem_wiki_url", "gem_wiki_page_url")

TECHNOLOGY_OF_TRACKER: Final[Mapping[str, tuple[str, ...]]] = {
    "GCPT": ("combustion_technology",),
    "GOGPT": ("turbine_engine_technology",),
    "GNPT": ("reactor_type",),
    "GWPT": ("installation_type",),
    "GSPT": ("technology_type",),
    "GHPT": ("technology_type",),
    "GGTPT": ("type",),
    "GBPT": (),
}
"""What a tracker calls the technology. The bioenergy tracker has none."""

_ANY_TECHNOLOGY = ("technology", "technology_type")

_OTHERS = (
    *COUNTRY,
    *("latitude", "lat", "longitude", "lng", "lon", "geometry_latitude", "geometry_longitude"),
    *("other_ids_location", "other_ids", "other_ids_unit_phase", "geometry_type"),
    *("eic", "eic_code", "eia", "eia_plant_code", "eia_id", "wri", "wri_id", "gppd_idnr"),
)
READ: Final = frozenset(
    (
        *(
            *UNIT_ID,
            *LOCATION_ID,
            *TRACKER,
            *NAME,
            *ALIASES,
            *UNIT_NAME,
            *STATUS,
            *CAPACITY,
            *RATING,
        ),
        *(*FUEL, *START_YEAR, *RETIRED_YEAR, *OWNER, *OPERATOR, *ACCURACY, *URL, *_OTHERS),
        *_ANY_TECHNOLOGY,
        *(name for names in TECHNOLOGY_OF_TRACKER.values() for name in names),
    )
)
"""Columns of power trackers that anything is read from."""


def technology_columns(tracker: str | None) -> tuple[str, ...]:
    """Columns that may have the technology of a unit of a tracker."""
    return (*_ANY_TECHNOLOGY, *TECHNOLOGY_OF_TRACKER.get(tracker or "", ()))


def rating(row: Columns) -> str | None:
    """What the capacity is rated for, ac or dc: of the first column that says it."""
    said = (rating_of(row.text(name)) for name in RATING)
    return next(filter(None, said), None)


def unread(columns: Iterable[str]) -> list[str]:
    """Those columns of a list that nothing is read from."""
    return sorted(name for name in columns if plain_name(name) not in READ)
