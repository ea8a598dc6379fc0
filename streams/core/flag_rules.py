"""Every rule that flags: the record stays current, readers see the id in `flags`.

Limits are in `streams/tolerances.yaml` under the key each rule names.
"""

from streams.core.rule import Dimension, Rule


def _flag(
    rule_id: str,
    fields: str,
    dimension: Dimension,
    sentence: str,
    reference: str,
    tolerance: str | None = None,
) -> Rule:
    return Rule(rule_id, tuple(fields.split()), "flag", dimension, sentence, reference, tolerance)


# Completeness: a field people expect is not reported.
POSITION_MISSING = _flag(
    "position_missing",
    "latitude longitude",
    "completeness",
    "The asset has no position, so it cannot be matched by place.",
    "Contract `market.infrastructure`",
)
COUNTRY_MISSING = _flag(
    "country_missing",
    "country_code",
    "completeness",
    "The country is not reported or is none of ISO 3166-1.",
    "ISO 3166-1 and XK for Kosovo",
)
CAPACITY_MISSING = _flag(
    "capacity_missing",
    "capacity_mw capacity_mtpa",
    "completeness",
    "The capacity is not reported.",
    "GEM trackers write `not found` for it",
)
INVENTORY_MISSING = _flag(
    "inventory_missing",
    "inventory_gwh inventory_thousand_m3_lng",
    "completeness",
    "Neither energy nor volume in tanks is reported.",
    "GIE API manual, data fields",
)
SEND_OUT_MISSING = _flag(
    "send_out_missing",
    "send_out_gwh_per_day",
    "completeness",
    "The send-out is not reported.",
    "GIE API manual, data fields",
)
VOLTAGE_MISSING = _flag(
    "voltage_missing",
    "voltage_kv voltages_kv",
    "completeness",
    "The voltage of an alternating-current element is not reported.",
    "ENTSO-E grid extract: 82 of 8,807 buses have none",
)
LENGTH_MISSING = _flag(
    "length_missing",
    "length_km",
    "completeness",
    "The length is not reported.",
    "Contract `market.infrastructure`",
)
RESOURCE_MISSING = _flag(
    "resource_missing",
    "ghi_kwh_per_m2_day ac_annual_kwh",
    "completeness",
    "The point is covered but has no annual figure.",
    "NLR solar resource v1 and PVWatts v8, outputs",
)

