"""Units of LNG terminals as GEM's Global Gas Infrastructure Tracker lists them."""

import re
from collections.abc import Iterator, Mapping

from producers.formats import power_columns
from producers.formats.asset_status import tracker_status
from producers.formats.odd_cells import grouped_number
from producers.formats.reading import UnreadableNumberError
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_files import SHEET
from producers.formats.tracker_position import place_of
from producers.formats.trackers import is_lng_tracker, is_other_tracker, tracker_code
from streams.core import flag_rules, reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import LngTerminal, TerminalUnit
from streams.core.records import Mapped
from streams.core.rule import Rule
from streams.core.vocabulary import STATUSES

UNIT_ID = ("combo_id", "comboid", "unit_id", "id")
TERMINAL_ID = ("terminal_id", "terminalid")
TRACKER = ("tracker_acro", "tracker")
NAME = ("name", "terminal_name", "terminalname")
ALIASES = (
    *(*power_columns.ALIASES, "othernames", "local_names", "localnames"),
    *("otherlanguagename", "other_language_name"),
)
UNIT_NAME = ("unit_name", "unitname")
STATUS = ("status",)
START_YEAR = (
    *("start_year", "startyear", "startyear1", "start_year_1", "start_year1"),
    *("startyearearliest", "start_year_earliest", "actual_start_year"),
)
RETIRED_YEAR = ("retired_year", "retirement_year", "stop_year", "stopyear")
OWNER = ("owner", "owners")
OPERATOR = ("operator", "operators")
ACCURACY = ("location_accuracy", "accuracy")
URL = ("url", "wiki", "wiki_url", "gem_wiki_url")
FACILITY_TYPE = ("facility_type", "facilitytype", "tracker_display", "tracker_custom", "type")
FLOATING = ("floating",)

_TERMINAL_ID_LENGTH = 5
_CAPACITY = re.compile(r"(?P<number>[\d.,]+)\s*(?P<unit>[A-Za-z/]+)")

# Energy Institute, Statistical Review of World Energy, approximate conversion factors for natural
# gas and LNG: one million tonnes of LNG are 1.36 billion cubic metres, or 48.0 billion cubic feet.
_BCM_PER_MILLION_TONNES = 1.36
_BCF_PER_MILLION_TONNES = 48.0
_MTPA_PER_UNIT = {
    **dict.fromkeys(("mtpa", "mmtpa", "mt/y", "mt/yr", "mt/year", "mtpy"), 1.0),
    **dict.fromkeys(("bcm/y", "bcm/yr", "bcm/year", "bcma"), 1 / _BCM_PER_MILLION_TONNES),
    **dict.fromkeys(("bcf/d", "bcf/day", "bcfd"), 365.25 / _BCF_PER_MILLION_TONNES),
}
_DESCRIBED = ("capacity_text", "capacity_table")
_UNIT_OF_COLUMN = (
    *((name, "mtpa") for name in ("capacityinmtpa", "capacity_in_mtpa", "capacity_mtpa")),
    *((name, "bcm/y") for name in ("capacityinbcm_y", "capacity_in_bcm_y", "capacity_bcm_y")),
)
_BARE = "capacity"
_UNIT_OF_BARE = ("capacity_unit", "capacityunits", "capacity_units")
CAPACITY = (*_DESCRIBED, _BARE, *(name for name, _ in _UNIT_OF_COLUMN))

READ = frozenset(
    (
        *(*UNIT_ID, *TERMINAL_ID, *TRACKER, *NAME, *ALIASES, *UNIT_NAME, *STATUS, *START_YEAR),
        *(*RETIRED_YEAR, *OWNER, *OPERATOR, *ACCURACY, *URL, *FACILITY_TYPE, *FLOATING),
        SHEET,
        *(*CAPACITY, *_UNIT_OF_BARE),
    )
)
"""Columns that anything is read from, beside those of a place."""

_NO_BLANKS = re.compile(r"\s+")

_FLOATING = re.compile(r"\b(FSRU|FSRP|FLNG|FSU|floating)\b", re.IGNORECASE)
_STARTED_OR_PLANNED = frozenset(STATUSES) - {"cancelled", "shelved"}


def is_lng(tracker: str | None) -> bool:
    """False for rows of other trackers; a word that names none leaves nothing out."""
    is_of_another = is_other_tracker(tracker) or tracker_code(tracker) is not None
    return is_lng_tracker(tracker) or not is_of_another


