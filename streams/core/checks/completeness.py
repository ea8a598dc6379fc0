"""Completeness: a field people expect is not reported."""

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

Asset = PowerPlant | LngTerminal | RenewableProject | RenewableResource | Substation


def position_missing(asset: Asset, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The asset has no position."""
    return asset.latitude is None or asset.longitude is None


def ends_missing(
    line: TransmissionLine | TransmissionProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """An end of the line has no position."""
    return line.from_latitude is None or line.to_latitude is None


def country_missing(
    asset: Asset | TransmissionLine | TransmissionProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """The country is not known."""
    return asset.country_code is None


def capacity_missing(
    asset: PowerPlant | RenewableProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """The electric capacity is not reported."""
    return asset.capacity_mw is None


def terminal_capacity_missing(terminal: LngTerminal, _raw: RawRecord, _limits: Tolerances) -> bool:
    """No capacity is reported, neither a year's nor of tanks nor of the send-out."""
    return (
        terminal.capacity_mtpa is None
        and terminal.dtmi_gwh is None
        and terminal.dtmi_thousand_m3_lng is None
        and terminal.dtrs_gwh_per_day is None
    )


def inventory_missing(day: LngInventory, _raw: RawRecord, _limits: Tolerances) -> bool:
    """Neither energy nor volume is reported, although the status says there are data."""
    return (
        day.status != "no_data"
        and day.inventory_gwh is None
        and day.inventory_thousand_m3_lng is None
    )


def send_out_missing(day: LngInventory, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The send-out is not reported, although the status says there are data."""
    return day.status != "no_data" and day.send_out_gwh_per_day is None


def line_voltage_missing(
    line: TransmissionLine | TransmissionProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """An alternating-current line has no voltage; links are described by their capacity."""
    return line.voltage_kv is None and not line.direct_current


def station_voltage_missing(station: Substation, _raw: RawRecord, _limits: Tolerances) -> bool:
    """An alternating-current node has no voltage."""
    return not station.voltages_kv and not station.direct_current


def length_missing(
    line: TransmissionLine | TransmissionProject, _raw: RawRecord, _limits: Tolerances
) -> bool:
    """The length is not reported."""
    return line.length_km is None


def resource_missing(point: RenewableResource, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The point is covered, but no figure of its resource type is there."""
    if point.coverage != "covered":
        return False
    return (
        point.ghi_kwh_per_m2_day is None
        and point.dni_kwh_per_m2_day is None
        and point.ac_annual_kwh is None
        and not point.site_counts
        and not point.available_years
    )