# Validity: types, ranges, units, vocabularies.
STATUS_NOT_IN_VOCABULARY = _flag(
    "status_not_in_vocabulary",
    "status",
    "validity",
    "The status is none of the common vocabulary; extend the connector's mapping.",
    "GEM status definitions",
)
FUEL_NOT_IN_VOCABULARY = _flag(
    "fuel_not_in_vocabulary",
    "primary_fuel other_fuels",
    "validity",
    "The fuel is none of the common groups; extend the connector's mapping.",
    "WRI database README, fuel types",
)
CAPACITY_UNREADABLE = _flag(
    "capacity_unreadable",
    "capacity_mw capacity_mtpa",
    "validity",
    "The source gives the capacity in words, or in a unit that cannot be converted: it is null.",
    "GEM workbooks; the raw record has the words",
)
CAPACITY_NOT_POSITIVE = _flag(
    "capacity_not_positive",
    "capacity_mw capacity_mtpa",
    "validity",
    "The source gives a capacity of zero or below: it is null.",
    "GEM trackers: 36 of 37,698 power units and 7 of 1,291 LNG units have zero",
)
YEAR_UNREADABLE = _flag(
    "year_unreadable",
    "commissioning_year start_year retired_year capacity_year",
    "validity",
    "The source has words where a year belongs: it is null.",
    "GEM workbooks: `Presumed`; the raw record has the words",
)
POSITION_UNREADABLE = _flag(
    "position_unreadable",
    "latitude longitude",
    "validity",
    "The source has words where a coordinate belongs: the position is null.",
    "GEM workbooks; the raw record has the words",
)
FIGURE_UNREADABLE = _flag(
    "figure_unreadable",
    "voltage_kv voltages_kv circuits length_km capacity_mw under_construction underground "
    "generation inventory_gwh inventory_thousand_m3_lng send_out_gwh_per_day dtmi_gwh "
    "dtmi_thousand_m3_lng dtrs_gwh_per_day contracted_capacity_gwh_per_day "
    "available_capacity_gwh_per_day covered_capacity_pct ghi_kwh_per_m2_day dni_kwh_per_m2_day "
    "ac_annual_kwh site_counts",
    "validity",
    "The source has words where a figure belongs: it is null.",
    "Grid extracts, project lists, ALSI and NLR answers; the raw record has the words",
)
NEGATIVE_MEASURE = _flag(
    "negative_measure",
    "inventory_gwh inventory_thousand_m3_lng send_out_gwh_per_day dtmi_gwh dtmi_thousand_m3_lng "
    "dtrs_gwh_per_day capacity_mw capacity_mtpa length_km",
    "validity",
    "A quantity that cannot be below zero is.",
    "Definition of the quantity",
)
SHARE_OUT_OF_RANGE = _flag(
    "share_out_of_range",
    "covered_capacity_pct capacity_factor_pct",
    "validity",
    "A share is below 0 or above 100 percent.",
    "Definition of a share",
)
YEAR_OUT_OF_RANGE = _flag(
    "year_out_of_range",
    "commissioning_year start_year retired_year capacity_year",
    "validity",
    "A year lies before the first plants or too far ahead of the record.",
    "Oldest plant of the WRI database: 1896",
    "validity.years",
)
VOLTAGE_OUT_OF_RANGE = _flag(
    "voltage_out_of_range",
    "voltage_kv voltages_kv",
    "validity",
    "The voltage is none of a grid; look for volts instead of kilovolts.",
    "Highest voltage in service: 1,100 kV",
    "validity.voltage_kv",
)
RESOURCE_OUT_OF_RANGE = _flag(
    "resource_out_of_range",
    "dni_kwh_per_m2_day ghi_kwh_per_m2_day tilt_at_latitude_kwh_per_m2_day "
    "solrad_annual_kwh_per_m2_day",
    "validity",
    "The annual irradiance is one that no place on Earth has.",
    "Global Solar Atlas: GHI up to 7.7, DNI up to 10.5 kWh/m2/day",
    "validity.irradiance_kwh_per_m2_day",
)
MONTHS_INCOMPLETE = _flag(
    "months_incomplete",
    "monthly_dni_kwh_per_m2_day monthly_ghi_kwh_per_m2_day "
    "monthly_tilt_at_latitude_kwh_per_m2_day ac_monthly_kwh",
    "validity",
    "A monthly series has neither no value nor twelve.",
    "NLR solar resource v1 and PVWatts v8, outputs",
)