def terminal_entity(row: Columns, _dataset: str | None = None) -> str | None:
    """Id of the terminal of a row, the first five characters of the unit's; None without one."""
    unit_id = row.text(*UNIT_ID)
    if unit_id is None:
        return None
    return row.text(*TERMINAL_ID) or unit_id[:_TERMINAL_ID_LENGTH]


def lng_unit(record_id: str, columns: Mapping[str, str], place: str | None) -> Mapped | Rejected:
    """Convert one row to a terminal with this one unit; capacity in million tonnes a year.

    Entity: the terminal's id, with the place where the list has the id for another one, too. What
    is no number or has an unknown unit is null and flags it.
    """
    row = Columns(columns)
    terminal_id = terminal_entity(row)
    if terminal_id is None:
        return reject_rules.MISSING_ID.reject(field="combo_id")
    name = row.text(*NAME)
    if name is None:
        return reject_rules.MISSING_NAME.reject()
    status_text = row.text(*STATUS)
    status = tracker_status(status_text)
    if status is None:
        return reject_rules.UNKNOWN_STATUS.reject(status_text, limit=", ".join(STATUSES))
    capacity = _capacity_mtpa(row)
    where = place_of(row)
    unit_name = row.text(*UNIT_NAME)
    start_year = row.year(*START_YEAR)
    terminal = LngTerminal(
        name=name,
        aliases=row.aliases(name, *ALIASES),
        country_code=where.country_code,
        latitude=where.latitude,
        longitude=where.longitude,
        position_accuracy=(row.text(*ACCURACY) or "").lower() or None,
        status=status,
        terminal_type=_terminal_type(row),
        floating=_floating(row, name, unit_name),
        capacity_mtpa=None if status == "cancelled" else capacity,
        dtmi_gwh=None,
        dtmi_thousand_m3_lng=None,
        dtrs_gwh_per_day=None,
        start_year=start_year if status in _STARTED_OR_PLANNED else None,
        owner=row.parties(*OWNER),
        operator=row.parties(*OPERATOR),
        facility_eic=None,
        company_eic=None,
        report_url=row.text(*URL),
        units=(
            TerminalUnit(
                unit_id=record_id,
                name=unit_name,
                capacity_mtpa=capacity,
                status=status,
                start_year=start_year,
                retired_year=row.year(*RETIRED_YEAR),
            ),
        ),
    )
    entity = terminal_id if place is None else f"{terminal_id}/{place}"
    return Mapped(entity, terminal, row.flags)


def _capacity_mtpa(row: Columns) -> float | None:
    """Capacity of the unit: of the first column that says one in a unit that can be converted.

    A text has its unit with it, a bare number beside no unit is mtpa.
    """
    odd: Rule | None = None
    for text, unit in _stated_capacities(row):
        number = _number(text)
        factor = _MTPA_PER_UNIT.get(_NO_BLANKS.sub("", unit.lower()))
        if number is None or factor is None:
            odd = odd or flag_rules.CAPACITY_UNREADABLE
        elif number <= 0:
            odd = odd or flag_rules.CAPACITY_NOT_POSITIVE
        else:
            return number if factor == 1.0 else round(number * factor, 4)
    if odd:
        row.odd.note(odd)
    return None


def _stated_capacities(row: Columns) -> Iterator[tuple[str, str]]:
    """Number and unit of every column that reports a capacity."""
    described = [text for name in _DESCRIBED if (text := row.text(name))]
    for text in described:
        match = _CAPACITY.match(text)
        yield (match["number"], match["unit"]) if match else (text, "")
    bare, unit = row.text(_BARE), row.text(*_UNIT_OF_BARE)
    # Without a unit of its own it is in that of the text, whatever that is.
    if bare and (unit or not described):
        yield bare, unit or "mtpa"
    for name, of_name in _UNIT_OF_COLUMN:
        if text := row.text(name):
            yield text, of_name


def _number(text: str) -> float | None:
    try:
        return grouped_number(text, "capacity")
    except UnreadableNumberError:
        return None


def _terminal_type(row: Columns) -> str:
    text = row.text(*FACILITY_TYPE) or ""
    kinds = [kind for kind in ("import", "export") if kind in text.lower()]
    return kinds[0] if len(kinds) == 1 else "unknown"


def _floating(row: Columns, *names: str | None) -> bool | None:
    """What the tracker says, else what the names say; no word about it is no statement."""
    said = (row.text(*FLOATING) or "").lower()
    if said in ("yes", "true", "no", "false"):
        return said in ("yes", "true")
    return True if any(name and _FLOATING.search(name) for name in names) else None
