"""Which columns of the power trackers carry which field, by their published data dictionaries.

Names are in plain form (`plain_name`). Files, maps and the API of one tracker spell them in several
ways, so a field has all of its spellings, the tracker's own workbook first.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from producers.formats.capacity_units import megawatts_per, rating_of
from producers.formats.tracker_columns import Columns, plain_name
from producers.formats.tracker_files import SHEET
from producers.formats.tracker_position import COUNTRY
from producers.formats.trackers import tracker_code, tracker_of_columns, tracker_of_technology
from streams.core import flag_rules

UNIT_ID: Final = ("gem_unit_id", "gem_unit_phase_id", "gem_phase_id", "asset_id", "id")
LOCATION_ID: Final = ("gem_location_id", "location_id")
TRACKER: Final = ("tracker", "tracker_acro", "tracker_custom", "type", "asset_type", SHEET)
NAME: Final = ("plant_name", "plant_project_name", "project_name", "name", "asset_name")
ALIASES: Final = (
    "plant_name_local",
    "plant_name_local_script",
    "plant_name_in_local_language_script",
    "project_name_in_local_language_script",
    "project_name_local",
    "project_name_local_lang_script",
    "plant_name_local_lang_script",
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
FUEL: Final = ("fuel", "fuels", "fuel_s", "fuel_type")
FUEL_PARTS: Final = ("fuel_1", "fuel_2", "fuel_3")
START_YEAR: Final = ("start_year", "unit_start_year", "commercial_operation_date")
RETIRED_YEAR: Final = ("retired_year", "retirement_year", "unit_retired_year", "retirement_date")
OWNER: Final = ("owner", "owner_s", "owners")
OPERATOR: Final = ("operator", "operator_s", "operators")
ACCURACY: Final = ("location_accuracy", "loc_accu", "accuracy")
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

_ANY_TECHNOLOGY = ("technology", "technology_type", "tech_type")

_OTHERS = (
    *COUNTRY,
    *("latitude", "lat", "longitude", "lng", "lon", "geometry_latitude", "geometry_longitude"),
    *("other_ids_location", "other_ids", "other_ids_unit_phase", "other_ids_unit"),
    "geometry_type",
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
        *(*FUEL, *FUEL_PARTS, *START_YEAR, *RETIRED_YEAR, *OWNER, *OPERATOR, *ACCURACY, *URL),
        *(*_OTHERS, *_ANY_TECHNOLOGY),
        *(name for names in TECHNOLOGY_OF_TRACKER.values() for name in names),
    )
)
"""Columns of power trackers that anything is read from."""


_TECHNOLOGIES: Final = (
    *_ANY_TECHNOLOGY,
    *dict.fromkeys(name for names in TECHNOLOGY_OF_TRACKER.values() for name in names),
)


def technology_columns(tracker: str | None) -> tuple[str, ...]:
    """Columns that may have the technology of a unit of a tracker."""
    return (*_ANY_TECHNOLOGY, *TECHNOLOGY_OF_TRACKER.get(tracker or "", ()))


def tracker_of_rows(rows: Iterable[Mapping[str, str]]) -> str | None:
    """Tracker of a file whose rows do not say it, by its columns or its words for technologies."""
    by_technology = set()
    for texts in rows:
        row = Columns(texts)
        if any(tracker_code(row.text(name)) for name in TRACKER):
            return None
        by_columns = tracker_of_columns(map(plain_name, texts))
        if by_columns is not None:
            return by_columns
        by_technology.add(tracker_of_technology(row.text(*_TECHNOLOGIES)))
    by_technology.discard(None)
    return by_technology.pop() if len(by_technology) == 1 else None


def fuel_text(row: Columns) -> str | None:
    """Fuels of a unit as its source lists them, in one column or in several."""
    parts = filter(None, (row.text(name) for name in FUEL_PARTS))
    return row.text(*FUEL) or ", ".join(parts) or None


def capacity_mw(row: Columns) -> float | None:
    """Capacity of a unit; None when not reported, or, flagged, for what cannot be read."""
    capacity = row.capacity(*CAPACITY)
    unit = row.text("capacity_unit")
    if capacity is None or unit is None:
        return capacity
    factor = megawatts_per(unit)
    if factor is None:
        row.odd.note(flag_rules.CAPACITY_UNREADABLE)
        return None
    return capacity * factor


def rating(row: Columns) -> str | None:
    """What the capacity is rated for, ac or dc: of the first column that says it."""
    said = (rating_of(row.text(name)) for name in RATING)
    return next(filter(None, said), None)
