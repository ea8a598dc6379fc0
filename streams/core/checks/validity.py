"""Validity: ranges, units and vocabularies of single fields."""

from streams.core.payloads import (
    LngInventory,
    LngTerminal,
    PowerPlant,
    RenewableProject,
    RenewableResource,
    Substation,
    TransmissionLine,
    TransmissionProject,
)
from streams.core.records import RawRecord
from streams.core.tolerances import Tolerances
from streams.core.vocabulary import FUELS, STATUSES

MONTHS = 12

Staged = (
    PowerPlant
    | LngTerminal
    | RenewableProject
    | Substation
    | TransmissionLine
    | TransmissionProject
)


def status_not_in_vocabulary(asset: Staged, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The status is none of the common vocabulary."""
    return asset.status not in STATUSES


def fuel_not_in_vocabulary(plant: PowerPlant, _raw: RawRecord, _limits: Tolerances) -> bool:
    """A fuel is none of the common groups."""
    return plant.primary_fuel not in FUELS or not FUELS.issuperset(plant.other_fuels)


def capacity_negative(
    asset: PowerPlant | RenewableProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """The capacity is below zero."""
    return _below_zero(asset.capacity_mw)


def terminal_negative(terminal: LngTerminal, _raw: RawRecord, _limits: Tolerances) -> bool:
    """A capacity of the terminal is below zero."""
    return (
        _below_zero(terminal.capacity_mtpa)
        or _below_zero(terminal.dtmi_gwh)
        or _below_zero(terminal.dtmi_thousand_m3_lng)
        or _below_zero(terminal.dtrs_gwh_per_day)
    )


def inventory_negative(day: LngInventory, _raw: RawRecord, _limits: Tolerances) -> bool:
    """A measure of the gas day is below zero."""
    return (
        _below_zero(day.inventory_gwh)
        or _below_zero(day.inventory_thousand_m3_lng)
        or _below_zero(day.send_out_gwh_per_day)
        or _below_zero(day.dtmi_gwh)
        or _below_zero(day.dtmi_thousand_m3_lng)
        or _below_zero(day.dtrs_gwh_per_day)
    )


def line_negative(
    line: TransmissionLine | TransmissionProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """Length or capacity of the line is below zero."""
    return _below_zero(line.length_km) or _below_zero(line.capacity_mw)


def covered_share_out_of_range(day: LngInventory, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The share of capacity that reports is no percentage."""
    return _no_percentage(day.covered_capacity_pct)


def capacity_factor_out_of_range(
    point: RenewableResource, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """The capacity factor is no percentage."""
    return _no_percentage(point.capacity_factor_pct)


def plant_year_out_of_range(plant: PowerPlant, raw: RawRecord, limits: Tolerances) -> bool:
    """A year of the plant lies before the first plants or too far ahead."""
    return (
        _no_year(plant.commissioning_year, raw, limits)
        or _no_year(plant.capacity_year, raw, limits)
        or _no_year(plant.retired_year, raw, limits)
        or any(_no_year(unit.start_year, raw, limits) for unit in plant.units)
    )


def start_year_out_of_range(
    asset: LngTerminal | RenewableProject, raw: RawRecord, limits: Tolerances
) -> bool:
    """The start year lies before the first plants or too far ahead."""
    return _no_year(asset.start_year, raw, limits)


def project_year_out_of_range(
    project: TransmissionProject, raw: RawRecord, limits: Tolerances
) -> bool:
    """The planned year lies before the first plants or too far ahead."""
    return _no_year(project.commissioning_year, raw, limits)


def line_voltage_out_of_range(
    line: TransmissionLine | TransmissionProject, _raw: RawRecord, limits: Tolerances
) -> bool:
    """The voltage is none of a grid."""
    return limits.validity.voltage_kv.excludes(line.voltage_kv)


def station_voltage_out_of_range(station: Substation, _raw: RawRecord, limits: Tolerances) -> bool:
    """A voltage of the node is none of a grid."""
    return any(limits.validity.voltage_kv.excludes(voltage) for voltage in station.voltages_kv)


def resource_out_of_range(point: RenewableResource, _raw: RawRecord, limits: Tolerances) -> bool:
    """An annual irradiance is one that no place on Earth has."""
    excludes = limits.validity.irradiance_kwh_per_m2_day.excludes
    return (
        excludes(point.ghi_kwh_per_m2_day)
        or excludes(point.tilt_at_latitude_kwh_per_m2_day)
        or excludes(point.solrad_annual_kwh_per_m2_day)
        # Polar coasts have little beam, so only its upper end says something.
        or (point.dni_kwh_per_m2_day or 0) > limits.validity.irradiance_kwh_per_m2_day.most
    )


def months_incomplete(point: RenewableResource, _raw: RawRecord, _limits: Tolerances) -> bool:
    """A monthly series has neither no value nor twelve."""
    series = (
        point.monthly_dni_kwh_per_m2_day,
        point.monthly_ghi_kwh_per_m2_day,
        point.monthly_tilt_at_latitude_kwh_per_m2_day,
        point.ac_monthly_kwh,
    )
    return any(len(months) not in (0, MONTHS) for months in series)


def _below_zero(value: float | None) -> bool:
    return value is not None and value < 0


def _no_percentage(value: float | None) -> bool:
    return value is not None and not 0 <= value <= 100


def _no_year(year: float | None, raw: RawRecord, limits: Tolerances) -> bool:
    years = limits.validity.years
    return year is not None and not years.first <= year <= raw.fetched_at.year + years.ahead
