"""The four NLR services as streams: what is asked about a point, and where the answer is.

Source: developer.nlr.gov, Solar Resource Data v1, PVWatts V8, NSRDB Data Query, Wind Toolkit Data
Site Count.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from producers.formats.reading import json_text
from producers.http import Answer, JsonObject
from producers.sources.reexplorer.points import ResourcePoint
from producers.sources.reexplorer.service import ServiceFailureError, texts

Parameters = Mapping[str, str | int]

_ENVELOPE_FIELDS = frozenset(
    {"version", "warnings", "errors", "metadata", "inputs", "outputs", "ssc_info", "station_info"}
)
_AVERAGES = ("avg_dni", "avg_ghi", "avg_lat_tilt")
_MONTHLY = ("ac_monthly", "dc_monthly", "poa_monthly", "solrad_monthly")
_ANNUAL = ("ac_annual", "solrad_annual", "capacity_factor")
_DATASET_TEXTS = ("name", "displayName", "type", "metadataLink", "apiDocs")
_DATASET_LISTS = ("availableYears", "availableIntervals")
_DATASET_FIELDS = frozenset((*_DATASET_TEXTS, *_DATASET_LISTS, "links"))


class PvSystem(BaseModel):
    """The PV system whose yield is modelled; limits as PVWatts has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system_capacity_kw: float = Field(4, ge=0.05, le=500_000)
    module_type: int = Field(0, ge=0, le=2)
    array_type: int = Field(0, ge=0, le=4)
    losses_pct: float = Field(14, ge=-5, le=99)
    tilt_degrees: float | None = Field(None, ge=0, le=90)
    azimuth_degrees: float | None = Field(None, ge=0, lt=360)
    dataset: str = Field("nsrdb", pattern="^(nsrdb|tmy2|tmy3|intl)$")
    radius_miles: int = Field(100, ge=0)


@dataclass(frozen=True, slots=True)
class Asked:
    """Settings the questions depend on.

    Attributes:
        box_degrees: Half the side of the square around a point in which wind sites are counted.
    """

    pv_system: PvSystem
    box_degrees: float


@dataclass(frozen=True, slots=True)
class NlrStream:
    """One service.

    Attributes:
        name: Stream name.
        path: Path of the service.
        fuel: Fuel of the plants it is asked about.
        parameters: What is asked about a point.
        change_parameters: Added for the question that finds out whether anything has changed.
        change_mark: Part of the answer that changes with the data, the same for every point.
        outputs: Item fields of the answer.
    """

    name: str
    path: str
    description: str
    fuel: str
    parameters: Callable[[ResourcePoint, Asked], Parameters]
    change_parameters: Parameters
    change_mark: Callable[[JsonObject], object]
    outputs: Callable[[JsonObject], Mapping[str, object]]


def item(
    stream: NlrStream,
    point: ResourcePoint,
    parameters: Parameters,
    answer: Answer,
    found: JsonObject,
) -> dict[str, Any]:
    """Raw item of an answer about a point."""
    metadata = _object(found.get("metadata"))
    return {
        "point": {
            "id": point.id,
            "name": point.name,
            "latitude": number_text(point.latitude),
            "longitude": number_text(point.longitude),
            "country_code": point.country_code,
        },
        "request": {name: str(value) for name, value in parameters.items()},
        "http_status": str(answer.status),
        "version": json_text(found.get("version", metadata.get("version"))),
        "warnings": texts(found.get("warnings")),
        "errors": texts(found.get("errors")),
        "sources": texts(metadata.get("sources")),
        "solar_resource": None,
        "pvwatts": None,
        "nsrdb_datasets": None,
        "site_counts": None,
        "row": None,
        "extra": _texts_by_name(found, _ENVELOPE_FIELDS),
        **stream.outputs(found),
    }


