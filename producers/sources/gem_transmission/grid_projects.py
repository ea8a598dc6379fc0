"""Planned lines and links of TYNDP 2020, the German NEP and a list kept by hand.

Lengths are kilometres here. Source: PyPSA-Eur, `data/transmission_projects`.
"""

import re
from collections.abc import Mapping

from producers.formats.asset_status import plan_status
from producers.formats.country_names import map_country_code
from producers.formats.reading import UnreadableNumberError, number
from producers.formats.tracker_position import place
from producers.sources.gem_transmission.grid_network import line_record_id, yes_or_no
from producers.sources.gem_transmission.grid_tags import grid_tags
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.payloads import TransmissionProject
from streams.core.records import Mapped
from streams.core.vocabulary import STATUSES

PROJECT_FILES = (
    "manual_new_links",
    "nep_new_lines",
    "nep_new_links",
    "tyndp2020_new_lines",
    "tyndp2020_new_links",
    "tyndp2020_upgraded_lines",
    "tyndp2020_upgraded_links",
)
"""`<plan>_<new|upgraded>_<lines|links>`."""

_PLANS = {"manual": "manual", "nep": "NEP", "tyndp2020": "TYNDP 2020"}
_PLAN_IN_ID = re.compile(r"TYNDP(\d{4})_")
_COUNTRY_IN_NAME = re.compile(r"\((?P<code>[A-Z]{2})\)\s*$")


def project_record_id(dataset: str, project_id: str) -> str:
    """Record id of a project; the lists number their projects independently."""
    return f"project:{dataset}:{project_id}"


def grid_project(columns: Mapping[str, str], dataset: str) -> Mapped | Rejected:
    """Convert one project; its id is in the column without a name.

    Raises:
        UnreadableNumberError: a number or boolean that is none.
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
    ends = []
    for number_of_end, (_, country) in enumerate(names):
        x, y = f"x{number_of_end}", f"y{number_of_end}"
        where = place(number(columns.get(y), y), number(columns.get(x), x), country)
        if isinstance(where, Rejected):
            return where
        ends.append(where)
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
        voltage_kv=number(columns.get("v_nom"), "v_nom"),
        circuits=number(columns.get("num_parallel"), "num_parallel"),
        length_km=number(columns.get("length"), "length"),
        capacity_mw=number(columns.get("p_nom"), "p_nom"),
        underground=yes_or_no(columns.get("underground"), "underground"),
        commissioning_year=_year(columns.get("build_year")),
        report_url=url if url and url.startswith("http") else None,
    )
    return Mapped(project_record_id(dataset, project_id), project)


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


def _year(text: str | None) -> int | None:
    year = number(text, "build_year")
    if year is None:
        return None
    if not year.is_integer() or abs(year) > 9999:
        raise UnreadableNumberError("build_year", text or "")
    return int(year)
