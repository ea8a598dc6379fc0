"""Which tracker of Global Energy Monitor a row, a sheet or a file belongs to.

Integrated files and maps say it in a column, regional workbooks by their sheets, the API by the
type of asset. A tracker's own file says it nowhere, but has columns and words that no other one
has. Sources: the trackers' workbooks, GlobalEnergyMonitor/maps, the API.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

_NAMES: Final = {
    "GBPT": "gbpt; bioenergy",
    "GCPT": "gcpt; coal",
    "GOGPT": "gogpt; oil gas; gas oil; gas",
    "GGTPT": "ggtpt; ggpt; geothermal",
    "GHPT": "ghpt; hydropower; hydro; hydroelectric",
    "GNPT": "gnpt; nuclear",
    "GSPT": "gspt; solar; solar pv; solar photovoltaic",
    "GWPT": "gwpt; wind; onshore wind; offshore wind",
}
"""What files, maps, sheets and the API call a power tracker, without the words left out below."""

_OTHER_NAMES: Final = (
    "gcmt; gctt; gcct; ggit; ggit lng; ggit import; ggit export; gist; giomt; gmet; goget; "
    "goget oil; goget gas; goit; egt gas; egt term"
)
"""Trackers that share files and maps with them."""

_OTHER_THING: Final = re.compile(
    r"\b(mines?|terminals?|pipelines?|extraction|steel|cement|lng)\b", re.IGNORECASE
)

_SAYS_NOTHING: Final = re.compile(
    r"\b(and|global|tracker|power|plants?|stations?|farms?|units?|utility|scale"
    r"|africa|asia|europe|eu|americas|oceania|latam)\b"
)
"""Words beside a name; a regional extract is a part of its tracker: the plants are the same."""

_OF_COLUMN: Final[Mapping[str, str]] = {
    "combustion_technology": "GCPT",
    "turbine_engine_technology": "GOGPT",
    "reactor_type": "GNPT",
    "installation_type": "GWPT",
    "capacity_rating": "GSPT",
    "river_watercourse": "GHPT",
}
"""Columns that one tracker's own file has, and no other one."""

_OF_TECHNOLOGY: Final[Mapping[str, str]] = {
    "GCPT": "subcritical; supercritical; ultra supercritical; igcc; cfb",
    "GOGPT": "combined cycle; gas turbine; steam turbine; internal combustion; iscc; allam cycle",
    "GNPT": "reactor",
    "GGTPT": "flash steam; dry steam; binary cycle; enhanced geothermal; egs",
    "GHPT": "conventional storage; pumped storage; run of river; conventional",
    "GSPT": "pv; photovoltaic; solar; csp; cpv",
    "GWPT": "onshore; offshore; wind",
}
"""Words for a technology or its variety that one tracker uses."""

_NO_WORD = re.compile(r"[^a-z0-9]+")
_CODES: Final = {name: code for code, names in _NAMES.items() for name in names.split("; ")}
_OTHERS: Final = frozenset(_OTHER_NAMES.split("; "))
_TECHNOLOGIES: Final = tuple(
    (re.compile(rf"\b(?:{names.replace('; ', '|')})s?\b"), code)
    for code, names in _OF_TECHNOLOGY.items()
)


@lru_cache(maxsize=4096)
def tracker_code(name: str | None) -> str | None:
    """Code of a power tracker by its name in any of its spellings; None for anything else."""
    return _CODES.get(_plain(name))


@lru_cache(maxsize=4096)
def is_other_tracker(name: str | None) -> bool:
    """Whether a name is that of a tracker that has nothing to do with power plants."""
    return _plain(name) in _OTHERS or _OTHER_THING.search(name or "") is not None


@lru_cache(maxsize=4096)
def is_lng_tracker(name: str | None) -> bool:
    """Whether a name is that of the LNG layer of the gas infrastructure tracker."""
    plain = _plain(name)
    return "lng" in plain.split() or plain in ("ggit import", "ggit export", "egt term")


@lru_cache(maxsize=4096)
def tracker_of_technology(text: str | None) -> str | None:
    """Tracker whose technologies a text names; None where it names none, or those of several."""
    words = _NO_WORD.sub(" ", (text or "").lower())
    found = {code for pattern, code in _TECHNOLOGIES if pattern.search(words)}
    return found.pop() if len(found) == 1 else None


def tracker_of_columns(columns: Iterable[str]) -> str | None:
    """Tracker by the columns of its own file, in plain form; None where they do not tell."""
    found = {_OF_COLUMN[name] for name in columns if name in _OF_COLUMN}
    return found.pop() if len(found) == 1 else None


def _plain(name: str | None) -> str:
    words = _NO_WORD.sub(" ", (name or "").lower())
    return " ".join(_SAYS_NOTHING.sub(" ", words).split())
