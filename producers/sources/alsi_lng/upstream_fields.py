"""Which fields of the service the canonical ones are read from."""

from typing import Final

from producers.connector import UpstreamFields

UPSTREAM_FIELDS: Final[UpstreamFields] = {
    "lng_inventory": {
        "scope": (),
        "entity_id": ("facility", "company", "country"),
        "entity_name": ("name",),
        "country_code": ("country",),
        "facility_eic": ("facility",),
        "company_eic": ("company",),
        "gas_day": ("gasDayStart",),
        "gas_day_start": ("gasDayStart",),
        "gas_day_end": ("gasDayStart",),
        "status": ("status",),
        "inventory_gwh": ("inventory.gwh",),
        "inventory_thousand_m3_lng": ("inventory.lng", "inventory"),
        "send_out_gwh_per_day": ("sendOut",),
        "dtmi_gwh": ("dtmi.gwh",),
        "dtmi_thousand_m3_lng": ("dtmi.lng", "dtmi"),
        "dtrs_gwh_per_day": ("dtrs",),
        "contracted_capacity_gwh_per_day": ("contractedCapacity",),
        "available_capacity_gwh_per_day": ("availableCapacity",),
        "covered_capacity_pct": ("coveredCapacity",),
        "fullness_pct": ("inventory", "dtmi"),
        "terminal_id": (),
        "virtual": ("facility", "name"),
        "ship_unloading_gwh": ("inventory.gwh", "sendOut"),
        "ship_unloading_uncertainty_gwh": ("inventory.gwh", "sendOut"),
        "ship_unloading_method": (),
    },
    "lng_terminal": {
        "name": ("facility.name", "facility.short_name"),
        "aliases": ("facility.short_name",),
        "country_code": ("country",),
        "status": ("facility.operational_start_date", "facility.operational_end_date"),
        "terminal_type": (),
        "floating": ("facility.name", "facility.short_name"),
        "dtmi_gwh": ("dtmi.gwh",),
        "dtmi_thousand_m3_lng": ("dtmi.lng", "dtmi"),
        "dtrs_gwh_per_day": ("dtrs",),
        "start_year": ("facility.operational_start_date",),
        "operator": ("facility.operator_name", "facility.operator_short_name"),
        "facility_eic": ("facility_eic",),
        "company_eic": ("company_eic",),
        "report_url": ("facility.url",),
        "terminal_id": (),
        "virtual": ("facility_eic", "facility.name"),
        "unavailabilities": ("outages",),
    },
}
