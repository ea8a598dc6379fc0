"""Colours are told apart by people with colour blindness, and read on their ground."""

from itertools import combinations

import pytest

from streams.serve.page.palette import GROUNDS, GROUPS, THEMES, Theme, group_of

RGB = tuple[float, float, float]

SEEN = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
"""How linear light is seen (Machado, Oliveira and Fernandes 2009, full severity)."""

FUELS = ("solar", "wind", "hydro", "nuclear", "gas", "coal", "bio")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("seen", SEEN)
def test_fuels_differ_whoever_looks(theme: Theme, seen: str) -> None:
    colors = {name: _lab(GROUPS[name].paint.on(theme), seen) for name in FUELS}
    near = {
        (one, other): round(_distance(colors[one], colors[other]), 1)
        for one, other in combinations(FUELS, 2)
        if _distance(colors[one], colors[other]) < 15
    }
    assert near == {}


@pytest.mark.parametrize("theme", THEMES)
def test_points_are_seen_on_land(theme: Theme) -> None:
    land = _luminance(GROUNDS[theme].land)
    for name, group in GROUPS.items():
        light, dark = sorted((land, _luminance(group.paint.on(theme))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 2.2, name


def test_fuels_without_a_colour_of_their_own_are_others() -> None:
    assert group_of("power_plant", "geothermal") == "other"
    assert group_of("power_plant", None) == "other"
    assert group_of("lng_terminal", None) == "lng"


def _linear(color: str) -> RGB:
    parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return red, green, blue


def _luminance(color: str) -> float:
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _lab(color: str, seen: str) -> RGB:
    linear = _linear(color)
    red, green, blue = (
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, linear, strict=True))))
        for row in SEEN[seen]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    x, y, z = (one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _distance(one: RGB, other: RGB) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)
