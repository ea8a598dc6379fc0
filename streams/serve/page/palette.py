"""Colours of fuels, kinds and states: told apart by people with colour blindness, light and dark.

A colour never says anything alone: its word is always beside it, and states differ in shape, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Paint:
    """One colour on a light and on a dark ground."""

    light: str
    dark: str

    def on(self, theme: Theme) -> str:
        """The colour on the ground of a theme."""
        return self.light if theme == "light" else self.dark


@dataclass(frozen=True, slots=True)
class Group:
    """What is drawn in one colour.

    Attributes:
        label: In words.
        paint: Its colour.
    """

    label: str
    paint: Paint


GROUPS: Final[Mapping[str, Group]] = {
    "solar": Group("Solar", Paint("#d98e00", "#ffc247")),
    "wind": Group("Wind", Paint("#2f9fd6", "#76c7fb")),
    "hydro": Group("Hydro", Paint("#0053af", "#4b7ee7")),
    "nuclear": Group("Nuclear", Paint("#b83393", "#eb66ca")),
    "gas": Group("Gas", Paint("#d1495b", "#f98081")),
    "coal": Group("Coal", Paint("#3a3a3a", "#a5aeb7")),
    "oil": Group("Oil", Paint("#7a4a1d", "#b98350")),
    "bio": Group("Biomass and waste", Paint("#0c7949", "#2ac795")),
    "other": Group("Other fuels", Paint("#8a8f98", "#7d838d")),
    "lng": Group("LNG terminal", Paint("#5b2a86", "#b79cff")),
    "grid": Group("Substation", Paint("#5c6b7a", "#8ea0b3")),
    "resource": Group("Renewable resource", Paint("#9aa10a", "#d7dd55")),
}

_FUEL_GROUPS: Final[Mapping[str, str]] = {
    "solar": "solar",
    "wind": "wind",
    "hydro": "hydro",
    "wave_and_tidal": "hydro",
    "nuclear": "nuclear",
    "gas": "gas",
    "cogeneration": "gas",
    "coal": "coal",
    "petcoke": "coal",
    "oil": "oil",
    "biomass": "bio",
    "waste": "bio",
}
_KIND_GROUPS: Final[Mapping[str, str]] = {
    "lng_terminal": "lng",
    "substation": "grid",
    "renewable_resource": "resource",
}

LINES: Final[Mapping[str, Paint]] = {
    "": Paint("#9aa4af", "#5f6b78"),
    "0-199": Paint("#7f93a8", "#6f8499"),
    "200-299": Paint("#2a7f62", "#52c39c"),
    "300-499": Paint("#c2571a", "#ff9a5c"),
    "500": Paint("#6a1b9a", "#cf8bff"),
}
"""Colours of lines by class of voltage; empty: not reported."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Colours of everything around the figures."""

    land: str
    border: str
    sea: str
    text: str
    grid: str
    accent: str
    band: str


GROUNDS: Final[Mapping[Theme, Ground]] = {
    "light": Ground("#f4f2ec", "#c9c4b8", "#dbe7ef", "#1d2733", "#dfe4e9", "#0b5cad", "#b9cadb"),
    "dark": Ground("#232b34", "#42505f", "#141a20", "#e6edf3", "#2e3a46", "#6cb6ff", "#3b4c5e"),
}


def group_of(kind: str, fuel: str | None) -> str:
    """The group an asset is drawn in."""
    if kind in _KIND_GROUPS:
        return _KIND_GROUPS[kind]
    return _FUEL_GROUPS.get(fuel or "", "other")


def swatches() -> str:
    """Rules of the style sheet of the dots beside words in their colour."""
    points = [(name, group.paint) for name, group in GROUPS.items()]
    lines = [(f"kv-{name}", paint) for name, paint in LINES.items() if name]
    return "".join(
        f".swatch.{name} {{ background: light-dark({paint.light}, {paint.dark}); }}\n"
        for name, paint in (*points, *lines)
    )