# Consistency: two figures that must fit each other do not.
GENERATION_ABOVE_CAPACITY = _flag(
    "generation_above_capacity",
    "generation capacity_mw",
    "consistency",
    "Generation of a year is above capacity times 8,784 hours; often a unit's capacity is given "
    "for the plant's.",
    "WRI v1.3.0: 198 plant-years, e.g. AUS0000306 Eraring; v1.1.0: 1,670 estimates",
    "consistency.generation_above_capacity_share",
)
UNITS_AGAINST_CAPACITY = _flag(
    "units_against_capacity",
    "capacity_mw capacity_mtpa units",
    "consistency",
    "A unit is larger than the asset it belongs to.",
    "Definition of a unit",
    "consistency.unit_above_asset_share",
)
LENGTH_AGAINST_ENDS = _flag(
    "length_against_ends",
    "length_km from_latitude from_longitude to_latitude to_longitude",
    "consistency",
    "The line is shorter than the distance of its ends, or several times longer; look for metres "
    "instead of kilometres.",
    "ENTSO-E grid extract gives metres against its own notes",
    "consistency.length_per_distance",
)
MONTHS_AGAINST_YEAR = _flag(
    "months_against_year",
    "dni_kwh_per_m2_day ghi_kwh_per_m2_day tilt_at_latitude_kwh_per_m2_day ac_annual_kwh",
    "consistency",
    "The annual figure does not follow from the twelve months.",
    "NLR solar resource v1 and PVWatts v8, outputs",
    "consistency.months_against_year_share",
)
CAPACITY_CONFLICT = _flag(
    "capacity_conflict",
    "capacity_mw capacity_mtpa",
    "consistency",
    "Sources give the asset capacities that differ by more than a fifth; see its provenance.",
    "`conflicts` in `core/reconcile/rules.yaml`",
)
START_YEAR_CONFLICT = _flag(
    "start_year_conflict",
    "commissioning_year start_year",
    "consistency",
    "Sources give the asset start years more than two years apart; see its provenance.",
    "`conflicts` in `core/reconcile/rules.yaml`",
)
STATUS_CONFLICT = _flag(
    "status_conflict",
    "status",
    "consistency",
    "Sources disagree on whether the asset runs, and the newer one does not explain it.",
    "retired since is no conflict: `known_until` in `core/reconcile/rules.yaml`",
)
ENERGY_AGAINST_VOLUME = _flag(
    "energy_against_volume",
    "inventory_gwh inventory_thousand_m3_lng",
    "consistency",
    "Energy and volume of the LNG in tanks do not fit; before 2019 prefer the volume.",
    "LNG holds 6.1 to 7.2 GWh in 10^3 m3; ALSI gives 1.9 to 3.8 in 2012-2015, above 20 on six days",
    "lng.energy_per_volume_gwh_per_thousand_m3",
)
INVENTORY_ABOVE_CAPACITY = _flag(
    "inventory_above_capacity",
    "inventory_gwh inventory_thousand_m3_lng dtmi_gwh dtmi_thousand_m3_lng",
    "consistency",
    "More LNG in tanks than the declared total maximum inventory.",
    "GIE ALSI definition of DTMI; capacity of a day without one: its neighbour's",
    "lng.inventory_above_capacity_share",
)
SEND_OUT_ABOVE_REFERENCE = _flag(
    "send_out_above_reference",
    "send_out_gwh_per_day dtrs_gwh_per_day",
    "consistency",
    "More gas sent out than the declared total reference send-out.",
    "GIE ALSI definition of DTRS; the EU total held it on all of 5,253 days",
    "lng.send_out_above_reference_share",
)
INVENTORY_JUMP = _flag(
    "inventory_jump",
    "inventory_gwh inventory_thousand_m3_lng send_out_gwh_per_day",
    "consistency",
    "The inventory changed from one gas day to the next by more than ships and send-out explain.",
    "36 days of the EU total jump by more than 20 %",
    "lng.jump",
)
MASS_BALANCE_OPEN = _flag(
    "mass_balance_open",
    "inventory_gwh inventory_thousand_m3_lng send_out_gwh_per_day",
    "consistency",
    "The inventory fell by more than the send-out of the day: LNG left without a trace.",
    "Inventory of a day = inventory before + unloaded - sent out, unloaded is never negative",
    "lng.mass_balance_gap_share",
)
VALUE_STUCK = _flag(
    "value_stuck",
    "inventory_gwh inventory_thousand_m3_lng send_out_gwh_per_day",
    "consistency",
    "Inventory and send-out repeat to the last digit for days although gas is sent out.",
    "Reports carried forward when an operator sends nothing",
    "lng.stuck_days",
)

