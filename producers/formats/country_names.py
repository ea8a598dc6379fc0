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
    "CD": "congo democratic republic; congo dr; congo drc; congo kinshasa; "
    "democratic republic congo; dr congo; drc; zaire",
    "CG": "congo; congo brazzaville; congo republic; republic congo",
    "CI": "cote divoire; cote d ivoire; ivory coast",
    "CN": "china mainland; china pr; mainland china; pr china; peoples republic china",
    "CV": "cape verde",
    "CZ": "czech republic",
    "EG": "egypt arab republic",
    "ES": "canary islands",
    "FK": "falkland islands; falkland islands malvinas",
    "FM": "micronesia; micronesia federated sts; federated states micronesia",
    "FO": "faeroe islands",
    "GB": "britain; england; great britain; northern ireland; scotland; uk; wales; "
    "uk great britain northern ireland",
    "GF": "french guyana",
    "GM": "gambia",
    "HK": "hong kong sar; hong kong sar china; china hong kong; china hong kong sar",
    "IE": "eire; republic ireland",
    "IR": "iran; iran islamic republic",
    "KG": "kyrgyz republic",
    "KN": "saint kitts nevis",
    "KP": "dprk; dpr korea; korea dpr; korea democratic peoples republic; korea north; north korea",
    "KR": "korea; korea republic; korea south; republic korea; south korea",
    "LA": "lao pdr; laos",
    "LY": "libyan arab jamahiriya",
    "MD": "moldova",
    "MF": "saint martin",
    "MK": "macedonia; former yugoslav republic macedonia; fyr macedonia; fyrom; macedonia fyr; "
    "n macedonia; republic macedonia",
    "MM": "burma; burma myanmar",
    "MO": "macau; macau sar; macao sar; macao sar china; china macao; china macao sar",
    "NL": "holland",
    "PS": "gaza; occupied palestinian territories; occupied palestinian territory; palestine; "
    "palestinian territories; palestinian territory; west bank; west bank gaza",
    "RU": "russia",
    "SH": "saint helena",
    "SJ": "svalbard",
    "SK": "slovak republic",
    "SY": "syria",
    "SZ": "swaziland",
    "ST": "sao tome",
    "SX": "sint maarten",
    "TL": "east timor",
    "TR": "turkey; turkiye; republic turkey",
    "TW": "chinese taipei; taiwan; taiwan province china; china taiwan; china taiwan province",
    "TZ": "tanzania; united republic tanzania",
    "AE": "emirates; uae; united arab emirates uae",
    "US": "america; united states america; us; usa",
    "VA": "holy see; vatican; vatican city",
    "VC": "saint vincent grenadines",
    "VE": "venezuela; venezuela rb",
    "VG": "british virgin islands",
    "VI": "us virgin islands; usvi; virgin islands",
    "VN": "vietnam",
    # No part of ISO 3166-1. KOS is the code of the WRI database, XKX that of the World Bank.
    "XK": "kosovo; republic kosovo; kosovo under unscr 1244; kos; xk; xkx",
    "YE": "yemen republic",
}
"""Names in use beside those of ISO 3166-1, in plain form."""

_MAP_CODES: Final = {"UK": "GB", "EL": "GR", "KS": "XK", "KO": "XK", "PA": "PS", "NI": "GB"}
"""Codes of ENTSO-E's map that mean something else in ISO 3166-1, or nothing."""

_AMBIGUOUS: Final = frozenset({"china", "congo", "guinea", "korea", "samoa", "sudan"})
"""What comes behind these may make another country of them."""

_NO_WORD = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"['´`’‘]")
_LETTERS_APART = re.compile(r"\b(?:[a-z] )+[a-z]\b")
_BETWEEN = re.compile(r"[,/&–—-]|\band\b")
_SMALL_WORDS = frozenset({"and", "of", "the"})
_WHOLE_WORDS: Final = {
    "dem": "democratic",
    "eq": "equatorial",
    "fed": "federated",
    "herz": "herzegovina",
    "rep": "republic",
    "st": "saint",
}


@lru_cache(maxsize=4096)
def country_code(name: str | None) -> str | None:
    """ISO 3166-1 alpha-2 (XK for Kosovo) of an English name or a code; None when there is none.

    Of several countries (`Egypt, Jordan;`) the first counts.
    """
    text = (name or "").split(";")[0]
    table = _table()
    found = table.get(_plain(text))
    if found is not None:
        return found
    several = [table.get(_plain(part)) for part in _BETWEEN.split(text)]
    if all(several):
        return several[0]
    for mark in "(,":
        first = _plain(text.split(mark)[0])
        if first in table and first not in _AMBIGUOUS:
            return table[first]
    return None


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
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", name))
    plain = _NO_WORD.sub(" ", plain.encode("ascii", "ignore").decode().lower()).strip()
    # `U. K.` is one word.
    words = _LETTERS_APART.sub(lambda match: match[0].replace(" ", ""), plain).split()
    # AND is the code of Andorra, ST that of Sao Tome and Principe.
    if len(words) == 1:
        return words[0]
    return " ".join(_WHOLE_WORDS.get(word, word) for word in words if word not in _SMALL_WORDS)
