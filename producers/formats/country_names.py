"""Countries as sources name them in English, and codes that are not ISO 3166-1: one table."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final

import pycountry

_OTHER_NAMES: Final = {
    "BA": "bosnia; bosnia herzegovina",
    "BN": "brunei",
    "BO": "bolivia",
    "BS": "bahamas",
    "CD": "congo democratic republic; congo dem rep; congo drc; congo kinshasa; dem rep congo; "
    "democratic republic congo; dr congo; drc; zaire",
    "CG": "congo; congo brazzaville; congo rep; congo republic; republic congo; rep congo",
    "CI": "cote divoire; ivory coast",
    "CV": "cape verde",
    "CZ": "czech republic; czech rep",
    "EG": "egypt arab rep",
    "ES": "canary islands",
    "FK": "falkland islands; falkland islands malvinas",
    "FM": "micronesia; micronesia fed sts; federated states micronesia",
    "GB": "britain; england; great britain; northern ireland; scotland; uk; wales",
    "GM": "gambia",
    "HK": "hong kong sar china; china hong kong",
    "IR": "iran; iran islamic rep",
    "KG": "kyrgyz republic",
    "KN": "st kitts nevis; saint kitts nevis",
    "KP": "dprk; korea dem peoples rep; korea north; north korea",
    "KR": "korea; korea rep; korea south; republic korea; south korea",
    "LA": "lao pdr; laos",
    "LC": "st lucia",
    "MD": "moldova",
    "MF": "saint martin; st martin",
    "MK": "macedonia; former yugoslav republic macedonia; republic macedonia; macedonia fyr",
    "MM": "burma",
    "MO": "macau; macao sar china; china macao",
    "PS": "gaza; palestine; palestinian territories; palestinian territory; west bank; "
    "west bank gaza",
    "RU": "russia",
    "SH": "saint helena; st helena",
    "SK": "slovak republic",
    "SY": "syria",
    "SZ": "swaziland",
    "ST": "sao tome",
    "SX": "sint maarten",
    "TL": "east timor",
    "TR": "turkey; turkiye; republic turkey",
    "TW": "chinese taipei; taiwan; taiwan province china; china taiwan",
    "TZ": "tanzania; united republic tanzania",
    "AE": "emirates; u a e; uae; united arab emirates uae",
    "US": "america; u s; u s a; united states america; usa",
    "VA": "vatican; vatican city",
    "VC": "st vincent grenadines; saint vincent grenadines",
    "VE": "venezuela; venezuela rb",
    "VG": "british virgin islands",
    "VI": "u s virgin islands; us virgin islands; virgin islands",
    "VN": "vietnam",
    # No part of ISO 3166-1. KOS is the code of the WRI database, XKX that of the World Bank.
    "XK": "kosovo; republic kosovo; kosovo under unscr 1244; kos; xk; xkx",
    "YE": "yemen rep",
}
"""Names in use beside those of ISO 3166-1, in plain form."""

_MAP_CODES: Final = {"UK": "GB", "EL": "GR", "KS": "XK", "KO": "XK", "PA": "PS", "NI": "GB"}
"""Codes of ENTSO-E's map that mean something else in ISO 3166-1, or nothing."""

_NO_WORD = re.compile(r"[^a-z0-9]+")
_SMALL_WORDS = frozenset({"and", "of", "the"})


@lru_cache(maxsize=4096)
def country_code(name: str | None) -> str | None:
    """ISO 3166-1 alpha-2 (XK for Kosovo) of an English name or a code; None when there is none.

    Of several countries (`Egypt, Jordan;`) the first counts.
    """
    first = (name or "").split(";")[0]
    table = _table()
    return table.get(_plain(first)) or table.get(_plain(first.split(",")[0]))


def map_country_code(code: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of a country code of ENTSO-E's grid map."""
    return None if code is None else country_code(_MAP_CODES.get(code, code))


@cache
def _table() -> dict[str, str]:
    """Code by plain name: those of ISO 3166-1, then those in use."""
    table: dict[str, str] = {}
    for country in pycountry.countries:
        for field in ("alpha_2", "alpha_3", "name", "official_name", "common_name"):
            text = getattr(country, field, None)
            if text:
                table.setdefault(_plain(text), country.alpha_2)
    for code, names in _OTHER_NAMES.items():
        table |= dict.fromkeys(names.split("; "), code)
    return table


def _plain(name: str) -> str:
    """Lower-case words without marks, apostrophes and small words: `The Gambia` is `gambia`."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = _NO_WORD.sub(" ", ascii_name.replace("'", "")).split()
    # AND is the code of Andorra.
    return " ".join(word for word in words if word not in _SMALL_WORDS or len(words) == 1)
