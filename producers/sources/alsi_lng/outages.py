"""Unavailabilities of terminals from GIE ALSI, `/api/unavailability`: planned and unplanned.

The sister platform offers it; ours may not, so its absence must not end a run. Range parameters are
`start` and `end`. Units and time zone are not documented. Source: a stored answer of AGSI.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from producers.formats.reading import json_text
from producers.http import HttpSource, JsonObject
from producers.sources.alsi_lng.days import page_rows, refuse_error_body

_TEXTS = (
    "published",
    "start",
    "end",
    "volume",
    "injection",
    "withdrawal",
    "description",
    "end_flag",
    "type",
)
_NAMED = {
    "country_name": ("country", "name"),
    "country_code": ("country", "code"),
    "company_name": ("company", "name"),
    "company_eic": ("company", "eic"),
    "facility_name": ("facility", "name"),
    "facility_eic": ("facility", "eic"),
}


def read_outages(
    http: HttpSource, url: str, first: date, last: date, page_size: int
) -> dict[str, list[Mapping[str, Any]]]:
    """Rows of the raw contract's `Outage` by facility EIC and operator EIC, each row once.

    Raises:
        SourceError: the service does not offer them, or not now.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    page, pages = 1, 1
    while page <= pages:
        answer = http.get_json(
            url,
            {
                "start": first.isoformat(),
                "end": last.isoformat(),
                "page": page,
                "size": page_size,
            },
        )
        refuse_error_body(answer, http)
        for row in page_rows(answer):
            outage = _outage(row)
            of_terminal = found.setdefault(f"{outage['facility_eic']}/{outage['company_eic']}", [])
            if outage not in of_terminal:
                of_terminal.append(outage)
        last_page = answer.get("last_page")
        pages = last_page if isinstance(last_page, int) else 1
        page += 1
    return found


def _outage(row: JsonObject) -> dict[str, str | None]:
    outage = {field: json_text(row.get(field)) for field in _TEXTS}
    for field, (key, part) in _NAMED.items():
        value = row.get(key)
        outage[field] = json_text(value.get(part)) if isinstance(value, dict) else None
    return outage
