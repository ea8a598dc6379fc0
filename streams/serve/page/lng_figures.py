"""Figures of gas days, as Plotly.js draws them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from statistics import fmean
from typing import Any, Final

from streams.clickhouse.series_queries import SeriesDay
from streams.serve.page.lng_view import Revised
from streams.serve.page.palette import GROUNDS, GROUPS, Theme

Figure = dict[str, Any]

ESTIMATED: Final = "Estimated"
_REFERENCE_YEAR: Final = 2024
"""A leap year that all years are drawn on."""


def fullness_figure(days: Sequence[SeriesDay], theme: Theme, year: int) -> Figure:
    """Fullness of a year on the range and the mean of the years before, percent.

    Args:
        days: Of one series, by gas day, of that year and those before.
        theme: Light or dark.
        year: Which one is the line.
    """
    ground = GROUNDS[theme]
    former: dict[date, list[float]] = defaultdict(list)
    this: list[SeriesDay] = []
    for one in days:
        if one.gas_day.year == year:
            this.append(one)
        elif one.fullness_pct is not None:
            former[one.gas_day.replace(year=_REFERENCE_YEAR)].append(one.fullness_pct)
    calendar = sorted(former)
    traces: list[dict[str, Any]] = []
    if calendar:
        lowest, highest = ([pick(former[day]) for day in calendar] for pick in (min, max))
        hidden = {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        traces = [
            _line("Lowest", calendar, lowest, ground.band) | hidden,
            _line("Range of former years", calendar, highest, ground.band)
            | {"line": {"width": 0}, "fill": "tonexty", "fillcolor": ground.band},
            _line(
                "Mean of former years",
                calendar,
                [fmean(former[day]) for day in calendar],
                ground.text,
            )
            | {"line": {"color": ground.text, "width": 1, "dash": "dot"}},
        ]
    shown = [one.gas_day.replace(year=_REFERENCE_YEAR) for one in this]
    traces.append(_line(str(year), shown, [one.fullness_pct for one in this], ground.accent))
    layout = _layout("Fullness, %", theme)
    layout["xaxis"] |= {"tickformat": "%d %b", "hoverformat": "%d %b"}
    layout["yaxis"] |= {"range": [0, 105]}
    return {"data": traces, "layout": layout}


def inventory_figure(days: Sequence[SeriesDay], theme: Theme) -> Figure:
    """LNG in the tanks below its declared maximum, GWh; estimates are marked."""
    ground = GROUNDS[theme]
    shown = [one.gas_day for one in days]
    traces = [
        _line("Declared maximum", shown, [one.dtmi_gwh for one in days], ground.text)
        | {"line": {"color": ground.text, "width": 1, "dash": "dash", "shape": "hv"}},
        _line("Inventory", shown, [one.inventory_gwh for one in days], ground.accent),
        *_estimated(days, lambda one: one.inventory_gwh, theme),
    ]
    return {"data": traces, "layout": _layout("Inventory, GWh", theme)}


def send_out_figure(days: Sequence[SeriesDay], theme: Theme) -> Figure:
    """Gas sent out, GWh/d; estimates are marked."""
    color = GROUPS["wind"].paint.on(theme)
    values = [one.send_out_gwh_per_day for one in days]
    traces = [
        {
            "type": "bar",
            "name": "Send-out",
            "x": [one.gas_day for one in days],
            "y": values,
            "marker": {"color": color},
        },
        *_estimated(days, lambda one: one.send_out_gwh_per_day, theme),
    ]
    return {"data": traces, "layout": _layout("Send-out, GWh/d", theme)}


def unloading_figure(days: Sequence[SeriesDay], theme: Theme) -> Figure:
    """Energy that came from ships, derived from inventory and send-out, with its uncertainty.

    What is within its uncertainty is no ship that anybody can tell from noise: drawn pale.
    """
    known = [one for one in days if one.ship_unloading_gwh is not None]
    clear = [one for one in known if not _is_noise(one)]
    noise = [one for one in known if _is_noise(one)]
    traces = [_unloadings("Unloading, derived", clear, theme)]
    if noise:
        traces.append(_unloadings("Within its uncertainty", noise, theme) | {"opacity": 0.35})
    return {"data": traces, "layout": _layout("Unloading, GWh", theme)}


def _is_noise(day: SeriesDay) -> bool:
    return abs(day.ship_unloading_gwh or 0) <= (day.ship_unloading_uncertainty_gwh or 0)


def _unloadings(name: str, days: Sequence[SeriesDay], theme: Theme) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": [one.gas_day for one in days],
        "y": [one.ship_unloading_gwh for one in days],
        "marker": {"color": GROUPS["lng"].paint.on(theme)},
        "error_y": {
            "type": "data",
            "array": [one.ship_unloading_uncertainty_gwh for one in days],
            "color": GROUNDS[theme].text,
            "thickness": 1,
            "width": 2,
        },
    }


def revision_figure(days: Sequence[Revised], theme: Theme) -> Figure:
    """Inventory as it was first published, and now, GWh, of the gas days that were revised."""
    ordered = sorted(days, key=lambda one: one.now.gas_day)
    shown = [one.now.gas_day for one in ordered]
    ground = GROUNDS[theme]
    traces = [
        _dots("First published", shown, [one.first.inventory_gwh for one in ordered])
        | {"marker": {"color": ground.text, "size": 8, "symbol": "circle-open"}},
        _dots("Now", shown, [one.now.inventory_gwh for one in ordered])
        | {"marker": {"color": ground.accent, "size": 7}},
    ]
    return {"data": traces, "layout": _layout("Inventory, GWh", theme)}


def _estimated(
    days: Iterable[SeriesDay], value: Callable[[SeriesDay], float | None], theme: Theme
) -> list[dict[str, Any]]:
    found = [one for one in days if one.status == "estimated" and value(one) is not None]
    if not found:
        return []
    dots = _dots(ESTIMATED, [one.gas_day for one in found], [value(one) for one in found])
    color = GROUPS["solar"].paint.on(theme)
    return [dots | {"marker": {"color": color, "size": 8, "symbol": "diamond-open"}}]


def _line(
    name: str, days: Sequence[date], values: Sequence[float | None], color: str
) -> dict[str, Any]:
    line = {"color": color, "width": 2}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": days,
        "y": values,
        "line": line,
        # A day that is not reported is a gap, never a straight line.
        "connectgaps": False,
    }


def _dots(name: str, days: Sequence[date], values: Sequence[float | None]) -> dict[str, Any]:
    return {"type": "scatter", "mode": "markers", "name": name, "x": days, "y": values}


def _layout(title: str, theme: Theme) -> dict[str, Any]:
    ground = GROUNDS[theme]
    axis = {"gridcolor": ground.grid, "zerolinecolor": ground.grid, "linecolor": ground.grid}
    return {
        "margin": {"l": 64, "r": 16, "t": 36, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": ground.text},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": ground.land, "font": {"color": ground.text}},
        "xaxis": dict(axis) | {"type": "date", "showgrid": False},
        "yaxis": dict(axis) | {"title": {"text": title}, "separatethousands": True},
        "bargap": 0.1,
    }
