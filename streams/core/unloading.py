"""Ship unloadings of a gas day, derived from the mass balance because no source publishes them.

    unloading(D) = inventory(D+1) - inventory(D) + send-out(D)

The inventory of gas day D is what lies in the tanks when D begins (the end of the day before), so
the difference of two days is what D changed, and the gas sent out in D came on top. The value is
net: reloaded ships, trucks and gas the terminal burns itself make it smaller, on a day without a
ship slightly negative. It is never clipped. Source: GIE ALSI data definition.

Pure: a function of two neighbour days of one entity, whatever the order they arrived in.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from math import hypot
from typing import Literal, Self, TypedDict

from streams.core import contract_types as avro

Method = Literal["mass_balance_energy", "mass_balance_volume"]
"""Which inventories the balance is made of: energy, or volume times a typical heating value."""

# GWh in 10^3 m3 of LNG: what cargoes contain, and around it what an inventory can plausibly show.
_TYPICAL_GWH_PER_THOUSAND_M3 = 6.65
_PLAUSIBLE_GWH_PER_THOUSAND_M3 = (6.0, 7.3)

# Standard uncertainties, as shares. Confirmed figures: level gauging of tanks and flow metering.
# Estimated ones: the size of a documented correction (inventory -2.3 %, send-out +1.3 %).
_INVENTORY_SHARE = {"confirmed": 0.002, "estimated": 0.02}
_SEND_OUT_SHARE = {"confirmed": 0.01, "estimated": 0.02}
# Heating values spread evenly over 6.1 to 7.2 GWh per 10^3 m3: half width over root 3.
_HEATING_VALUE_SHARE = 0.048

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GasDayBalance:
    """What the balance needs of one accepted gas day. None means not reported.

    Attributes:
        status: `confirmed`, `estimated` or `no_data`.
        inventory_gwh: In the tanks when the gas day begins.
        inventory_thousand_m3_lng: The same as a volume.
    """

    gas_day: date
    status: str
    inventory_gwh: float | None
    inventory_thousand_m3_lng: float | None
    send_out_gwh_per_day: float | None

    @classmethod
    def from_avro(cls, lng_inventory: avro.LngInventory) -> Self:
        """From the payload `lng_inventory` of a normalized or canonical record."""
        return cls(
            lng_inventory["gas_day"],
            lng_inventory["status"],
            lng_inventory["inventory_gwh"],
            lng_inventory["inventory_thousand_m3_lng"],
            lng_inventory["send_out_gwh_per_day"],
        )

    @property
    def has_plausible_energy(self) -> bool:
        """Whether the energy fits the volume; without a volume it is taken as it is.

        Before 2019 some operators report no energy, and single days are wrong by a factor.
        """
        if self.inventory_gwh is None:
            return False
        if not self.inventory_thousand_m3_lng:
            return True
        least, most = _PLAUSIBLE_GWH_PER_THOUSAND_M3
        return least <= self.inventory_gwh / self.inventory_thousand_m3_lng <= most


class UnloadingFields(TypedDict):
    """The fields of `LngInventory` that hold an unloading; None where none can be derived."""

    ship_unloading_gwh: float | None
    ship_unloading_uncertainty_gwh: float | None
    ship_unloading_method: Method | None


@dataclass(frozen=True, slots=True)
class ShipUnloading:
    """A derived unloading.

    Attributes:
        unloading_gwh: Net energy that came from ships in the gas day; negative is possible.
        uncertainty_gwh: One standard deviation; what boil-off, trucks and reloading take is not in
            it.
    """

    unloading_gwh: float
    uncertainty_gwh: float
    method: Method

    def to_avro(self) -> UnloadingFields:
        """Avro form."""
        return {
            "ship_unloading_gwh": self.unloading_gwh,
            "ship_unloading_uncertainty_gwh": self.uncertainty_gwh,
            "ship_unloading_method": self.method,
        }


NOT_DERIVED: UnloadingFields = {
    "ship_unloading_gwh": None,
    "ship_unloading_uncertainty_gwh": None,
    "ship_unloading_method": None,
}
"""The same fields where the balance cannot be made."""


def unloading_gwh(day: GasDayBalance, next_day: GasDayBalance) -> ShipUnloading | None:
    """Unloading of `day`, or None when an ingredient is missing or the days are no neighbours.

    Both inventories are compared in energy when both energies are plausible, else in volume, turned
    into energy at a typical 6.65 GWh per 10^3 m3. The uncertainty adds the shares of both
    inventories, of the send-out and, for volumes, of the heating value, as independent errors.

    Args:
        day: Gas day D; needs an inventory and a send-out.
        next_day: Gas day D+1 of the same entity; needs an inventory.
    """
    send_out = day.send_out_gwh_per_day
    if next_day.gas_day - day.gas_day != _ONE_DAY or send_out is None:
        return None
    # A day with "no data" has no figures that mean anything, even where there are zeros.
    shares = _INVENTORY_SHARE.get(day.status), _INVENTORY_SHARE.get(next_day.status)
    if shares[0] is None or shares[1] is None:
        return None
    inventories = _energies(day, next_day)
    method: Method = "mass_balance_energy"
    heating_value = 0.0
    if inventories is None:
        inventories = _energies_of_volumes(day, next_day)
        method = "mass_balance_volume"
        if inventories is None:
            return None
        heating_value = _HEATING_VALUE_SHARE * (inventories[1] - inventories[0])
    before, after = inventories
    uncertainty = hypot(
        shares[0] * before,
        shares[1] * after,
        _SEND_OUT_SHARE[day.status] * send_out,
        heating_value,
    )
    return ShipUnloading(after - before + send_out, uncertainty, method)


def _energies(day: GasDayBalance, next_day: GasDayBalance) -> tuple[float, float] | None:
    before, after = day.inventory_gwh, next_day.inventory_gwh
    if before is None or after is None:
        return None
    if day.has_plausible_energy and next_day.has_plausible_energy:
        return before, after
    return None


def _energies_of_volumes(day: GasDayBalance, next_day: GasDayBalance) -> tuple[float, float] | None:
    before, after = day.inventory_thousand_m3_lng, next_day.inventory_thousand_m3_lng
    if before is None or after is None:
        return None
    return before * _TYPICAL_GWH_PER_THOUSAND_M3, after * _TYPICAL_GWH_PER_THOUSAND_M3
