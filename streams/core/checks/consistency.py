"""Consistency: figures of one record that must fit each other."""

from math import fsum

from streams.core.geodesy import distance_km
from streams.core.payloads import (
    LngInventory,
    LngTerminal,
    PowerPlant,
    RenewableProject,
    RenewableResource,
    TransmissionLine,
    TransmissionProject,
)
from streams.core.records import RawRecord
from streams.core.tolerances import Tolerances

HOURS_OF_LEAP_YEAR = 8784
_MWH_PER_GWH = 1000


def generation_above_capacity(plant: PowerPlant, _raw: RawRecord, limits: Tolerances) -> bool:
    """Reported or estimated generation of a year is above capacity times 8,784 hours."""
    if plant.capacity_mw is None:
        return False
    share = 1 + limits.consistency.generation_above_capacity_share
    most_gwh = plant.capacity_mw * HOURS_OF_LEAP_YEAR * share / _MWH_PER_GWH
    return any(
        max(year.generation_gwh or 0, year.estimated_generation_gwh or 0) > most_gwh
        for year in plant.generation
    )


def plant_units_against_capacity(plant: PowerPlant, _raw: RawRecord, limits: Tolerances) -> bool:
    """A unit that counts is larger than its plant."""
    return _unit_above(
        plant.capacity_mw,
        [unit.capacity_mw for unit in plant.units if unit.status == plant.status],
        limits,
    )


def project_phases_against_capacity(
    project: RenewableProject, _raw: RawRecord, limits: Tolerances
) -> bool:
    """A phase that counts is larger than its project."""
    return _unit_above(
        project.capacity_mw,
        [unit.capacity_mw for unit in project.units if unit.status == project.status],
        limits,
    )


def terminal_units_against_capacity(
    terminal: LngTerminal, _raw: RawRecord, limits: Tolerances
) -> bool:
    """A unit that counts is larger than its terminal."""
    return _unit_above(
        terminal.capacity_mtpa,
        [unit.capacity_mtpa for unit in terminal.units if unit.status == terminal.status],
        limits,
    )


def _unit_above(whole: float | None, parts: list[float | None], limits: Tolerances) -> bool:
    if whole is None or not parts:
        return False
    most = whole * (1 + limits.consistency.unit_above_asset_share)
    return any(part is not None and part > most for part in parts)


def length_against_ends(
    line: TransmissionLine | TransmissionProject, _raw: RawRecord, limits: Tolerances
) -> bool:
    """The length is below the distance of the ends, or several times it."""
    if (
        line.length_km is None
        or line.from_latitude is None
        or line.from_longitude is None
        or line.to_latitude is None
        or line.to_longitude is None
    ):
        return False
    bounds = limits.consistency.length_per_distance
    distance = distance_km(
        (line.from_latitude, line.from_longitude), (line.to_latitude, line.to_longitude)
    )
    return distance >= bounds.from_km and bounds.excludes(line.length_km / distance)


def months_against_year(point: RenewableResource, _raw: RawRecord, limits: Tolerances) -> bool:
    """An annual figure does not follow from its twelve months."""
    share = limits.consistency.months_against_year_share
    means = (
        (point.dni_kwh_per_m2_day, point.monthly_dni_kwh_per_m2_day),
        (point.ghi_kwh_per_m2_day, point.monthly_ghi_kwh_per_m2_day),
        (point.tilt_at_latitude_kwh_per_m2_day, point.monthly_tilt_at_latitude_kwh_per_m2_day),
    )
    return any(
        year is not None and months and abs(fsum(months) / len(months) - year) > share * year
        for year, months in means
    ) or (
        point.ac_annual_kwh is not None
        and len(point.ac_monthly_kwh) > 0
        and abs(fsum(point.ac_monthly_kwh) - point.ac_annual_kwh) > share * point.ac_annual_kwh
    )


def energy_against_volume(day: LngInventory, _raw: RawRecord, limits: Tolerances) -> bool:
    """Energy and volume of the LNG in tanks do not fit each other."""
    gwh, volume = day.inventory_gwh, day.inventory_thousand_m3_lng
    if gwh is None or volume is None or volume <= 0:
        return False
    return limits.lng.energy_per_volume_gwh_per_thousand_m3.excludes(gwh / volume)
