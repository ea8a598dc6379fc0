"""The sandbox's LNG terminals: who is listed, and made-up days of terminals and countries.

Names and codes are those in use; the days are a fixed share of the EU's day with a ripple of their
own, so that sums come near the EU without meeting it. Oddities on purpose: a facility under two
operators whose old one says "no data", two British ones that only say that, a terminal that never
reported, two that stopped, a virtual tank, and a country listed twice with a mark.
"""

import csv
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("alsi_terminals.csv")
_MARKED_COUNTRY = "GB"
_NOT_REPORTING_COUNTRY = "GB"
_VIRTUAL = "18W000000000GVMT"


@dataclass(frozen=True, slots=True)
class SandboxTerminal:
    """One facility under one operator.

    Attributes:
        operator_eic: As the operator gives it; differs from `company_eic` once.
        start, end: Operation; None is open.
        share: Of the EU.
        reports: `yes`, `no`, `no_data` (status N), or what comes after the end: `then_no_data`,
            `then_nothing`.
    """

    country: str
    operator: str
    operator_eic: str
    facility: str
    facility_eic: str
    company_eic: str
    start: date | None
    end: date | None
    share: float
    reports: str

    def status(self, gas_day: date) -> str | None:
        """`N`, empty for a day with figures, None for a day without a row."""
        if self.reports == "no" or (self.start and gas_day < self.start):
            return None
        if self.reports == "no_data":
            return "N"
        if self.end and gas_day > self.end:
            return "N" if self.reports == "then_no_data" else None
        return ""


@cache
def terminals() -> tuple[SandboxTerminal, ...]:
    """Every facility under every operator."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            SandboxTerminal(
                row["country"],
                row["operator"],
                row["operator_eic"],
                row["facility"],
                row["facility_eic"],
                row["company_eic"],
                _day(row["start"]),
                _day(row["end"]),
                float(row["share"]),
                row["reports"],
            )
            for row in csv.DictReader(file)
        )


def listing(unlisted: Collection[str] = ()) -> list[dict[str, Any]]:
    """`/api/about?show=listing`: operators with their facilities, without the unlisted EICs."""
    operators: dict[tuple[str, str], dict[str, Any]] = {}
    for one in terminals():
        if one.facility_eic in unlisted:
            continue
        marks = ("", "*") if one.country == _MARKED_COUNTRY else ("",)
        for mark in marks:
            country = one.country + mark
            operator = operators.setdefault(
                (one.operator_eic, country),
                {
                    "name": one.operator,
                    "short_name": one.operator,
                    "type": "LSO",
                    "eic": one.operator_eic,
                    "country": country,
                    "url": f"https://alsi.gie.eu/api?country={country}&company={one.operator_eic}",
                    "facilities": [],
                },
            )
            operator["facilities"].append(_facility(one, country))
    return list(operators.values())


def hierarchy() -> dict[str, Any]:
    """`/api/about`: the same by kind, region and country, which is an object here."""
    countries: dict[str, list[dict[str, Any]]] = {}
    for operator in listing():
        code = operator["country"]
        named = {"code": code, "name": code}
        facilities = [one | {"country": named} for one in operator["facilities"]]
        countries.setdefault(code, []).append(
            operator | {"country": named, "facilities": facilities}
        )
    return {"LSO": {"Europe": countries}}


def outages() -> list[dict[str, Any]]:
    """`/api/unavailability`: one row for every fifth terminal."""
    return [
        {
            "published": "2026-05-08 10:40:07",
            "country": {"name": one.country, "code": one.country},
            "company": {"name": one.operator, "eic": one.company_eic},
            "facility": {"name": one.facility, "eic": one.facility_eic},
            "start": f"2026-05-{10 + index:02d} 06:00:00",
            "end": f"2026-05-{12 + index:02d} 06:00:00",
            "volume": "-",
            "injection": "-",
            "withdrawal": f"{40 + index}.5",
            "description": "Maintenance of the vaporisers",
            "end_flag": "Confirmed" if index % 2 else "Estimate",
            "type": "Planned" if index % 3 else "Unplanned",
        }
        for index, one in enumerate(terminals()[::5])
    ]


def row_of_terminal(
    one: SandboxTerminal, gas_day: date, eu: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The row of one terminal and gas day, None where it has none."""
    status = one.status(gas_day)
    if status is None:
        return None
    figures = _no_figures() if status else _part(eu, one.share, gas_day, one.facility_eic)
    return {
        **eu,
        **figures,
        "name": one.facility,
        "code": one.facility_eic,
        "url": f"{one.facility_eic}/{one.country}/{one.company_eic}",
        "status": status or eu["status"],
    }


def row_of_country(code: str, gas_day: date, eu: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of one country and gas day: its real terminals together."""
    if code == _NOT_REPORTING_COUNTRY:
        return None
    share = sum(
        one.share
        for one in terminals()
        if one.country == code and one.facility_eic != _VIRTUAL and one.status(gas_day) == ""
    )
    if not share:
        return None
    return {**eu, **_part(eu, share, gas_day, code), "name": code, "code": code, "url": code}


def find(country: str, company: str, facility: str) -> SandboxTerminal | None:
    """The facility of a query; all three codes must fit."""
    asked = (country, company, facility)
    found = (
        one for one in terminals() if (one.country, one.company_eic, one.facility_eic) == asked
    )
    return next(found, None)


def _facility(one: SandboxTerminal, country: str) -> dict[str, Any]:
    facility: dict[str, Any] = {
        "name": one.facility,
        "type": "DSR",
        "eic": one.facility_eic,
        "country": country,
        "company": one.company_eic,
        "url": f"https://alsi.gie.eu/api?country={country}&company={one.company_eic}"
        f"&facility={one.facility_eic}",
    }
    if one.start:
        facility["operational_start_date"] = one.start.isoformat()
    if one.end:
        facility["operational_end_date"] = one.end.isoformat()
    return facility


def _part(eu: Mapping[str, Any], share: float, gas_day: date, seed: str) -> dict[str, Any]:
    phase = sum(seed.encode()) % 29
    ripple = 1 + 0.03 * math.sin(gas_day.toordinal() * 0.9 + phase)
    inventory = eu["inventory"]
    return {
        "inventory": {unit: _times(inventory[unit], share * ripple) for unit in ("lng", "gwh")},
        "sendOut": _times(eu["sendOut"], share * (2 - ripple)),
        "dtmi": {unit: _times(eu["dtmi"][unit], share) for unit in ("lng", "gwh")},
        "dtrs": _times(eu["dtrs"], share * 1.3),
        "contractedCapacity": _times(eu["contractedCapacity"], share),
        "availableCapacity": _times(eu["availableCapacity"], share),
    }


def _no_figures() -> dict[str, Any]:
    return {
        "inventory": {"lng": "-", "gwh": "-"},
        "sendOut": "-",
        "dtmi": {"lng": "-", "gwh": "-"},
        "dtrs": "-",
        "contractedCapacity": "-",
        "availableCapacity": "-",
        "coveredCapacity": "-",
    }


def _times(text: str, factor: float) -> str:
    if text == "-":
        return text
    product = f"{float(text) * factor:.3f}".rstrip("0").rstrip(".")
    return product or "0"


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
