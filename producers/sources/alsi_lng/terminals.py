"""Readable ids of LNG terminals, such as ES_BARCELONA: given once, never changed, never reused.

`alsi_terminals.csv` holds what was given, by facility EIC, so that an id survives a change of name
or of operator. A terminal that is not in the table gets an id made of country and name; the caller
keeps it, and the next edition of the table takes it over unchanged.
"""

import csv
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("terminals.csv")

# Say what a terminal is, not which one.
_GENERIC = frozenset({"LNG", "GNL", "TERMINAL", "FSRU", "FLOATING", "THE", "OF", "DE"})


@dataclass(frozen=True, slots=True)
class KnownTerminal:
    """A terminal of the table.

    Attributes:
        other_names: Names by which it is known elsewhere.
        virtual: A tank for accounting that overlaps the real terminals of its country.
    """

    terminal_id: str
    name: str
    other_names: tuple[str, ...]
    virtual: bool


@cache
def known_terminals() -> Mapping[str, KnownTerminal]:
    """The table, by facility EIC."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {
            row["facility_eic"]: KnownTerminal(
                row["terminal_id"],
                row["name"],
                tuple(name for name in row["other_names"].split("|") if name),
                row["virtual"] == "yes",
            )
            for row in csv.DictReader(file)
        }


def plain_name(text: str) -> str:
    """A name without the note the service puts behind two slashes: `X // data until 2022`."""
    return text.partition("//")[0].strip() or text


def is_virtual(facility_eic: str, name: str) -> bool:
    """Whether a facility is a virtual tank; one that is not in the table says so in its name."""
    known = known_terminals().get(facility_eic)
    return known.virtual if known else "virtual" in name.lower()


def new_terminal_id(country_code: str, name: str, facility_eic: str, taken: Collection[str]) -> str:
    """Id for a terminal that has none yet.

    Args:
        country_code: ISO 3166-1 alpha-2.
        name: Name in the listing.
        facility_eic: Makes the id unique where another terminal has the name already.
        taken: Every id given so far; those of the table never need to be in it.
    """
    plain = (
        unicodedata.normalize("NFKD", plain_name(name)).encode("ascii", "ignore").decode().upper()
    )
    words = re.findall(r"[A-Z0-9]+", plain)
    telling = [word for word in words if word not in _GENERIC] or words
    identifier = "_".join([country_code, *telling])
    in_table = {known.terminal_id for known in known_terminals().values()}
    if telling and identifier not in taken and identifier not in in_table:
        return identifier
    return "_".join([identifier, *re.findall(r"[A-Z0-9]+", facility_eic.upper())])
