"""Units of power plants as Global Energy Monitor lists them, in files and in its API.

Keys and definitions: methodology pages of the Global Integrated Power Tracker. Capacities are
nameplate electric MW of one unit.
"""

import re
from collections.abc import Mapping

from producers.formats.asset_status import reported, tracker_status
from producers.formats.country_names import country_code
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_position import place
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import IssuedId, PlantUnit, PowerPlant
from streams.core.records import Mapped
from streams.core.vocabulary import STATUSES

UNIT_ID = ("gem_unit_id", "gem_unit_phase_id", "gem_phase_id", "asset_id", "id")
TRACKER = ("tracker", "tracker_acro", "type", "asset_type")

_LOCATION_ID = ("gem_location_id", "location_id")

# What files, map layers and the API call the tracker of a unit, in lower case.
_TRACKERS = {
    "gbpt": "GBPT",
    "bioenergy": "GBPT",
    "bioenergy-plant": "GBPT",
    "gcpt": "GCPT",
    "coal": "GCPT",
    "coal-plant": "GCPT",
    "gogpt": "GOGPT",
    "oil/gas": "GOGPT",
    "oil-gas-plant": "GOGPT",
    "ggtpt": "GGTPT",
    "ggpt": "GGTPT",
    "geothermal": "GGTPT",
    "ghpt": "GHPT",
    "hydropower": "GHPT",
    "gnpt": "GNPT",
    "nuclear": "GNPT",
    "gspt": "GSPT",
    "solar": "GSPT",
    "utility-scale solar": "GSPT",
    "gwpt": "GWPT",
    "wind": "GWPT",
}
# Trackers that share map files with the power trackers.
_OTHER_TRACKERS = frozenset({"gcmt", "gctt", "ggit", "ggit-lng", "goget", "goit"})
_REGIONAL_EXTRACT = re.compile(r"-(africa|asia|europe|americas|oceania)$")

# Trackers whose units have one fuel, or one by default.
_FUEL_OF_TRACKER = {
    "GBPT": "biomass",
    "GCPT": "coal",
    "GGTPT": "geothermal",
    "GHPT": "hydro",
    "GNPT": "nuclear",
    "GSPT": "solar",
    "GWPT": "wind",
}

# Fuel texts are `group: fuel` or a group alone; the first pattern that fits counts.
_FUELS = (
    (re.compile(r"bioenergy: refuse"), "waste"),
    (re.compile(r"bioenergy"), "biomass"),
    (re.compile(r"fossil liquids: petroleum coke"), "petcoke"),
    (re.compile(r"fossil liquids|oil"), "oil"),
    (re.compile(r"fossil gas|gas"), "gas"),
    (re.compile(r"coal"), "coal"),
    (re.compile(r"hydro(power)?$"), "hydro"),
    (re.compile(r"(utility-scale )?solar"), "solar"),
    (re.compile(r"wind"), "wind"),
    (re.compile(r"nuclear"), "nuclear"),
    (re.compile(r"geothermal"), "geothermal"),
    (re.compile(r"industrial by-product|other"), "other"),
)
_FUEL_LIMIT = "a fuel of the trackers, such as `fossil gas: natural gas`"

_STARTED = frozenset({"operating", "mothballed", "retired"})
_ISSUERS = {
    "eic": ("eic", "eic_code"),
    "eia": ("eia", "eia_plant_code", "eia_id"),
    "wri": ("wri", "wri_id", "gppd_idnr"),
}
_OTHER_IDS = ("other_ids_location", "other_ids", "other_ids_unit_phase")


def tracker_code(name: str | None) -> str | None:
    """Code of a power tracker; None for other trackers and unknown names.

    A regional extract (`GSPT-Africa`) is a part of its tracker: the plants are the same.
    """
    return _TRACKERS.get(_REGIONAL_EXTRACT.sub("", (name or "").strip().lower()))


def is_power(tracker: str | None) -> bool:
    """False for rows of trackers that have nothing to do with power."""
    return (tracker or "").strip().lower() not in _OTHER_TRACKERS


