"""What trackers and grid plans call each status of the common vocabulary.

Sources: methodology pages of Global Energy Monitor (definitions of status); ENTSO-E TYNDP 2020 and
the German network development plan as PyPSA-Eur lists them (`project_status`).
"""

import re

from streams.core.vocabulary import AssetStatus

NOT_REPORTED = frozenset(
    {"", "-", "--", "nan", "none", "null", "n/a", "not found", "not available", "unknown", "tbd"}
)
"""Texts by which trackers say "not reported", in lower case."""

_TRACKER_WORDS: dict[str, AssetStatus] = {
    "announced": "announced",
    "proposed": "announced",
    "discovered": "announced",
    "pre-construction": "pre-construction",
    "preconstruction": "pre-construction",
    "pre-permit": "pre-construction",
    "permitted": "pre-construction",
    "planned": "pre-construction",
    "in development": "construction",
    "construction": "construction",
    "under construction": "construction",
    "operating": "operating",
    "operational": "operating",
    "mothballed": "mothballed",
    # Both are out of use and not given up: idle terminals, shut-in fields.
    "idle": "mothballed",
    "shut in": "mothballed",
    "shelved": "shelved",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "retired": "retired",
    "decommissioned": "retired",
}

_PLAN_WORDS: dict[str, AssetStatus] = {
    "under_consideration": "announced",
    "planned_not_yet_permitting": "pre-construction",
    "in_permitting": "pre-construction",
    "confirmed": "pre-construction",
    "under_construction": "construction",
    "completed": "operating",
}

# "shelved - inferred 2 y": the tracker inferred it from the lack of news.
_INFERRED = re.compile(r"\s*-\s*inferred\b.*")


def reported(text: str | None) -> str | None:
    """The text without outer blanks; None where a tracker says that nothing is reported."""
    if not text:
        return None  # most cells of a wide list
    stripped = text.strip()
    return None if stripped.lower() in NOT_REPORTED else stripped


def tracker_status(text: str | None) -> AssetStatus | None:
    """Status of a tracker's row in any case; "unknown" when not reported, None for other words."""
    word = reported(text)
    if word is None:
        return "unknown"
    return _TRACKER_WORDS.get(_INFERRED.sub("", word.lower()))


def plan_status(text: str | None) -> AssetStatus | None:
    """Status of a grid plan's row; "unknown" when not reported, None for other words."""
    word = reported(text)
    return "unknown" if word is None else _PLAN_WORDS.get(word.lower())
