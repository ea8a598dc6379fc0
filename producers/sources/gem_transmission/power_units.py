"""Units of power plants as Global Energy Monitor lists them, in files and in its API.

Keys and definitions: methodology pages of the Global Integrated Power Tracker. Capacities are
nameplate electric MW of one unit.
"""

import re
from collections.abc import Mapping

from producers.formats import power_columns as columns
from producers.formats.asset_status import reported, tracker_status
from producers.formats.fuel_words import fuels_of
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_position import place_of
from producers.formats.trackers import is_other_tracker, tracker_code
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import IssuedId, PlantUnit, PowerPlant
from streams.core.records import Mapped
from streams.core.vocabulary import STATUSES

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

_FUEL_LIMIT = "a fuel of the trackers, such as `fossil gas: natural gas`"

_STARTED = frozenset({"operating", "mothballed", "retired"})
_ISSUERS = {
    "eic": ("eic", "eic_code"),
    "eia": ("eia", "eia_plant_code", "eia_id"),
    "wri": ("wri", "wri_id", "gppd_idnr"),
}
_BETWEEN_IDS = re.compile(r"[,;|]")
_OTHER_IDS = ("other_ids_location", "other_ids", "other_ids_unit_phase", "other_ids_unit")


def is_power(tracker: str | None) -> bool:
    """False for rows of trackers that have nothing to do with power."""
    return not is_other_tracker(tracker)


def plant_entity(row: Columns, dataset: str | None) -> str | None:
    """Site and tracker of a row, since one site can be in several trackers; None without a name.

    Without a site id it is the plant's page in GEM's wiki, else its name.
    """
    url = row.text(*columns.URL)
    page = url.rstrip("/").rpartition("/")[2] if url else ""
    site = row.text(*columns.LOCATION_ID) or page or row.text(*columns.NAME)
    if site is None:
        return None
    return f"{site}/{_tracker_of(row, dataset) or dataset or 'unknown'}"


def _tracker_of(row: Columns, dataset: str | None) -> str | None:
    """Code of the tracker of a row; a `type` that names none, such as flash steam, says nothing."""
    for name in columns.TRACKER:
        if (code := tracker_code(row.text(name))) is not None:
            return code
    return tracker_code(dataset)


def power_unit(
    record_id: str, texts: Mapping[str, str], dataset: str | None, place: str | None
) -> Mapped | Rejected:
    """Convert one row to a plant with this one unit.

    Entity: see `plant_entity`, with the place where the list has it for another one, too. What is
    no number, has an unknown unit or is a capacity of zero is null and flags it.
    """
    row = Columns(texts)
    if row.text(*columns.UNIT_ID) is None:
        return reject_rules.MISSING_ID.reject(field="gem_unit_id")
    name = row.text(*columns.NAME)
    entity = plant_entity(row, dataset)
    if name is None or entity is None:
        return reject_rules.MISSING_NAME.reject()
    tracker = _tracker_of(row, dataset)
    status_text = row.text(*columns.STATUS)
    status = tracker_status(status_text)
    if status is None:
        return reject_rules.UNKNOWN_STATUS.reject(status_text, limit=", ".join(STATUSES))
    capacity = columns.capacity_mw(row)
    fuel_text = columns.fuel_text(row)
    fuels = _fuels(fuel_text, tracker)
    if isinstance(fuels, Rejected):
        return fuels
    where = place_of(row)
    location = row.text(*columns.LOCATION_ID)
    technology = row.text(*columns.technology_columns(tracker))
    start_year = row.year(*columns.START_YEAR)
    retired_year = row.year(*columns.RETIRED_YEAR)
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
        owner=row.parties(*columns.OWNER),
        capacity_year=None,
        reported_by="Global Energy Monitor",
        report_url=row.text(*columns.URL),
        position_source=None,
        plant_ids_wepp=(),
        generation_reported_by=None,
        generation=(),
        aliases=row.aliases(name, *columns.ALIASES),
        technology=technology,
        position_accuracy=_accuracy(row.text(*columns.ACCURACY)),
        retired_year=retired_year,
        operator=row.parties(*columns.OPERATOR),
        other_ids=_other_ids(row, location),
        units=(
            PlantUnit(
                unit_id=record_id,
                name=row.text(*columns.UNIT_NAME),
                capacity_mw=capacity,
                fuel=fuel_text,
                technology=technology,
                status=status,
                start_year=start_year,
                retired_year=retired_year,
            ),
        ),
        capacity_rating=None if capacity is None else columns.rating(row),
    )
    return Mapped(entity if place is None else f"{entity}/{place}", plant, row.flags)


def _fuels(text: str | None, tracker: str | None) -> tuple[str, ...] | Rejected:
    """The first fuel, then the others, sorted."""
    found, unknown = fuels_of(text)
    if unknown is not None:
        return reject_rules.UNKNOWN_FUEL.reject(unknown, limit=_FUEL_LIMIT)
    if not found:
        default = _FUEL_OF_TRACKER.get(tracker or "")
        if default is None:
            return reject_rules.UNKNOWN_FUEL.reject(text, limit=_FUEL_LIMIT)
        return (default,)
    return (found[0], *sorted(found[1:]))


def _accuracy(text: str | None) -> str | None:
    accuracy = (text or "").lower()
    return accuracy if accuracy in ("exact", "approximate") else None


def _other_ids(row: Columns, location: str | None) -> tuple[IssuedId, ...]:
    """Ids in columns of their own, and `ISSUER: id` pairs in columns of other ids."""
    found: set[tuple[str, str | None]] = {("gem", location)}
    for issuer, names in _ISSUERS.items():
        for part in _BETWEEN_IDS.split(row.text(*names) or ""):
            found.add((issuer, reported(part)))
    for column in _OTHER_IDS:
        for part in _BETWEEN_IDS.split(row.text(column) or ""):
            issuer, colon, identifier = part.partition(":")
            if colon:
                found.add((issuer.strip().lower(), reported(identifier)))
    return tuple(sorted((IssuedId(issuer, id) for issuer, id in found if id), key=_by_issuer))


def _by_issuer(issued: IssuedId) -> tuple[str, str]:
    return issued.issuer, issued.id
