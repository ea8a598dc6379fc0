"""What the figure of the map draws."""

from array import array
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from streams.serve.page.map_figure import map_figure
from streams.serve.page.palette import GROUNDS, THEMES, Theme
from tests.serve.page.test_map_selection import LARGE, LINE, NOWHERE, PLANNED, PLANT


def _numbers(values: dict[str, str]) -> list[float]:
    assert values["dtype"] == "f4"
    return list(array("f", b64decode(values["bdata"])))


def _traces(*assets: Any, theme: Theme = "light") -> list[dict[str, Any]]:
    traces: list[dict[str, Any]] = map_figure(assets, theme, "/world")["data"]
    return traces


def test_every_asset_with_a_position_is_drawn_once() -> None:
    traces = _traces(PLANT, LARGE, NOWHERE, LINE)
    assert {one["name"]: len(_numbers(one["lat"])) for one in traces} == {
        "Lines 300-499, operating": 3,
        "Wind, operating": 1,
        "Gas, operating": 1,
    }


def test_lines_are_apart_from_each_other() -> None:
    (lines,) = _traces(LINE, replace(LINE, record_id="l2"))
    latitudes = _numbers(lines["lat"])
    assert latitudes[:2] == latitudes[3:5] == [41.0, 48.0]
    assert latitudes[2] != latitudes[2]
    assert lines["mode"] == "lines"


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_planned_is_a_ring(theme: Theme) -> None:
    outer, inner = _traces(PLANNED, theme=theme)
    assert outer["marker"]["size"] > inner["marker"]["size"]
    assert inner["marker"]["color"] == GROUNDS[theme].land


def test_nothing_is_a_map_without_points() -> None:
    figure = map_figure((), "light", "/world")
    assert figure["data"] == []
    assert figure["layout"]["map"]["style"]["sources"]["world"]["data"] == "/world"
