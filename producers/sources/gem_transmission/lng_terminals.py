"""Units of LNG terminals as GEM's Global Gas Infrastructure Tracker lists them."""

import re
from collections.abc import Mapping

from producers.formats.asset_status import tracker_status
from producers.formats.country_names import country_code
from producers.formats.reading import UnreadableNumberError
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_position import place
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import LngTerminal, TerminalUnit
from streams.core.records import Mapped
from streams.core.vocabulary import STATUSES

UNIT_ID = ("combo_id", "comboid", "unit_id", "id")
TRACKER = ("tracker_acro", "tracker")

_TERMINAL_ID_LENGTH = 5
_CAPACITY = re.compile(r"(?P<number>[\d.,]+)\s*(?P<unit>[A-Za-z/]+)")

# Energy Institute, Statistical Review of World Energy, approximate conversion factors for natural
# gas and LNG: one million tonnes of LNG are 1.36 billion cubic metres, or 48.0 billion cubic feet.
_BCM_PER_MILLION_TONNES = 1.36
_BCF_PER_MILLION_TONNES = 48.0
_MTPA_PER_UNIT = {
    "mtpa": 1.0,
    "mmtpa": 1.0,
    "mt/y": 1.0,
    "bcm/y": 1 / _BCM_PER_MILLION_TONNES,
    "bcma": 1 / _BCM_PER_MILLION_TONNES,
    "bcf/d": 365.25 / _BCF_PER_MILLION_TONNES,
}

_FLOATING = re.compile(r"\b(FSRU|FSRP|FLNG|FSU|floating)\b", re.IGNORECASE)
_STARTED_OR_PLANNED = frozenset(STATUSES) - {"cancelled", "shelved"}


def is_lng(tracker: str | None) -> bool:
    """True for rows of the LNG layer, and for lists that hold nothing else."""
    return tracker is None or tracker.strip().lower() == "ggit-lng"


def lng_unit(record_id: str, columns: Mapping[str, str]) -> Mapped | Rejected:
    """Convert one row to a terminal with this one unit; capacity in million tonnes a year.

    Entity: the terminal's id, the first five characters of the unit's.

    Raises:
        UnreadableNumberError: a number that is none.
    """
    row = Columns(columns)
    unit_id = row.text(*UNIT_ID)
    if unit_id is None:
        return reject_rules.MISSING_ID.reject(field="combo_id")
    name = row.text("name", "terminal_name", "terminalname")
    if name is None:
        return reject_rules.MISSING_NAME.reject()
    status_text = row.text("status")
    status = tracker_status(status_text)
    if status is None:
        return reject_rules.UNKNOWN_STATUS.reject(status_text, limit=", ".join(STATUSES))
    capacity = _capacity_mtpa(row)
    if isinstance(capacity, Rejected):
        return capacity
    where = place(
        row.number("latitude", "lat", "geometry_latitude"),
        row.number("longitude", "lng", "lon", "geometry_longitude"),
        country_code(row.text("country", "country_area", "areas")),
    )
    if isinstance(where, Rejected):
        return where
    unit_name = row.text("unit_name", "unitname")
    start_year = row.year("start_year", "startyear1")
    terminal = LngTerminal(
        name=name,
        aliases=row.aliases(name, "other_names", "othernames", "local_name"),
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        position_accuracy=(row.text("location_accuracy", "accuracy") or "").lower() or None,
        status=status,
        terminal_type=_terminal_type(row),
        floating=_floating(row, name, unit_name),
        capacity_mtpa=None if status == "cancelled" else capacity,
        dtmi_gwh=None,
        dtmi_thousand_m3_lng=None,
        dtrs_gwh_per_day=None,
        start_year=start_year if status in _STARTED_OR_PLANNED else None,
        owner=row.parties("owner", "owners"),
        operator=row.parties("operator", "operators"),
        facility_eic=None,
        company_eic=None,
        report_url=row.text("url", "wiki"),
        units=(
            TerminalUnit(
                unit_id=record_id,
                name=unit_name,
                capacity_mtpa=capacity,
                status=status,
                start_year=start_year,
                retired_year=row.year("retired_year", "stop_year", "stopyear"),
            ),
        ),
    )
    terminal_id = row.text("terminal_id", "terminalid") or unit_id[:_TERMINAL_ID_LENGTH]
    return Mapped(terminal_id, terminal)


def _capacity_mtpa(row: Columns) -> float | Rejected | None:
    """Capacity of the unit; the text with its unit counts before a bare number, which is mtpa."""
    text = row.text("capacity_text", "capacity_table")
    if text is None:
        capacity = row.number("capacity", "capacityinmtpa")
        unit = row.text("capacity_unit", "capacityunits") or "mtpa"
    else:
        match = _CAPACITY.match(text)
        if match is None:
            raise UnreadableNumberError("capacity_text", text)
        capacity, unit = float(match["number"].replace(",", "")), match["unit"]
    if capacity is None:
        return None
    if capacity <= 0:
        return reject_rules.CAPACITY_NOT_POSITIVE.reject(
            capacity, field="capacity_mtpa", limit="> 0"
        )
    factor = _MTPA_PER_UNIT.get(unit.lower())
    if factor is None:
        return reject_rules.UNKNOWN_UNIT.reject(
            unit, field="capacity", limit=", ".join(_MTPA_PER_UNIT)
        )
    return capacity if factor == 1.0 else round(capacity * factor, 4)


def _terminal_type(row: Columns) -> str:
    text = row.text("facility_type", "facilitytype", "tracker_display", "tracker_custom") or ""
    kinds = [kind for kind in ("import", "export") if kind in text.lower()]
    return kinds[0] if len(kinds) == 1 else "unknown"


def _floating(row: Columns, *names: str | None) -> bool | None:
    """What the tracker says, else what the names say; no word about it is no statement."""
    said = (row.text("floating") or "").lower()
    if said in ("yes", "true", "no", "false"):
        return said in ("yes", "true")
    return True if any(name and _FLOATING.search(name) for name in names) else None
