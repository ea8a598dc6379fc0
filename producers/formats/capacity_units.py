"""Units of electric capacities as sources write them, and what solar plants are rated for.

The solar tracker of Global Energy Monitor says it in `Capacity Rating`: `MWac`, `MWp/dc` or
`unknown`. The panels of a plant give more than its inverters let out, so the two are not compared.
"""

import re
from typing import Final

_LETTERS = re.compile(r"[a-z]+")
_UNIT = re.compile(r"([kmg])w(?:e|el|ac|dc|p|pdc|peak)?")
_WATTS = re.compile(r"[kmg]?wh?")
_MW: Final = {"k": 1e-3, "m": 1.0, "g": 1e3}
_RATINGS: Final = {"ac": "ac", "dc": "dc", "p": "dc", "peak": "dc"}


def megawatts_per(unit: str) -> float | None:
    """Electric megawatts of one of a unit such as `kW` or `MWp/dc`; None for other units."""
    match = _UNIT.fullmatch("".join(_LETTERS.findall(unit.lower())))
    return None if match is None else _MW[match[1]]


def rating_of(text: str | None) -> str | None:
    """`ac` or `dc`; None when the text says neither, or both."""
    words = (_WATTS.sub("", word, count=1) for word in _LETTERS.findall((text or "").lower()))
    found = {rating for word in words if (rating := _RATINGS.get(word)) is not None}
    return found.pop() if len(found) == 1 else None
