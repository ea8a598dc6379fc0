"""Solar and wind projects: rows of tracker files that are planned or under construction.

The NLR services list no projects. Trackers do, in files whose columns differ from release to
release: this module knows their names. A row is a phase; the phases of one location and technology
are one project. Source: methodology pages of the Global Energy Monitor solar and wind trackers.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import pycountry

from producers.asset_status import AssetStatus, reported, tracker_status
from producers.reading import UnreadableNumberError, number
from producers.text_repair import repaired
from streams.core import rules
from streams.core.errors import Rejected
from streams.core.payloads import ProjectPhase, RenewableProject
from streams.core.records import Mapped

PROJECT_STATUSES: Final = frozenset[AssetStatus]({"announced", "pre-construction", "construction"})

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "phase": ("gem_unit_id", "GEM phase ID", "GEM unit/phase ID", "GEM unit ID", "id"),
    "location": ("gem_location_id", "GEM location ID"),
    "name": ("plant_name", "Project Name", "Plant / Project name", "Plant name", "name"),
    "local_name": ("plant_name_local", "Project Name in Local Language / Script"),
    "other_names": ("plant_name_other", "Other Name(s)", "official-name-other"),
    "phase_name": ("unit_name", "Phase Name", "Unit / Phase name", "Unit name", "unit-name"),
    "country": ("country", "Country/Area", "Country/area", "areas"),
    "tracker": ("tracker", "tracker-acro", "tracker-custom"),
    "fuel": ("fuel", "Type", "type"),
    "technology": ("technology", "Technology Type", "Installation Type", "Technology"),
    "capacity": ("capacity_mw", "Capacity (MW)", "capacity"),
    "status": ("status", "Status"),
    "start": ("start_year", "Start year", "start-year"),
    "retired": ("retired_year", "Retired year", "retired-year"),
    "owner": ("owner", "Owner", "Owner(s)"),
    "latitude": ("latitude", "Latitude", "geometry_latitude"),
    "longitude": ("longitude", "Longitude", "geometry_longitude"),
    "accuracy": ("location_accuracy", "Location accuracy"),
    "url": ("url", "Wiki URL", "GEM wiki page URL", "wiki_url"),
}

_TRACKER_TECHNOLOGY = {"GSPT": "solar", "GWPT": "wind"}
_FUEL_TECHNOLOGY = {
    "solar": "solar",
    "utility-scale solar": "solar",
    "wind": "wind",
}
# Trackers of one technology have no column for it, but one for its variety.
_DETAIL_TECHNOLOGY = {
    "pv": "solar",
    "assumed pv": "solar",
    "solar thermal": "solar",
    "csp": "solar",
    "onshore": "wind",
    "offshore": "wind",
    "offshore hard mount": "wind",
    "offshore floating": "wind",
    "offshore mount unknown": "wind",
}
_ACCURACY = frozenset({"exact", "approximate"})
_NAME_ENDS = re.compile(r"[;,]")

# Names of trackers that ISO 3166-1 does not have, not even as a common or official name.
_COUNTRY_CODES = {
    "kosovo": "XK",
    "dr congo": "CD",
    "republic of the congo": "CG",
    "cape verde": "CV",
    "ivory coast": "CI",
    "the gambia": "GM",
    "swaziland": "SZ",
    "turkey": "TR",
    "russia": "RU",
    "laos": "LA",
    "palestine": "PS",
    "western sahara": "EH",
}


def cell(row: Mapping[str, str], what: str) -> str | None:
    """Reported text of a column, whatever this file calls it; None when not reported."""
    for column in _COLUMNS[what]:
        text = reported(row.get(column))
        if text is not None:
            return text
    return None


def technology(row: Mapping[str, str]) -> str | None:
    """`solar` or `wind`; None for anything else a file lists."""
    acronym = (cell(row, "tracker") or "").partition("-")[0]
    if acronym in _TRACKER_TECHNOLOGY:
        return _TRACKER_TECHNOLOGY[acronym]
    fuel = cell(row, "fuel")
    if acronym or fuel is not None:
        return None if acronym else _FUEL_TECHNOLOGY.get((fuel or "").lower())
    return _DETAIL_TECHNOLOGY.get((cell(row, "technology") or "").lower())


def is_project(row: Mapping[str, str]) -> bool:
    """Whether a row is a solar or wind phase that does not run yet and is not given up.

    A status outside the vocabulary counts: such a row must not vanish, it is rejected later.
    """
    if technology(row) is None:
        return False
    status = tracker_status(cell(row, "status"))
    return status is None or status in PROJECT_STATUSES


def phase_id(row: Mapping[str, str]) -> str:
    """The tracker's id of the phase; a hash of the row where there is none."""
    found = cell(row, "phase")
    if found is not None:
        return found
    digest = hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
    return f"row-{digest[:16]}"


