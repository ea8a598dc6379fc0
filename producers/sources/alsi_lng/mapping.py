"""What a raw record of GIE ALSI means: a gas day, or a terminal of the listing. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from producers.formats.odd_cells import OddCells
from producers.formats.reading import NOT_REPORTED
from producers.sources.alsi_lng.terminals import is_virtual, known_terminals, plain_name
from streams.core import flag_rules, reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import LngInventory, LngTerminal, LngUnavailability
from streams.core.records import Mapped, RawRecord

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_GAS_CLOCK = ZoneInfo("Europe/Brussels")
_GAS_DAY_START_HOUR = 6

# Not documented; the values fit a clock that stays at UTC+1 all year.
_UPDATE_CLOCK = timezone(timedelta(hours=1))

_STATUS: Mapping[str | None, Literal["confirmed", "estimated", "no_data"]] = {
    "C": "confirmed",
    "E": "estimated",
    "N": "no_data",
}

_PLANNED: Mapping[str | None, bool] = {"Planned": True, "Unplanned": False}
_END_CONFIRMED: Mapping[str | None, bool] = {"Confirmed": True, "Estimate": False}


REPORTING_OPERATOR = "reporting_operator"
"""Key of a raw item's `extra`: the operator of a facility that reports instead of this one."""


@dataclass(frozen=True, slots=True)
class GasDayBounds:
    """A gas day with its true start and end, UTC (05:00 in winter, 04:00 in summer)."""

    day: date
    start: datetime
    end: datetime


@lru_cache(maxsize=16_384)
def gas_day(text: str) -> GasDayBounds | None:
    """The gas day of a text YYYY-MM-DD; None for anything else."""
    day = iso_day(text)
    if day is None:
        return None
    try:
        return GasDayBounds(day, _gas_day_start(day), _gas_day_start(day + timedelta(days=1)))
    except OverflowError:
        return None


def iso_day(text: str) -> date | None:
    """The date of a text YYYY-MM-DD; None for anything else."""
    # fromisoformat also reads 20240101 and 2024-W01-1, which would be other keys.
    if not _ISO_DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def update_time(text: str | None) -> datetime | None:
    """UTC time of a time stamp of the service; None when it is none."""
    try:
        clock = datetime.fromisoformat(text or "")
        return (clock if clock.tzinfo else clock.replace(tzinfo=_UPDATE_CLOCK)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def entity_id(scope: str, country: str | None, company: str | None, facility: str | None) -> str:
    """Source entity: `eu`, a country code, or facility EIC and operator EIC."""
    if scope == "terminal":
        return f"{facility}/{company}"
    return country or scope


def map_gas_day(raw: RawRecord) -> Mapped | Rejected:
    """Convert one row to an LNG inventory.

    Units: GWh, 10^3 m3 LNG, GWh/d. A dash, an empty text, null and a missing key mean "not
    reported" and become None, never zero. A flat inventory or DTMI (rows of before 2024) is a
    volume. What is no number is null and flags the day. Key: (entity, gas day). Source: GIE API
    manual v009, data fields.
    """
    item = raw.item or {}
    text = item.get("gasDayStart")
    day = gas_day(text or "")
    if day is None:
        return reject_rules.UNREADABLE_GAS_DAY.reject(text, limit="YYYY-MM-DD")
    status = _STATUS.get(item.get("status"))
    if status is None:
        return reject_rules.UNKNOWN_STATUS.reject(item.get("status"), limit="C, E or N")
    return _inventory(item, day, status)


def map_terminal(raw: RawRecord) -> Mapped | Rejected:
    """Convert one facility of the listing, under one operator, to an LNG terminal.

    The facility is the entity: under a former and a present operator it is one terminal.
    The listing has no position, no tracker capacity and no status: a terminal is retired after its
    last day of operation, and under an operator when another one reports it; it is under
    construction before its first day, as of the fetch time.
    Reference capacities are those of the newest gas day that has them; what is no number is null
    and flags the terminal.
    """
    item = raw.item or {}
    facility = item.get("facility")
    if facility is None:
        return reject_rules.MISSING_ID.reject(field="facility")
    name = facility["name"] or facility["short_name"]
    if not name:
        return reject_rules.MISSING_NAME.reject(name)
    name = plain_name(name)
    odd = OddCells()
    dtmi_lng, dtmi_gwh = _measure(item["dtmi"], odd)
    dtrs = odd.number(item["dtrs"], flag_rules.FIGURE_UNREADABLE)
    known = known_terminals().get(item["facility_eic"] or "")
    names = {facility["short_name"], *(known.other_names if known else ())} - {None, name}
    started = iso_day(facility["operational_start_date"] or "")
    return Mapped(
        item["facility_eic"] or raw.record_id,
        LngTerminal(
            name=name,
            aliases=tuple(sorted(names)),
            country_code=item["country"],
            latitude=None,
            longitude=None,
            position_accuracy=None,
            status="retired"
            if REPORTING_OPERATOR in item["extra"]
            else _operation(facility, raw.fetched_at.date()),
            terminal_type="import",
            floating=True if any("FSRU" in one.upper() for one in (name, *names)) else None,
            capacity_mtpa=None,
            dtmi_gwh=dtmi_gwh,
            dtmi_thousand_m3_lng=dtmi_lng,
            dtrs_gwh_per_day=dtrs,
            start_year=started.year if started else None,
            owner=None,
            operator=facility["operator_name"] or facility["operator_short_name"],
            facility_eic=item["facility_eic"],
            company_eic=item["company_eic"],
            report_url=facility["url"],
            units=(),
            terminal_id=item["terminal_id"],
            virtual=is_virtual(item["facility_eic"] or "", name),
            unavailabilities=_unavailabilities(item["outages"]),
        ),
        odd.flags,
    )


def _unavailabilities(outages: Sequence[Mapping[str, Any]]) -> tuple[LngUnavailability, ...]:
    """Announced times by begin. What cannot be read is None: a notice rejects no terminal."""
    found = {
        LngUnavailability(
            starts_at=_gas_clock_time(outage["start"]),
            ends_at=_gas_clock_time(outage["end"]),
            published_at=update_time(outage["published"]),
            planned=_PLANNED.get(outage["type"]),
            end_confirmed=_END_CONFIRMED.get(outage["end_flag"]),
            send_out_as_reported=_reported(outage["withdrawal"]),
            volume_as_reported=_reported(outage["volume"]),
            description=_reported(outage["description"]),
        )
        for outage in outages
    }
    return tuple(sorted(found, key=lambda one: (str(one.starts_at), str(one.ends_at), repr(one))))


def _gas_clock_time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=_GAS_CLOCK).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _reported(text: str | None) -> str | None:
    return None if text in NOT_REPORTED else text


