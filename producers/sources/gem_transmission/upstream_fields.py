"""Which columns of the trackers and of the grid files the canonical fields are read from.

Names of columns differ from release to release: the first that a file has counts.
"""

from typing import Final

from producers.connector import UpstreamFields
from producers.formats import power_columns as columns
from producers.formats.tracker_position import COUNTRY
from producers.sources.gem_transmission import lng_terminals

_ENDS: Final = {
    "from_latitude": ("bus0", "y"),
    "from_longitude": ("bus0", "x"),
    "to_latitude": ("bus1", "y"),
    "to_longitude": ("bus1", "x"),
}
_PLACE: Final = {
    "country_code": COUNTRY,
    "latitude": ("latitude", "lat", "geometry_latitude"),
    "longitude": ("longitude", "lng", "lon", "geometry_longitude"),
}

UPSTREAM_FIELDS: Final[UpstreamFields] = {
    "power_plant": {
        **_PLACE,
        "name": columns.NAME,
        "capacity_mw": columns.CAPACITY,
        "capacity_rating": columns.RATING,
        "primary_fuel": (*columns.FUEL, *columns.FUEL_PARTS, *columns.TRACKER),
        "other_fuels": (*columns.FUEL, *columns.FUEL_PARTS),
        "commissioning_year": columns.START_YEAR,
        "status": columns.STATUS,
        "owner": columns.OWNER,
        "reported_by": (),
        "report_url": columns.URL,
        "aliases": columns.ALIASES,
        "technology": tuple(
            dict.fromkeys(
                name
                for tracker in columns.TECHNOLOGY_OF_TRACKER
                for name in columns.technology_columns(tracker)
            )
        ),
        "position_accuracy": columns.ACCURACY,
        "retired_year": columns.RETIRED_YEAR,
        "operator": columns.OPERATOR,
        "other_ids": (*columns.LOCATION_ID, "eic_code", "eia_plant_code", "wri_id", "other_ids"),
        "units": (*columns.UNIT_ID, *columns.UNIT_NAME, *columns.CAPACITY, *columns.STATUS),
    },
    "lng_terminal": {
        **_PLACE,
        "name": lng_terminals.NAME,
        "aliases": lng_terminals.ALIASES,
        "position_accuracy": lng_terminals.ACCURACY,
        "status": lng_terminals.STATUS,
        "terminal_type": lng_terminals.FACILITY_TYPE,
        "floating": ("floating", "name", "unit_name"),
        "capacity_mtpa": lng_terminals.CAPACITY,
        "start_year": lng_terminals.START_YEAR,
        "owner": lng_terminals.OWNER,
        "operator": lng_terminals.OPERATOR,
        "report_url": lng_terminals.URL,
        "units": ("combo_id", "unit_name", "capacity", "status", "start_year"),
        "virtual": (),
    },
    "substation": {
        "country_code": ("country", "tags.country", "x", "y"),
        "latitude": ("y",),
        "longitude": ("x",),
        "status": ("under_construction",),
        "node_type": ("symbol",),
        "voltages_kv": ("voltage",),
        "direct_current": ("dc",),
        "station_id": ("station_id",),
        "operator": ("tags.TSO",),
    },
    "transmission_line": {
        **_ENDS,
        "name": ("tags.text_",),
        "country_code": ("bus0", "country", "tags.country"),
        "country_codes": ("bus0", "bus1", "country", "tags.country"),
        "from_node_id": ("bus0",),
        "to_node_id": ("bus1",),
        "status": ("under_construction",),
        "direct_current": (),
        "voltage_kv": ("voltage",),
        "circuits": ("circuits",),
        "length_km": ("length",),
        "capacity_mw": ("p_nom", "tags.MW"),
        "underground": ("underground",),
        "operator": ("tags.TSO",),
        "line_eic": ("tags.EIC_code",),
        "geometry_wkt": ("geometry",),
    },
    "transmission_project": {
        "name": ("tags.name", "bus0", "bus1"),
        "country_code": ("bus0", "x0", "y0"),
        "country_codes": ("bus0", "bus1"),
        "from_name": ("bus0",),
        "from_latitude": ("y0",),
        "from_longitude": ("x0",),
        "to_name": ("bus1",),
        "to_latitude": ("y1",),
        "to_longitude": ("x1",),
        "status": ("project_status",),
        "status_in_source": ("project_status",),
        "project_type": (),
        "plan": (),
        "upgrades_line_id": ("",),
        "direct_current": (),
        "voltage_kv": ("v_nom",),
        "circuits": ("num_parallel",),
        "length_km": ("length",),
        "capacity_mw": ("p_nom",),
        "underground": ("underground",),
        "commissioning_year": ("build_year",),
        "report_url": ("tags.url",),
    },
}
