"""The listing of GIE ALSI: operators and their facilities, from either form of `/api/about`.

`/api/about?show=listing` is a list of operators with nested facilities; `/api/about` nests the same
operators by kind, region and country. A country is a text, sometimes with a mark (`GB*`: a second
data set of the same country), or an object. Source: stored answers of AGSI and ALSI.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from producers.formats.reading import json_text

_FACILITY_FIELDS = (
    "name",
    "short_name",
    "type",
    "eic",
    "country",
    "company",
    "url",
    "operational_start_date",
    "operational_end_date",
)
_OPERATOR_FIELDS = ("name", "short_name", "eic")


@dataclass(frozen=True, slots=True)
class ListedTerminal:
    """A facility under one operator. A facility that changed hands is listed under both.

    Attributes:
        facility: Fields of the raw contract's `Facility`.
        extra: What else the facility has, as JSON text.
        country_code: ISO 3166-1 alpha-2, the mark removed.
    """

    facility: Mapping[str, str | None]
    extra: Mapping[str, str]
    country_code: str
    facility_eic: str
    company_eic: str

    @property
    def name(self) -> str:
        """Name in the listing; the EIC where it has none."""
        return self.facility["name"] or self.facility["short_name"] or self.facility_eic


def read_listing(document: object) -> tuple[ListedTerminal, ...]:
    """Facilities that can be asked for, each once, by country, facility and operator.

    Skips what has no country or no EIC. An empty result means a document of another shape.
    """
    found: dict[tuple[str, str], ListedTerminal] = {}
    for operator in _operators(document):
        facilities = operator.get("facilities")
        for facility in facilities if isinstance(facilities, list) else ():
            if isinstance(facility, dict):
                terminal = _terminal(facility, operator)
                if terminal is not None:
                    # GB and GB* list the same facilities.
                    found.setdefault((terminal.facility_eic, terminal.company_eic), terminal)
    return tuple(
        sorted(
            found.values(), key=lambda one: (one.country_code, one.facility_eic, one.company_eic)
        )
    )


def _operators(document: object) -> Iterator[Mapping[str, object]]:
    """Objects with `facilities`, at any depth."""
    if isinstance(document, dict):
        if "facilities" in document:
            yield document
        else:
            for value in document.values():
                yield from _operators(value)
    elif isinstance(document, list):
        for value in document:
            yield from _operators(value)


def _terminal(
    facility: Mapping[str, object], operator: Mapping[str, object]
) -> ListedTerminal | None:
    country = _country_code(facility.get("country")) or _country_code(operator.get("country"))
    facility_eic = _eic(facility.get("eic"))
    company_eic = _eic(facility.get("company")) or _eic(operator.get("eic"))
    if country is None or facility_eic is None or company_eic is None:
        return None
    texts = {field: json_text(facility.get(field)) for field in _FACILITY_FIELDS}
    texts |= {f"operator_{field}": json_text(operator.get(field)) for field in _OPERATOR_FIELDS}
    extra = {
        key: json_text(value) or "null"
        for key, value in facility.items()
        if key not in _FACILITY_FIELDS
    }
    return ListedTerminal(texts, extra, country, facility_eic, company_eic)


def _country_code(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("code")
    match = re.match(r"\s*([A-Za-z]{2})(?![A-Za-z])", value) if isinstance(value, str) else None
    return match[1].upper() if match else None


def _eic(value: object) -> str | None:
    """An EIC: 16 characters. The last one is not checked: a code in use has a wrong one."""
    if isinstance(value, dict):
        value = value.get("eic")
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Z-]{16}", value.strip()):
        return None
    return value.strip()
