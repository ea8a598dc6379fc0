"""Solar and wind projects: rows of tracker files that are planned or under construction.

The NLR services list no projects. Trackers do, in files whose columns differ from release to
release: this module knows their names. A row is a phase; the phases of one location and technology
are one project. Source: methodology pages of the Global Energy Monitor solar and wind trackers.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from producers.formats.asset_status import tracker_status
from producers.formats.country_names import country_code
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_position import place
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import ProjectPhase, RenewableProject
from streams.core.records import Mapped
from streams.core.vocabulary import AssetStatus

PROJECT_STATUSES: Final = frozenset[AssetStatus]({"announced", "pre-construction", "construction"})

# Names of one column in the trackers' files and maps, in plain form.
_PHASE = ("gem_unit_id", "gem_phase_id", "gem_unit_phase_id", "id")
_LOCATION = ("gem_location_id",)
_NAME = ("plant_name", "project_name", "plant_project_name", "name")
_OTHER_NAMES = (
    "plant_name_local",
    "plant_name_other",
    "project_name_in_local_language_script",
    "other_name_s",
)
_PHASE_NAME = ("unit_name", "phase_name", "unit_phase_name")
_COUNTRY = ("country", "country_area", "areas")
_TRACKER = ("tracker", "tracker_acro", "tracker_custom")
_FUEL = ("fuel", "type")
_DETAIL = ("technology", "technology_type", "installation_type")
_CAPACITY = ("capacity_mw", "capacity")
_STATUS = ("status",)
_START = ("start_year",)
_RETIRED = ("retired_year",)
_OWNER = ("owner", "owner_s")
_ACCURACY = ("location_accuracy",)
_URL = ("url", "wiki_url", "gem_wiki_page_url")

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
_ACCURACIES = frozenset({"exact", "approximate"})


def technology(row: Columns) -> str | None:
    """`solar` or `wind`; None for anything else a file lists."""
    acronym = (row.text(*_TRACKER) or "").partition("-")[0]
    fuel = row.text(*_FUEL)
    if acronym in _TRACKER_TECHNOLOGY:
        return _TRACKER_TECHNOLOGY[acronym]
    if acronym or fuel is not None:
        return None if acronym else _FUEL_TECHNOLOGY.get((fuel or "").lower())
    return _DETAIL_TECHNOLOGY.get((row.text(*_DETAIL) or "").lower())


def is_project(columns: Mapping[str, str]) -> bool:
    """Whether a row is a solar or wind phase that does not run yet and is not given up.

    A status outside the vocabulary counts: such a row must not vanish, it is rejected later.
    """
    row = Columns(columns)
    if technology(row) is None:
        return False
    status = tracker_status(row.text(*_STATUS))
    return status is None or status in PROJECT_STATUSES


def phase_id(columns: Mapping[str, str]) -> str:
    """The tracker's id of the phase; a hash of the row where there is none."""
    found = Columns(columns).text(*_PHASE)
    if found is not None:
        return found
    digest = hashlib.sha256(repr(sorted(columns.items())).encode()).hexdigest()
    return f"row-{digest[:16]}"


def project(record_id: str, columns: Mapping[str, str]) -> Mapped | Rejected:
    """The project a phase belongs to, with this one phase.

    Units: MW, degrees. Null means not reported. Entity: location and technology; the page of the
    project where a file has no locations, the phase itself where it has neither.

    Raises:
        UnreadableNumberError: a figure is no number.
    """
    row = Columns(columns)
    kind = technology(row)
    status_text = row.text(*_STATUS)
    status = tracker_status(status_text)
    if kind is None:
        return reject_rules.UNKNOWN_FUEL.reject(
            row.text(*_FUEL), field="fuel", limit="solar or wind"
        )
    if status not in PROJECT_STATUSES:
        return reject_rules.UNKNOWN_STATUS.reject(
            status_text, limit=", ".join(sorted(PROJECT_STATUSES))
        )
    if row.text(*_PHASE) is None:
        return reject_rules.MISSING_ID.reject(field="phase id")
    name = row.text(*_NAME)
    if name is None:
        return reject_rules.MISSING_NAME.reject()
    latitude = row.number("latitude", "geometry_latitude")
    longitude = row.number("longitude", "geometry_longitude")
    where = place(latitude, longitude, country_code(row.text(*_COUNTRY)))
    if isinstance(where, Rejected):
        return where
    capacity = row.number(*_CAPACITY)
    if capacity is not None and capacity <= 0:
        return reject_rules.CAPACITY_NOT_POSITIVE.reject(capacity, field="capacity", limit="> 0 MW")
    start_year = row.year(*_START)
    detail = row.text(*_DETAIL)
    phase = ProjectPhase(
        unit_id=record_id,
        name=row.text(*_PHASE_NAME),
        capacity_mw=capacity,
        technology=detail,
        status=status,
        start_year=start_year,
        retired_year=row.year(*_RETIRED),
    )
    accuracy = (row.text(*_ACCURACY) or "").lower()
    payload = RenewableProject(
        name=name,
        aliases=row.aliases(name, *_OTHER_NAMES),
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        position_accuracy=accuracy if accuracy in _ACCURACIES else None,
        status=status,
        technology=kind,
        technology_detail=detail,
        capacity_mw=capacity,
        start_year=start_year,
        owner=row.parties(*_OWNER),
        report_url=row.text(*_URL),
        units=(phase,),
    )
    return Mapped(f"{_site(row) or record_id}/{kind}", payload)


def _site(row: Columns) -> str | None:
    url = row.text(*_URL)
    page = url.rstrip("/").rpartition("/")[2] if url else None
    return row.text(*_LOCATION) or page or None