def _operation(facility: Mapping[str, Any], today: date) -> str:
    started = iso_day(facility["operational_start_date"] or "")
    ended = iso_day(facility["operational_end_date"] or "")
    if ended and ended < today:
        return "retired"
    return "construction" if started and started > today else "operating"


def _inventory(
    item: Mapping[str, Any], day: GasDayBounds, status: Literal["confirmed", "estimated", "no_data"]
) -> Mapped:
    odd = OddCells()

    def figure(field: str) -> float | None:
        return odd.number(item[field], flag_rules.FIGURE_UNREADABLE)

    inventory_lng, inventory_gwh = _measure(item["inventory"], odd)
    dtmi_lng, dtmi_gwh = _measure(item["dtmi"], odd)
    scope, country = item["scope"], item["country"]
    company, facility = item["company_eic"], item["facility_eic"]
    entity = entity_id(scope, country, company, facility)
    name = item["name"] or entity
    return Mapped(
        entity,
        LngInventory(
            scope=scope,
            entity_id=entity,
            entity_name=name,
            country_code=country,
            facility_eic=facility,
            company_eic=company,
            gas_day=day.day,
            gas_day_start=day.start,
            gas_day_end=day.end,
            status=status,
            inventory_gwh=inventory_gwh,
            inventory_thousand_m3_lng=inventory_lng,
            send_out_gwh_per_day=figure("sendOut"),
            dtmi_gwh=dtmi_gwh,
            dtmi_thousand_m3_lng=dtmi_lng,
            dtrs_gwh_per_day=figure("dtrs"),
            contracted_capacity_gwh_per_day=figure("contractedCapacity"),
            available_capacity_gwh_per_day=figure("availableCapacity"),
            covered_capacity_pct=figure("coveredCapacity"),
            fullness_pct=_fullness_pct(inventory_gwh, dtmi_gwh, inventory_lng, dtmi_lng),
            terminal_id=item["terminal_id"],
            virtual=facility is not None and is_virtual(facility, name),
        ),
        odd.flags,
    )


def _fullness_pct(
    gwh: float | None, dtmi_gwh: float | None, lng: float | None, dtmi_lng: float | None
) -> float | None:
    if gwh is not None and dtmi_gwh:
        return gwh / dtmi_gwh * 100
    if lng is not None and dtmi_lng:
        return lng / dtmi_lng * 100
    return None


def _measure(value: Any, odd: OddCells) -> tuple[float | None, float | None]:
    """Volume (10^3 m3 LNG) and energy (GWh) of a raw measure."""
    rule = flag_rules.FIGURE_UNREADABLE
    if isinstance(value, Mapping):
        return odd.number(value["lng"], rule), odd.number(value["gwh"], rule)
    return odd.number(value, rule), None


def _gas_day_start(day: date) -> datetime:
    local = datetime(day.year, day.month, day.day, _GAS_DAY_START_HOUR, tzinfo=_GAS_CLOCK)
    return local.astimezone(UTC)