def power_unit(
    record_id: str, columns: Mapping[str, str], dataset: str | None
) -> Mapped | Rejected:
    """Convert one row to a plant with this one unit.

    Entity: site and tracker, since one site can be in several trackers. Without a site id it is
    the plant's page in GEM's wiki, else its name.

    Raises:
        UnreadableNumberError: a number that is none.
    """
    row = Columns(columns)
    if row.text(*UNIT_ID) is None:
        return reject_rules.MISSING_ID.reject(field="gem_unit_id")
    name = row.text("plant_name", "plant_project_name", "project_name", "name", "asset_name")
    if name is None:
        return reject_rules.MISSING_NAME.reject()
    tracker = tracker_code(row.text(*TRACKER) or dataset)
    status_text = row.text("status", "operating_sub_status", "operating_status")
    status = tracker_status(status_text)
    if status is None:
        return reject_rules.UNKNOWN_STATUS.reject(status_text, limit=", ".join(STATUSES))
    capacity = row.number("capacity_mw", "unit_capacity_mw", "capacity_value", "capacity")
    if capacity is not None and capacity <= 0:
        return reject_rules.CAPACITY_NOT_POSITIVE.reject(capacity, limit="> 0 MW, or not reported")
    unit = row.text("capacity_unit")
    if capacity is not None and unit is not None and unit.upper() != "MW":
        return reject_rules.UNKNOWN_UNIT.reject(unit, field="capacity_unit", limit="MW")
    fuel_text = row.text("fuel", "fuels", "fuel_s")
    fuels = _fuels(fuel_text, tracker)
    if isinstance(fuels, Rejected):
        return fuels
    where = place(
        row.number("latitude", "lat", "geometry_latitude"),
        row.number("longitude", "lng", "lon", "geometry_longitude"),
        country_code(row.text("country", "country_area", "areas")),
    )
    if isinstance(where, Rejected):
        return where
    url = row.text("url", "wiki_url")
    location = row.text(*_LOCATION_ID)
    technology = row.text("technology", "technology_type")
    start_year = row.year("start_year")
    retired_year = row.year("retired_year")
    plant = PowerPlant(
        name=name,
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        capacity_mw=capacity,
        primary_fuel=fuels[0],
        other_fuels=fuels[1:],
        commissioning_year=float(start_year) if start_year and status in _STARTED else None,
        status=status,
        owner=row.parties("owner", "owner_s", "owners"),
        capacity_year=None,
        reported_by="Global Energy Monitor",
        report_url=url,
        position_source=None,
        plant_ids_wepp=(),
        generation_reported_by=None,
        generation=(),
        aliases=row.aliases(
            name,
            "plant_name_local",
            "plant_name_in_local_language_script",
            "project_name_in_local_language_script",
            "plant_name_other",
            "plant_name_s_other",
            "other_names",
            "other_name_s",
        ),
        technology=technology,
        position_accuracy=_accuracy(row.text("location_accuracy")),
        retired_year=retired_year,
        operator=row.parties("operator", "operator_s", "operators"),
        other_ids=_other_ids(row, location),
        units=(
            PlantUnit(
                unit_id=record_id,
                name=row.text("unit_name", "unit_phase_name", "phase_name"),
                capacity_mw=capacity,
                fuel=fuel_text,
                technology=technology,
                status=status,
                start_year=start_year,
                retired_year=retired_year,
            ),
        ),
    )
    page = url.rstrip("/").rpartition("/")[2] if url else ""
    return Mapped(f"{location or page or name}/{tracker or dataset or 'unknown'}", plant)


def _fuels(text: str | None, tracker: str | None) -> tuple[str, ...] | Rejected:
    """The first fuel, then the others, sorted."""
    default = _FUEL_OF_TRACKER.get(tracker or "")
    found = []
    for part in (text or "").split(", "):
        if reported(part) is None:
            continue
        fuel = next((fuel for pattern, fuel in _FUELS if pattern.match(part.strip().lower())), None)
        if fuel is None:
            return reject_rules.UNKNOWN_FUEL.reject(part, limit=_FUEL_LIMIT)
        found.append(fuel)
    if not found:
        if default is None:
            return reject_rules.UNKNOWN_FUEL.reject(text, limit=_FUEL_LIMIT)
        found.append(default)
    return (found[0], *sorted(set(found[1:]) - {found[0]}))


def _accuracy(text: str | None) -> str | None:
    accuracy = (text or "").lower()
    return accuracy if accuracy in ("exact", "approximate") else None


def _other_ids(row: Columns, location: str | None) -> tuple[IssuedId, ...]:
    """Ids in columns of their own, and `ISSUER: id` pairs in columns of other ids."""
    found: set[tuple[str, str | None]] = {("gem", location)}
    for issuer, names in _ISSUERS.items():
        for part in re.split(r"[,;|]", row.text(*names) or ""):
            found.add((issuer, reported(part)))
    for column in _OTHER_IDS:
        for part in re.split(r"[,;|]", row.text(column) or ""):
            issuer, colon, identifier = part.partition(":")
            if colon:
                found.add((issuer.strip().lower(), reported(identifier)))
    return tuple(sorted((IssuedId(issuer, id) for issuer, id in found if id), key=_by_issuer))


def _by_issuer(issued: IssuedId) -> tuple[str, str]:
    return issued.issuer, issued.id
