"""Solar and wind projects: rows of tracker files that are planned or under construction.

The NLR services list no projects. Trackers do, in files whose columns differ from release to
release (`power_columns`). A row is a phase; the phases of one location and technology
are one project. Source: methodology pages of the Global Energy Monitor solar and wind trackers.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from producers.formats import power_columns as columns_of
from producers.formats.asset_status import tracker_status
from producers.formats.fuel_words import fuel_of
from producers.formats.tracker_columns import Columns, plain_name
from producers.formats.tracker_files import SHEET
from producers.formats.tracker_position import place_of
from producers.formats.trackers import (
    is_other_tracker,
    tracker_code,
    tracker_of_columns,
    tracker_of_technology,
)
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import ProjectPhase, RenewableProject
from streams.core.records import Mapped
from streams.core.vocabulary import AssetStatus

PROJECT_STATUSES: Final = frozenset[AssetStatus]({"announced", "pre-construction", "construction"})

PHASE = columns_of.UNIT_ID
_TRACKER = ("tracker", "tracker_acro", "tracker_custom")
_FUEL = (*columns_of.FUEL, "type")
_DETAIL = ("technology", "technology_type", "installation_type", "tech_type")

OTHER = "other_technology"
"""Technology of a row that is neither solar nor wind, and why it is left out."""

_TECHNOLOGIES = ("solar", "wind")
_OF_TRACKER = {"GSPT": "solar", "GWPT": "wind"}
_ACCURACIES = frozenset({"exact", "approximate"})


def technology(row: Columns) -> str | None:
    """`solar` or `wind`; `OTHER` for anything else a file lists; None when the row does not say."""
    for text in (row.text(name) for name in _TRACKER):
        tracker = tracker_code(text)
        if tracker is not None or is_other_tracker(text):
            return _OF_TRACKER.get(tracker or "", OTHER)
    # A `type` that names no fuel is another thing, such as a variety.
    fuel = fuel_of(row.text(*_FUEL))
    if fuel is not None:
        return fuel if fuel in _TECHNOLOGIES else OTHER
    # A tracker's own file has no column for its technology, but one for the variety: a word that
    # is of no technology says nothing.
    tracker = tracker_of_technology(row.text(*_DETAIL)) or tracker_code(row.text(SHEET))
    return None if tracker is None else _OF_TRACKER.get(tracker, OTHER)


def says_technology(columns: Mapping[str, str]) -> bool:
    """Whether a row says its technology itself."""
    return technology(Columns(columns)) is not None


def technology_of_file(rows: Iterable[Mapping[str, str]]) -> str | None:
    """The technology of every row that says one; None when they differ.

    That of the tracker whose columns the file has, when no row says one.
    """
    found: set[str | None] = set()
    columns: set[str] = set()
    for row in rows:
        found.add(technology(Columns(row)))
        columns.update(row)
    found.discard(None)
    if found:
        return found.pop() if len(found) == 1 else None
    tracker = tracker_of_columns(map(plain_name, columns))
    return None if tracker is None else _OF_TRACKER.get(tracker, OTHER)


def left_out_as(columns: Mapping[str, str], of_file: str | None) -> str | None:
    """Why a row is no phase that is planned or under construction; None when it is one.

    What a row does not say of its technology or status does not leave it out: it is rejected
    later, and does not vanish.

    Args:
        columns: The row.
        of_file: See `technology_of_file`.
    """
    row = Columns(columns)
    if (technology(row) or of_file) == OTHER:
        return OTHER
    status = tracker_status(row.text(*columns_of.STATUS))
    if status is None or status in PROJECT_STATUSES:
        return None
    return "not_planned"


def phase_id(columns: Mapping[str, str]) -> str:
    """The tracker's id of the phase; a hash of the row where there is none."""
    found = Columns(columns).text(*PHASE)
    if found is not None:
        return found
    digest = hashlib.sha256(repr(sorted(columns.items())).encode()).hexdigest()
    return f"row-{digest[:16]}"


def project_entity(record_id: str, columns: Mapping[str, str], of_file: str | None) -> str:
    """Location and technology of a row; the page of the project where a file has no locations.

    The phase itself where it has neither.
    """
    row = Columns(columns)
    return f"{_site(row) or record_id}/{technology(row) or of_file}"


def project(
    record_id: str,
    columns: Mapping[str, str],
    of_file: str | None,
    place: str | None = None,
) -> Mapped | Rejected:
    """The project a phase belongs to, with this one phase.

    A row that does not say its technology has that of its file.

    Units: MW, degrees. Null means not reported. Entity: see `project_entity`, with the place where
    the files have it for another one, too. What is no number and a capacity of zero is null and
    flags it.
    """
    row = Columns(columns)
    kind = technology(row) or of_file
    status_text = row.text(*columns_of.STATUS)
    status = tracker_status(status_text)
    if kind not in _TECHNOLOGIES:
        return reject_rules.UNKNOWN_FUEL.reject(
            row.text(*_FUEL), field="fuel", limit="solar or wind"
        )
    if status not in PROJECT_STATUSES:
        return reject_rules.UNKNOWN_STATUS.reject(
            status_text, limit=", ".join(sorted(PROJECT_STATUSES))
        )
    if row.text(*PHASE) is None:
        return reject_rules.MISSING_ID.reject(field="phase id")
    name = row.text(*columns_of.NAME)
    if name is None:
        return reject_rules.MISSING_NAME.reject()
    where = place_of(row)
    capacity = columns_of.capacity_mw(row)
    start_year = row.year(*columns_of.START_YEAR)
    detail = row.text(*_DETAIL)
    phase = ProjectPhase(
        unit_id=record_id,
        name=row.text(*columns_of.UNIT_NAME),
        capacity_mw=capacity,
        technology=detail,
        status=status,
        start_year=start_year,
        retired_year=row.year(*columns_of.RETIRED_YEAR),
    )
    accuracy = (row.text(*columns_of.ACCURACY) or "").lower()
    payload = RenewableProject(
        name=name,
        aliases=row.aliases(name, *columns_of.ALIASES),
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        position_accuracy=accuracy if accuracy in _ACCURACIES else None,
        status=status,
        technology=kind,
        technology_detail=detail,
        capacity_mw=capacity,
        start_year=start_year,
        owner=row.parties(*columns_of.OWNER),
        report_url=row.text(*columns_of.URL),
        units=(phase,),
        capacity_rating=None if capacity is None else columns_of.rating(row),
    )
    entity = project_entity(record_id, columns, of_file)
    return Mapped(entity if place is None else f"{entity}/{place}", payload, row.flags)


def _site(row: Columns) -> str | None:
    url = row.text(*columns_of.URL)
    page = url.rstrip("/").rpartition("/")[2] if url else None
    return row.text(*columns_of.LOCATION_ID) or page or None
