"""Planned lines and links of TYNDP 2020, the German NEP and a list kept by hand.

Lengths are kilometres here. Source: PyPSA-Eur, `data/transmission_projects`.
"""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from producers.formats.asset_status import plan_status, reported
from producers.formats.country_names import map_country_code
from producers.formats.odd_cells import OddCells, year_in
from producers.formats.tracker_position import place
from producers.sources.gem_transmission.grid_network import line_record_id, yes_or_no
from producers.sources.gem_transmission.grid_tags import grid_tags
from streams.core import flag_rules, reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import TransmissionProject
from streams.core.records import Mapped
from streams.core.vocabulary import STATUSES

ProjectList = Literal[
    "manual_new_links",
    "nep_new_lines",
    "nep_new_links",
    "tyndp2020_new_lines",
    "tyndp2020_new_links",
    "tyndp2020_upgraded_lines",
    "tyndp2020_upgraded_links",
]
PROJECT_FILES: tuple[ProjectList, ...] = get_args(ProjectList)
"""`<plan>_<new|upgraded>_<lines|links>`."""

_PLANS = {"manual": "manual", "nep": "NEP", "tyndp2020": "TYNDP 2020"}
_PLAN_IN_ID = re.compile(r"TYNDP(\d{4})_")
_COUNTRY_IN_NAME = re.compile(r"\((?P<code>[A-Z]{2})\)\s*$")


def project_record_id(dataset: str, project_id: str) -> str:
    """Record id of a project; the lists number their projects independently."""
    return f"project:{dataset}:{project_id}"


def grid_project(columns: Mapping[str, str], dataset: str) -> Mapped | Rejected:
    """Convert one project; its id is in the column without a name.

    What is no number, year or boolean is null and flags it.
    """
    project_id = columns.get("")
    if not project_id:
        return reject_rules.MISSING_ID.reject(field="project id")
    plan, _, work = dataset.partition("_")
    link, upgrade = work.endswith("links"), work.startswith("upgraded")
    said = columns.get("project_status")
    status = plan_status(said)
    if status is None:
        return reject_rules.UNKNOWN_STATUS.reject(
            said, field="project_status", limit=", ".join(STATUSES)
        )
    names = [_end_name(columns.get(end)) for end in ("bus0", "bus1")]
    odd = OddCells()
    ends = [
        place(
            odd.number(columns.get(f"y{end}"), flag_rules.POSITION_UNREADABLE),
            odd.number(columns.get(f"x{end}"), flag_rules.POSITION_UNREADABLE),
            country,
        )
        for end, (_, country) in enumerate(names)
    ]
    tags = grid_tags(columns.get("tags"))
    url = tags.get("url")
    project = TransmissionProject(
        name=tags.get("name") or _between(names[0][0], names[1][0]) or project_id,
        country_code=ends[0].country_code,
        country_codes=tuple(sorted({end.country_code for end in ends if end.country_code})),
        from_node_id=None,
        from_name=names[0][0],
        from_latitude=ends[0].latitude,
        from_longitude=ends[0].longitude,
        from_substation_id=None,
        from_unresolved=None,
        to_node_id=None,
        to_name=names[1][0],
        to_latitude=ends[1].latitude,
        to_longitude=ends[1].longitude,
        to_substation_id=None,
        to_unresolved=None,
        status=status,
        status_in_source=said or "",
        project_type=work.removesuffix("s"),
        plan=_plan(plan, project_id),
        upgrades_line_id=line_record_id(project_id, link=link) if upgrade else None,
        direct_current=link,
        voltage_kv=odd.number(columns.get("v_nom"), flag_rules.FIGURE_UNREADABLE),
        circuits=odd.number(columns.get("num_parallel"), flag_rules.FIGURE_UNREADABLE),
        length_km=odd.number(columns.get("length"), flag_rules.FIGURE_UNREADABLE),
        capacity_mw=odd.number(columns.get("p_nom"), flag_rules.CAPACITY_UNREADABLE),
        underground=yes_or_no(columns.get("underground"), odd),
        commissioning_year=_year(columns.get("build_year"), odd),
        report_url=url if url and url.startswith("http") else None,
    )
    return Mapped(project_record_id(dataset, project_id), project, odd.flags)


def _end_name(text: str | None) -> tuple[str | None, str | None]:
    """Name of an end, and the country in brackets behind it: `Exeter (UK)`."""
    if not text or not text.strip():
        return None, None
    match = _COUNTRY_IN_NAME.search(text)
    country = map_country_code(match["code"]) if match else None
    return _COUNTRY_IN_NAME.sub("", text).strip(), country


def _between(start: str | None, end: str | None) -> str | None:
    return f"{start} - {end}" if start and end else None


def _plan(plan: str, project_id: str) -> str:
    """The plan of the list; the one kept by hand names the plan in its ids."""
    match = _PLAN_IN_ID.match(project_id)
    return f"TYNDP {match[1]}" if match else _PLANS.get(plan, plan)


def _year(text: str | None, odd: OddCells) -> int | None:
    said = reported(text)
    year = None if said is None else year_in(said)
    if said is not None and year is None:
        odd.note(flag_rules.YEAR_UNREADABLE)
    return year