def number_text(value: float) -> str:
    """A coordinate as it is sent: at most six decimals, about ten centimetres."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _position(point: ResourcePoint) -> dict[str, str | int]:
    return {"lat": number_text(point.latitude), "lon": number_text(point.longitude)}


def _pv_parameters(point: ResourcePoint, asked: Asked) -> Parameters:
    system = asked.pv_system
    tilt = system.tilt_degrees
    azimuth = system.azimuth_degrees
    if tilt is None:
        tilt = abs(point.latitude)
    if azimuth is None:
        azimuth = 180 if point.latitude >= 0 else 0
    return {
        **_position(point),
        "system_capacity": number_text(system.system_capacity_kw),
        "module_type": system.module_type,
        "array_type": system.array_type,
        "losses": number_text(system.losses_pct),
        "tilt": number_text(tilt),
        "azimuth": number_text(azimuth),
        "dataset": system.dataset,
        "radius": system.radius_miles,
        "timeframe": "monthly",
    }


def _point_geometry(point: ResourcePoint, asked: Asked) -> Parameters:
    return {"wkt": f"POINT({number_text(point.longitude)} {number_text(point.latitude)})"}


def _box_geometry(point: ResourcePoint, asked: Asked) -> Parameters:
    half = asked.box_degrees
    south, north = max(-90.0, point.latitude - half), min(90.0, point.latitude + half)
    west, east = max(-180.0, point.longitude - half), min(180.0, point.longitude + half)
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    ring = ",".join(f"{number_text(x)} {number_text(y)}" for x, y in corners)
    return {"wkt": f"POLYGON(({ring}))"}


def _solar_outputs(found: JsonObject) -> Mapping[str, object]:
    outputs = _object(found.get("outputs"))
    if not texts(found.get("errors")) and outputs.keys().isdisjoint(_AVERAGES):
        # Outside its coverage the service says `no data`.
        raise ServiceFailureError(
            "Solar Resource answered without any average and without an error. Nothing is recorded "
            "of the point; the next run asks again."
        )
    return {"solar_resource": {name: _averages(outputs.get(name)) for name in _AVERAGES}}


def _averages(value: object) -> object:
    if not isinstance(value, dict):
        return json_text(value)
    return {
        "annual": json_text(value.get("annual")),
        "monthly": _texts_by_name(_object(value.get("monthly"))),
    }


def _pv_outputs(found: JsonObject) -> Mapping[str, object]:
    outputs = _object(found.get("outputs"))
    if not outputs:
        return {}
    return {
        "pvwatts": {
            "station_info": _texts_by_name(_object(found.get("station_info"))),
            "ssc_info": _texts_by_name(_object(found.get("ssc_info"))),
            **{name: json_text(outputs.get(name)) for name in _ANNUAL},
            **{name: texts(outputs.get(name)) for name in _MONTHLY},
        }
    }


def _dataset_outputs(found: JsonObject) -> Mapping[str, object]:
    return {"nsrdb_datasets": [_dataset(one) for one in _datasets(found)]}


def _dataset(one: JsonObject) -> JsonObject:
    links = one.get("links")
    return {
        **{name: json_text(one.get(name)) for name in _DATASET_TEXTS},
        **{name: texts(one.get(name)) for name in _DATASET_LISTS},
        "links": [
            {name: json_text(link.get(name)) for name in ("year", "interval", "link")}
            for link in (links if isinstance(links, list) else [])
            if isinstance(link, dict)
        ],
        "extra": _texts_by_name(one, _DATASET_FIELDS),
    }


def _site_outputs(found: JsonObject) -> Mapping[str, object]:
    return {"site_counts": _texts_by_name(_object(found.get("outputs")))}


def _pv_mark(found: JsonObject) -> object:
    source = _object(found.get("station_info")).get("weather_data_source")
    return [found.get("version"), found.get("ssc_info"), source]


def _dataset_mark(found: JsonObject) -> object:
    years = ([one.get("name"), one.get("availableYears")] for one in _datasets(found))
    return sorted(json_text(one) or "" for one in years)


def _site_mark(found: JsonObject) -> object:
    version = _object(found.get("metadata")).get("version")
    return [version, sorted(_object(found.get("outputs")))]


def _datasets(found: JsonObject) -> list[JsonObject]:
    outputs = found.get("outputs")
    return [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _texts_by_name(
    value: Mapping[str, object], without: frozenset[str] = frozenset()
) -> dict[str, str]:
    return {
        name: json_text(inner) or ""
        for name, inner in value.items()
        if name not in without and inner is not None
    }


SOLAR_RESOURCE = NlrStream(
    "solar_resource",
    "/api/solar/solar_resource/v1.json",
    "Long-term solar irradiance at a point; United States.",
    "solar",
    lambda point, _asked: _position(point),
    {},
    lambda found: [found.get("version"), _object(found.get("metadata")).get("sources")],
    _solar_outputs,
)
PVWATTS = NlrStream(
    "pvwatts",
    "/api/pvwatts/v8.json",
    "Modelled yield of a PV system at a point.",
    "solar",
    _pv_parameters,
    {},
    _pv_mark,
    _pv_outputs,
)
NSRDB_DATA_QUERY = NlrStream(
    "nsrdb_data_query",
    "/api/solar/nsrdb_data_query.json",
    "Solar datasets and years that hold a point.",
    "solar",
    _point_geometry,
    {"show_empty": "true"},
    _dataset_mark,
    _dataset_outputs,
)
WIND_SITE_COUNT = NlrStream(
    "wind_toolkit_site_count",
    "/api/wind-toolkit/v2/site-count.json",
    "Wind model sites around a point, by dataset.",
    "wind",
    _box_geometry,
    {},
    _site_mark,
    _site_outputs,
)

NLR_STREAMS = (SOLAR_RESOURCE, PVWATTS, NSRDB_DATA_QUERY, WIND_SITE_COUNT)
"""Every service, in the order they are asked."""
