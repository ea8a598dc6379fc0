"""Fuel groups of the words by which sources name fuels, from one table, by whole words.

Sources: README of the WRI database; Global Energy Monitor, methodology of the oil and gas, coal and
bioenergy trackers (`group: fuel`, and the code words of older releases); code lists of the U.S.
Energy Information Administration; production types of ENTSO-E.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from producers.formats.asset_status import reported

_WORDS: Final = {
    "biomass": "biomass; bioenergy; biogas; biodiesel; biofuel; biofuels; biocoal; biomethane; "
    "bio; ethanol; bioethanol; bagasse; straw; wood; wood waste; sewage; sewage "
    "sludge; paper mill wastes; paper mill waste; agricultural waste; agricultural "
    "wastes; black liquor; vegetable oil; palm oil; biomass waste; animal waste; "
    "forest residues; solid biomass",
    "coal": "coal; coals; waste coal; lignite; brown coal; hard coal; anthracite; "
    "bituminous; subbituminous; sub bituminous; coal water slurry; bit; sub; lig; "
    "ant; wc; rc; sgc",
    "cogeneration": "cogeneration",
    "gas": "gas; fossil gas; natural gas; methane; coalbed methane; coal bed methane; coal "
    "mine methane; coal seam gas; waste heat from natural gas; wsth ng; propane; "
    "gaseous propane; associated gas; refinery gas; shale gas; liquefied natural "
    "gas; compressed natural gas; mine gas; flare gas; ng; lng; cng; cbm; cm; cmm; og; ogas; "
    "pg; rg; rgas; mgas; fgas",
    "geothermal": "geothermal; geo",
    "hydro": "hydro; hydropower; hydroelectric; hydroelectricity; water; wat; hydro pumped "
    "storage; hydro water reservoir; run of river; hydro run of river and poundage",
    "nuclear": "nuclear; uranium; nuc; ur",
    "oil": "oil; oils; fossil liquids; fossil oil; fuel oil; heavy fuel oil; light fuel "
    "oil; crude oil; crude; waste oil; waste other oil; gas oil; gasoil; shale oil; "
    "oil shale; diesel; diesel oil; gas diesel; petrol; gasoline; kerosene; jet "
    "fuel; naphtha; mazut; distillate; residual fuel oil; petroleum; liquefied "
    "petroleum gas; petroleum gas; lpg; condensate; orimulsion; bitumen; fo; hfo; "
    "lfo; mfo; do; ldo; d; dfo; rfo; co; cr; k; ker; kero; jet; jf; n; nap; wo",
    "other": "other; others; hydrogen; h2; ammonia; tires; tyres; blast furnace gas; coke "
    "oven gas; bfg; cog; ldg; converter gas; waste heat; wsth; wh; industrial by "
    "product; process gas; steelworks gas; furnace gas; industrial gas; off gas; "
    "oth; coal derived gas; peat",
    "petcoke": "petcoke; pet coke; petroleum coke; coke; pc",
    "solar": "solar; utility scale solar; solar thermal; pv; photovoltaic; csp; sun; s",
    "storage": "storage; battery; batteries",
    "waste": "waste; wastes; refuse; garbage; municipal waste; municipal solid waste; msw; "
    "industrial waste; landfill gas; lfg; lgas; landfill; waste to energy; refuse derived "
    "fuel; rdf",
    "wave_and_tidal": "wave and tidal; wave; tidal; marine; ocean",
    "wind": "wind; onshore wind; offshore wind; wnd",
}
"""Words by group, in lower case, punctuation as blanks."""

_GROUPS: Final = {
    "bioenergy": "biomass",
    "coal": "coal",
    "fossil gas": "gas",
    "fossil liquids": "oil",
    "industrial by product": "other",
    "other": "other",
}
"""What a tracker writes before the colon; it counts for more than what comes behind."""

_WITHIN_GROUP: Final = (
    ("bioenergy", "refuse", "waste"),
    ("fossil liquids", "petroleum coke", "petcoke"),
)
"""Group, first words behind the colon, and the fuel that they make of it."""

_FUEL_OF: Final = {
    tuple(phrase.split()): fuel for fuel, text in _WORDS.items() for phrase in text.split("; ")
}
_LONGEST: Final = max(map(len, _FUEL_OF))
_ABBREVIATION: Final = 3
"""Letters up to which a word says something only when nothing else is beside it."""

_BEHIND_GROUP = re.compile(r":| [-–] ")
_SHARE = re.compile(r"\[[^\]]*\]")
_IN_BRACKETS = re.compile(r"\([^)]*\)")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_BETWEEN = re.compile(r"[,;|+](?![^(\[]*[)\]])")
_ALSO_BETWEEN = re.compile(r"[/,;|+&-]|\band\b")


def fuels_of(text: str | None) -> tuple[tuple[str, ...], str | None]:
    """Fuel groups of a list of fuels in its order, and the first word that is none; each once."""
    found: list[str] = []
    for part in _parts(text or ""):
        fuels = _fuels_of_part(part)
        if not fuels:
            return (), part
        found += fuels
    return tuple(dict.fromkeys(found)), None


def fuel_of(text: str | None) -> str | None:
    """The first fuel group of a text; None when it names none, or a word that is none."""
    found, _ = fuels_of(text)
    return found[0] if found else None


def _parts(text: str) -> Iterator[str]:
    for part in _BETWEEN.split(text):
        stripped = reported(_SHARE.sub("", part))
        if stripped:
            yield stripped


@lru_cache(maxsize=4096)
def _fuels_of_part(part: str) -> tuple[str, ...]:
    """Fuel of one entry of a list; several of words without a colon, such as `NG/FO`."""
    group, *details = _BEHIND_GROUP.split(part, maxsplit=1)
    group, detail = _plain(group), "".join(details)
    if details and group in _GROUPS:
        words = _plain(detail)
        for name, beginning, fuel in _WITHIN_GROUP:
            if group == name and f"{words} ".startswith(f"{beginning} "):
                return (fuel,)
        return (_GROUPS[group],)
    whole = _FUEL_OF.get(tuple(_plain(_IN_BRACKETS.sub(" ", part)).split()))
    if whole:
        return (whole,)
    pieces = [piece for piece in _ALSO_BETWEEN.split(part.lower()) if piece.strip()]
    if len(pieces) > 1:
        found = [_FUEL_OF.get(tuple(_plain(piece).split())) for piece in pieces]
        if all(found):
            return tuple(fuel for fuel in found if fuel)
    within = _within(_plain(part).split())
    return (within,) if within else ()


def _within(words: list[str]) -> str | None:
    """Fuel of the longest phrase among words, the first of equally long ones."""
    for length in range(min(_LONGEST, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            phrase = tuple(words[start : start + length])
            if length > 1 or len(words) == 1 or len(phrase[0]) > _ABBREVIATION or phrase in _PLAIN:
                fuel = _FUEL_OF.get(phrase)
                if fuel:
                    return fuel
    return None


_PLAIN: Final = frozenset({("gas",), ("oil",), ("lng",), ("lpg",), ("hfo",), ("msw",), ("csp",)})
"""Short words that are no code of few letters."""


def _plain(text: str) -> str:
    return _NO_WORD.sub(" ", text.lower()).strip()