def project(record_id: str, row: Mapping[str, str]) -> Mapped | Rejected:
    """The project a phase belongs to, with this one phase.

    Units: MW, degrees. Null means not reported. Entity: location and technology; the page of the
    project where a file has no locations, the phase itself where it has neither.

    Raises:
        UnreadableNumberError: a figure is no number.
    """
    kind = technology(row)
    status_text = cell(row, "status")
    status = tracker_status(status_text)
    if kind is None:
        return rules.UNKNOWN_FUEL.reject(cell(row, "fuel"), field="fuel", limit="solar or wind")
    if status not in PROJECT_STATUSES:
        return rules.UNKNOWN_STATUS.reject(status_text, limit=", ".join(sorted(PROJECT_STATUSES)))
    if cell(row, "phase") is None:
        return rules.MISSING_ID.reject(field="phase id")
    name = cell(row, "name")
    if name is None:
        return rules.MISSING_NAME.reject()
    latitude, longitude = _degrees(row, "latitude"), _degrees(row, "longitude")
    for axis, degrees, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if degrees is not None and abs(degrees) > limit:
            return rules.POSITION_OUT_OF_RANGE.reject(
                degrees, field=axis, limit=f"-{limit} to {limit}"
            )
    capacity = number(cell(row, "capacity"), "capacity")
    if capacity is not None and capacity <= 0:
        return rules.CAPACITY_NOT_POSITIVE.reject(capacity, field="capacity", limit="> 0 MW")
    start_year = _year(row, "start")
    detail = cell(row, "technology")
    phase = ProjectPhase(
        unit_id=record_id,
        name=_repaired(cell(row, "phase_name")),
        capacity_mw=capacity,
        technology=detail,
        status=status,
        start_year=start_year,
        retired_year=_year(row, "retired"),
    )
    accuracy = (cell(row, "accuracy") or "").lower()
    payload = RenewableProject(
        name=repaired(name),
        aliases=_aliases(row),
        country_code=country_code(cell(row, "country")),
        latitude=latitude,
        longitude=longitude,
        position_accuracy=accuracy if accuracy in _ACCURACY else None,
        status=status,
        technology=kind,
        technology_detail=detail,
        capacity_mw=capacity,
        start_year=start_year,
        owner=_repaired(cell(row, "owner")),
        report_url=cell(row, "url"),
        units=(phase,),
    )
    return Mapped(f"{_place(row) or record_id}/{kind}", payload)


def _place(row: Mapping[str, str]) -> str | None:
    location = cell(row, "location")
    if location is not None:
        return location
    url = cell(row, "url")
    return url.rstrip("/").rpartition("/")[2] or None if url else None


def _aliases(row: Mapping[str, str]) -> tuple[str, ...]:
    listed = (cell(row, "local_name") or "", *_NAME_ENDS.split(cell(row, "other_names") or ""))
    return tuple(sorted({repaired(text.strip()) for text in listed if text.strip()}))


def _degrees(row: Mapping[str, str], axis: str) -> float | None:
    return number(cell(row, axis), axis)


def _year(row: Mapping[str, str], what: str) -> int | None:
    text = cell(row, what)
    value = number(text, what)
    if value is None:
        return None
    if not value.is_integer() or not 0 < value <= 9999:
        raise UnreadableNumberError(what, text or "")
    return int(value)


def _repaired(text: str | None) -> str | None:
    return None if text is None else repaired(text)


@lru_cache(maxsize=512)
def country_code(name: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of an English name; None when there is none or more than one country."""
    names = [part.strip() for part in (name or "").split(";") if part.strip()]
    if len(names) != 1:
        return None
    if names[0].lower() in _COUNTRY_CODES:
        return _COUNTRY_CODES[names[0].lower()]
    try:
        return str(pycountry.countries.lookup(names[0]).alpha_2)
    except LookupError:
        return None
