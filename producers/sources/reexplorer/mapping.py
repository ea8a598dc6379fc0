"""Reading the NLR answers: from texts to a renewable resource, units as in the contract.

Outside coverage is content, not an error: the record says `coverage: outside` and has no figures.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from producers.formats.odd_cells import OddCells
from producers.formats.reading import number
from streams.core import flag_rules, reject_rules
from streams.core.errors import Rejected
from streams.core.geodesy import distance_km
from streams.core.payloads import RenewableResource, SiteCount

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NO_DATA = "no data"
_UNREADABLE = flag_rules.FIGURE_UNREADABLE

# The service counts sites of solar, wave and climate models, too.
_NO_WIND = re.compile(
    r"psm|nsrdb|spectral|suny|himawari|meteosat|msg|ncdb|us-|alaska-hindcast|hawaii-hindcast"
)

ABSENCE = "data_query"
"""Key of a raw item's `extra`: what Solar Dataset Query says where PVWatts refuses a point."""


def resource(stream: str, item: Mapping[str, Any], odd: OddCells) -> RenewableResource | Rejected:
    """Renewable resource of an item, or why it is none.

    Figures that are no numbers are null, or left out of a list, and noted in `odd`.

    Raises:
        UnreadableNumberError: the position is no number.
    """
    point = item["point"]
    if point is None:
        return reject_rules.BAD_ENVELOPE.reject(
            stream, field="stream", message="The item has no point."
        )
    for axis, limit in (("latitude", 90), ("longitude", 180)):
        degrees = number(point[axis], axis)
        if degrees is None or abs(degrees) > limit:
            return reject_rules.POSITION_OUT_OF_RANGE.reject(
                point[axis], field=axis, limit=f"-{limit} to {limit}"
            )
    if item["errors"] and item["extra"].get(ABSENCE) != "null":
        return reject_rules.SERVICE_ERROR.reject("; ".join(item["errors"]))
    return _READERS[stream](item, odd)


def _solar(item: Mapping[str, Any], odd: OddCells) -> RenewableResource:
    outputs = item["solar_resource"] or {}
    dni, monthly_dni = _averages(outputs.get("avg_dni"), odd)
    ghi, monthly_ghi = _averages(outputs.get("avg_ghi"), odd)
    tilt, monthly_tilt = _averages(outputs.get("avg_lat_tilt"), odd)
    covered = any(value is not None for value in (dni, ghi, tilt)) or bool(odd.flags)
    return replace(
        _resource(item, "solar", covered=covered, dataset="; ".join(item["sources"])),
        dni_kwh_per_m2_day=dni,
        ghi_kwh_per_m2_day=ghi,
        tilt_at_latitude_kwh_per_m2_day=tilt,
        monthly_dni_kwh_per_m2_day=monthly_dni,
        monthly_ghi_kwh_per_m2_day=monthly_ghi,
        monthly_tilt_at_latitude_kwh_per_m2_day=monthly_tilt,
    )


def _pv_yield(item: Mapping[str, Any], odd: OddCells) -> RenewableResource:
    outputs = item["pvwatts"] or {}
    station = outputs.get("station_info", {})
    annual = odd.number(outputs.get("ac_annual"), _UNREADABLE)
    if annual is None and not odd.flags:
        return _resource(item, "pv_yield", covered=False, dataset="")
    dataset = station.get("weather_data_source", "")
    return replace(
        _resource(item, "pv_yield", covered=True, dataset=dataset),
        ac_annual_kwh=annual,
        ac_monthly_kwh=_twelve(outputs["ac_monthly"], odd),
        solrad_annual_kwh_per_m2_day=odd.number(outputs["solrad_annual"], _UNREADABLE),
        capacity_factor_pct=odd.number(outputs["capacity_factor"], _UNREADABLE),
        system_capacity_kw=odd.number(item["request"].get("system_capacity"), _UNREADABLE),
        station_distance_m=_station_distance_m(item, station, odd),
    )


