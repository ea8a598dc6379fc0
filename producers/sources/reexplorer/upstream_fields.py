"""Which fields of the services, and columns of the trackers, the canonical ones are read from."""

from typing import Final

from producers.connector import UpstreamFields
from producers.formats import power_columns as columns
from producers.formats.tracker_position import COUNTRY

UPSTREAM_FIELDS: Final[UpstreamFields] = {
    "renewable_resource": {
        "name": (),
        "country_code": (),
        "latitude": ("lat",),
        "longitude": ("lon",),
        "resource_type": (),
        "coverage": (),
        "dataset": ("sources", "station_info.weather_data_source", "outputs.name"),
        "dataset_version": ("version",),
        "dni_kwh_per_m2_day": ("avg_dni.annual", "avg_dni"),
        "ghi_kwh_per_m2_day": ("avg_ghi.annual", "avg_ghi"),
        "tilt_at_latitude_kwh_per_m2_day": ("avg_lat_tilt.annual", "avg_lat_tilt"),
        "monthly_dni_kwh_per_m2_day": ("avg_dni.monthly",),
        "monthly_ghi_kwh_per_m2_day": ("avg_ghi.monthly",),
        "monthly_tilt_at_latitude_kwh_per_m2_day": ("avg_lat_tilt.monthly",),
        "ac_annual_kwh": ("ac_annual",),
        "ac_monthly_kwh": ("ac_monthly",),
        "solrad_annual_kwh_per_m2_day": ("solrad_annual",),
        "capacity_factor_pct": ("capacity_factor",),
        "system_capacity_kw": ("system_capacity",),
        "station_distance_m": ("station_info.distance", "station_info.lat", "station_info.lon"),
        "site_counts": ("outputs",),
        "available_years": ("outputs.availableYears",),
    },
    "renewable_project": {
        "name": columns.NAME,
        "aliases": columns.ALIASES,
        "country_code": COUNTRY,
        "latitude": ("latitude", "lat", "geometry_latitude"),
        "longitude": ("longitude", "lng", "lon", "geometry_longitude"),
        "position_accuracy": columns.ACCURACY,
        "status": columns.STATUS,
        "technology": (*columns.TRACKER, *columns.FUEL),
        "technology_detail": ("technology", "technology_type", "installation_type", "tech_type"),
        "capacity_mw": columns.CAPACITY,
        "capacity_rating": columns.RATING,
        "start_year": columns.START_YEAR,
        "owner": columns.OWNER,
        "report_url": columns.URL,
        "units": (*columns.UNIT_ID, *columns.UNIT_NAME),
    },
}
