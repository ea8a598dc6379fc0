"""Countries as trackers name them in English, and codes that are not ISO 3166-1."""

from functools import lru_cache

import pycountry

# Names that are in use and not in ISO 3166-1, in lower case.
_OTHER_NAMES = {
    "brunei": "BN",
    "canary islands": "ES",
    "cape verde": "CV",
    "czech republic": "CZ",
    "dr congo": "CD",
    "democratic republic of the congo": "CD",
    "ivory coast": "CI",
    "kosovo": "XK",
    "palestine": "PS",
    "republic of the congo": "CG",
    "russia": "RU",
    "swaziland": "SZ",
    "the gambia": "GM",
    "turkey": "TR",
    "uk": "GB",
    "usa": "US",
}

# Codes of ENTSO-E's map that mean something else in ISO 3166-1, or nothing.
_MAP_CODES = {"UK": "GB", "EL": "GR", "KS": "XK", "KO": "XK", "PA": "PS", "NI": "GB"}


@lru_cache(maxsize=1024)
def country_code(name: str | None) -> str | None:
    """ISO 3166-1 alpha-2 (XK for Kosovo) of an English name or a code; None when there is none.

    Of several countries (`Egypt, Jordan;`) the first counts.
    """
    first = (name or "").split(";")[0].strip()
    return _lookup(first) or _lookup(first.split(",")[0].strip())


def map_country_code(code: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of a country code of ENTSO-E's grid map."""
    return None if code is None else country_code(_MAP_CODES.get(code, code))


def _lookup(name: str) -> str | None:
    if not name:
        return None
    if name.lower() in _OTHER_NAMES:
        return _OTHER_NAMES[name.lower()]
    if name == "XK":
        return name
    try:
        return str(pycountry.countries.lookup(name).alpha_2)
    except LookupError:
        return None
