"""Figures with a map, as Plotly.js draws them: points by fuel and state, lines by voltage."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streams.clickhouse.map_queries import MapAsset
from streams.serve.page.map_selection import PLANNED, voltage_class
from streams.serve.page.palette import GROUNDS, GROUPS, LINES, Theme, group_of
from streams.serve.page.typed_array import floats

Figure = dict[str, Any]

WORLD_SOURCE: Final = "world"
_FIRST_VIEW: Final = (48.0, 9.0, 3.0)
_OTHER_STATES: Final = 0.35


@dataclass(frozen=True, slots=True)
class View:
    """What of the world is looked at: degrees, and zoom as MapLibre counts it."""

    latitude: float
    longitude: float
    zoom: float


FIRST_VIEW: Final = View(*_FIRST_VIEW)


def map_figure(
    assets: Iterable[MapAsset], theme: Theme, world: str, view: View | None = None
) -> Figure:
    """Everything that has a position: lines below, then points; planned ones are rings.

    Args:
        assets: What to draw.
        theme: Light or dark.
        world: Address of the outline of the world.
        view: Where to look first; None: at the whole selection's usual place.
    """
    points: dict[tuple[str, str], list[MapAsset]] = defaultdict(list)
    lines: dict[tuple[str, str], list[MapAsset]] = defaultdict(list)
    for asset in assets:
        if asset.latitude is None or asset.longitude is None:
            continue
        if asset.to_latitude is not None and asset.to_longitude is not None:
            lines[voltage_class(asset.voltage_kv), state_of(asset.status)].append(asset)
        else:
            points[group_of(asset.kind, asset.fuel), state_of(asset.status)].append(asset)
    traces = [_line_trace(lines[key], *key, theme) for key in sorted(lines)]
    for key in sorted(points, key=lambda one: (_STATE_ORDER[one[1]], _GROUP_ORDER[one[0]])):
        traces += _point_traces(points[key], *key, theme)
    return {"data": traces, "layout": _layout(theme, world, view or FIRST_VIEW)}


def state_of(status: str) -> str:
    """operating, planned or other: how an asset is drawn."""
    if status == "operating" or not status:
        return "operating"
    return "planned" if status in PLANNED else "other"


_STATE_ORDER: Final[Mapping[str, int]] = {"other": 0, "operating": 1, "planned": 2}
_GROUP_ORDER: Final[Mapping[str, int]] = {
    name: number for number, name in enumerate(["grid", "resource", *GROUPS]) if name in GROUPS
}


def _point_traces(
    assets: Sequence[MapAsset], group: str, state: str, theme: Theme
) -> Iterable[dict[str, Any]]:
    label, color = GROUPS[group].label, GROUPS[group].paint.on(theme)
    kinds = _KINDS.get(group, _PLANTS)
    place = {
        "lat": floats(one.latitude for one in assets),
        "lon": floats(one.longitude for one in assets),
    }
    size = 4 if group == "grid" else 9 if group == "lng" else 6
    opacity = _OTHER_STATES if state == "other" else 0.85
    yield (
        _trace("markers", f"{label}, {state}", kinds)
        | place
        | {"marker": {"color": color, "size": size + 2 * (state == "planned"), "opacity": opacity}}
    )
    if state == "planned":
        # A ring: a disc of the ground's colour on the other. MapLibre draws no outlines here.
        inner = {"color": GROUNDS[theme].land, "size": size - 2, "opacity": 1.0}
        yield _trace("markers", f"{label}, planned", kinds) | place | {"marker": inner}


def _line_trace(
    assets: Sequence[MapAsset], voltage: str, state: str, theme: Theme
) -> dict[str, Any]:
    latitudes: list[float | None] = []
    longitudes: list[float | None] = []
    for one in assets:
        latitudes += (one.latitude, one.to_latitude, None)
        longitudes += (one.longitude, one.to_longitude, None)
    width = {"": 1.0, "0-199": 1.0, "200-299": 1.2, "300-499": 1.6, "500": 2.2}[voltage]
    return _trace("lines", f"Lines {voltage or 'of unknown voltage'}, {state}", _LINES) | {
        "lat": floats(latitudes),
        "lon": floats(longitudes),
        "line": {"color": LINES[voltage].on(theme), "width": width},
        "opacity": 0.85 if state == "operating" else 0.45,
    }


_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "lng": ("lng_terminal",),
    "grid": ("substation",),
    "resource": ("renewable_resource",),
}
_PLANTS: Final = ("power_plant", "renewable_project")
_LINES: Final = ("transmission_line", "transmission_project")


def _trace(mode: str, name: str, kinds: Sequence[str]) -> dict[str, Any]:
    # The script asks for the nearest asset of these kinds: ids would weigh more than the points.
    more = {"meta": {"kinds": kinds}, "hoverinfo": "name"}
    return {"type": "scattermap", "mode": mode, "name": name, **more}


def _layout(theme: Theme, world: str, view: View) -> dict[str, Any]:
    ground = GROUNDS[theme]
    return {
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "showlegend": False,
        "paper_bgcolor": ground.sea,
        # The same whatever is drawn: what people moved stays as it is.
        "uirevision": "map",
        "dragmode": "pan",
        "font": {"family": "system-ui, sans-serif", "color": ground.text},
        "map": {
            "center": {"lat": view.latitude, "lon": view.longitude},
            "zoom": view.zoom,
            "style": {
                "version": 8,
                "id": theme,
                "sources": {WORLD_SOURCE: {"type": "geojson", "data": world}},
                "layers": [
                    {
                        "id": "sea",
                        "type": "background",
                        "paint": {"background-color": ground.sea},
                    },
                    {
                        "id": "land",
                        "type": "fill",
                        "source": WORLD_SOURCE,
                        "paint": {"fill-color": ground.land},
                    },
                    {
                        "id": "borders",
                        "type": "line",
                        "source": WORLD_SOURCE,
                        "paint": {"line-color": ground.border, "line-width": 0.7},
                    },
                ],
            },
        },
    }