TOTALS_DISAGREE = _flag(
    "totals_disagree",
    "inventory_gwh send_out_gwh_per_day",
    "consistency",
    "The parts of a total contradict it: its countries for the EU, its terminals for a country.",
    "ALSI aggregates; parts may be missing, so they contradict by being more than the total, by "
    "being less when nearly all countries report, or by a ratio that is another one on one day",
    "lng.totals",
)
REPORTERS_DROPPED = _flag(
    "reporters_dropped",
    "gas_day",
    "completeness",
    "Far fewer countries or terminals report than on the gas day before: the total is in doubt.",
    "A source whose row count drops suddenly has lost something",
    "lng.reporters",
)

# Timeliness: against the source's own publication calendar, by record times only.
OVERDUE = _flag(
    "overdue",
    "status inventory_gwh send_out_gwh_per_day",
    "timeliness",
    "The gas day was due when it was fetched, but nothing was reported.",
    "GIE ALSI publishes at 19:30 CET after the end of the gas day, late reporters at 23:00",
    "timeliness.gas_day",
)
NEXT_DAY_OVERDUE = _flag(
    "next_day_overdue",
    "gas_day",
    "timeliness",
    "The series ends here or has a gap, although the next gas day was due at that time.",
    "GIE ALSI publishes at 19:30 CET after the end of the gas day, late reporters at 23:00",
    "timeliness.gas_day",
)
RELEASE_OVERDUE = _flag(
    "release_overdue",
    "source_updated_at",
    "timeliness",
    "The source had not renewed the record for longer than its publication period.",
    "Publication period of each source",
    "timeliness.periods",
)
OLDER_THAN_DECLARED = _flag(
    "older_than_declared",
    "capacity_year",
    "timeliness",
    "The figure is older than a source that is no longer updated declares its content to be.",
    "WRI v1.3.0 of 2021-06-02 holds capacities of 2000 to 2019",
    "timeliness.frozen",
)

# Accuracy: the record contradicts the world.
POSITION_SWAPPED = _flag(
    "position_swapped",
    "latitude longitude",
    "accuracy",
    "Latitude and longitude were swapped: corrected, because only so it lies in its country.",
    "Country borders",
    "accuracy.margins_degrees",
)
POSITION_SIGN_LOST = _flag(
    "position_sign_lost",
    "latitude longitude",
    "accuracy",
    "A sign of the position was lost: corrected, because only so it lies in its country.",
    "Country borders",
    "accuracy.margins_degrees",
)
POSITION_OUTSIDE_COUNTRY = _flag(
    "position_outside_country",
    "latitude longitude country_code",
    "accuracy",
    "The position lies outside the stated country.",
    "Country borders",
    "accuracy.margins_degrees",
)
POSITION_NOT_ON_LAND = _flag(
    "position_not_on_land",
    "latitude longitude",
    "accuracy",
    "The position lies at sea, where an asset of this technology cannot be.",
    "Land areas",
    "accuracy.margins_degrees",
)
CAPACITY_IMPLAUSIBLE = _flag(
    "capacity_implausible",
    "capacity_mw primary_fuel",
    "accuracy",
    "No plant of this fuel is that large; look for kilowatts instead of megawatts.",
    "Largest plants of each fuel in operation",
    "accuracy.largest_plant_mw",
)
EIC_CHECK_CHARACTER = _flag(
    "eic_check_character",
    "facility_eic company_eic line_eic",
    "accuracy",
    "The check character of an EIC code is wrong; look for a typing error.",
    "ENTSO-E EIC reference manual; code 21X000000001109G fails it and is in use",
)

# Completeness: what no Kafka record has room for.
SHORTENED = _flag(
    "shortened",
    "members links provenance",
    "completeness",
    "The record is too large: values that lost and the ends of its longest lists are left out.",
    "Largest record that Kafka's clients send by default, 1,000,000 bytes",
)

FLAG_RULES: tuple[Rule, ...] = tuple(rule for rule in vars().values() if isinstance(rule, Rule))