def _datasets(item: Mapping[str, Any], _odd: OddCells) -> RenewableResource:
    datasets = item["nsrdb_datasets"] or []
    years = {
        int(year)
        for one in datasets
        for year in one["availableYears"]
        # Typical years have names such as tmy.
        if year.isdecimal() and year.isascii() and len(year) == 4
    }
    names = "; ".join(sorted(one["name"] or "" for one in datasets))
    return replace(
        _resource(item, "solar_dataset", covered=bool(datasets), dataset=names),
        available_years=tuple(sorted(years)),
    )


def _wind_sites(item: Mapping[str, Any], odd: OddCells) -> RenewableResource:
    counts = []
    for name, text in sorted((item["site_counts"] or {}).items()):
        sites = odd.count(text, _UNREADABLE)
        if sites and not _NO_WIND.match(name):
            counts.append(SiteCount(name, sites))
    names = "; ".join(count.dataset for count in counts)
    return replace(
        _resource(item, "wind_dataset", covered=bool(counts or odd.flags), dataset=names),
        site_counts=tuple(counts),
    )


_READERS = {
    "solar_resource": _solar,
    "pvwatts": _pv_yield,
    "nsrdb_data_query": _datasets,
    "wind_toolkit_site_count": _wind_sites,
}


def _resource(
    item: Mapping[str, Any], resource_type: str, *, covered: bool, dataset: str
) -> RenewableResource:
    """What every resource has; the figures of its kind are put in by the caller."""
    point = item["point"]
    return RenewableResource(
        name=point["name"],
        country_code=point["country_code"],
        latitude=number(point["latitude"], "latitude"),
        longitude=number(point["longitude"], "longitude"),
        resource_type=resource_type,
        coverage="covered" if covered else "outside",
        dataset=dataset if covered and dataset else None,
        dataset_version=item["version"],
        dni_kwh_per_m2_day=None,
        ghi_kwh_per_m2_day=None,
        tilt_at_latitude_kwh_per_m2_day=None,
        monthly_dni_kwh_per_m2_day=(),
        monthly_ghi_kwh_per_m2_day=(),
        monthly_tilt_at_latitude_kwh_per_m2_day=(),
        ac_annual_kwh=None,
        ac_monthly_kwh=(),
        solrad_annual_kwh_per_m2_day=None,
        capacity_factor_pct=None,
        system_capacity_kw=None,
        station_distance_m=None,
        site_counts=(),
        available_years=(),
    )


def _averages(value: object, odd: OddCells) -> tuple[float | None, tuple[float, ...]]:
    """Annual and twelve monthly averages; none of both outside coverage."""
    if isinstance(value, Mapping):
        months = value["monthly"]
        annual = odd.number(value["annual"], _UNREADABLE)
        return annual, _twelve([months.get(month) for month in _MONTHS], odd)
    if value is None or str(value).strip().lower() == _NO_DATA:
        return None, ()
    return odd.number(str(value), _UNREADABLE), ()


def _twelve(texts: list[str | None], odd: OddCells) -> tuple[float, ...]:
    """Twelve figures, or none unless all twelve are reported."""
    found = [odd.number(text, _UNREADABLE) for text in texts]
    figures = tuple(value for value in found if value is not None)
    return figures if len(figures) == len(found) == len(_MONTHS) else ()


def _station_distance_m(
    item: Mapping[str, Any], station: Mapping[str, str], odd: OddCells
) -> float | None:
    """Distance as stated, else between the two positions; None when neither is there."""
    stated = odd.number(station.get("distance"), _UNREADABLE)
    if stated is not None:
        return stated
    latitude = odd.number(station.get("lat"), _UNREADABLE)
    longitude = odd.number(station.get("lon"), _UNREADABLE)
    if latitude is None or longitude is None:
        return None
    own = (float(item["point"]["latitude"]), float(item["point"]["longitude"]))
    return round(distance_km(own, (latitude, longitude)) * 1000)
