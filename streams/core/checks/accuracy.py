"""Accuracy: a record against the world."""

from functools import lru_cache

from stdnum.eu import eic  # the code's check digit algorithm, kept by a library of such codes

from streams.core.payloads import LngTerminal, PowerPlant, TransmissionLine
from streams.core.records import RawRecord
from streams.core.tolerances import Tolerances


def capacity_implausible(plant: PowerPlant, _raw: RawRecord, limits: Tolerances) -> bool:
    """The plant is larger than the largest of its fuel."""
    most = limits.accuracy.largest_plant_mw.get(plant.primary_fuel)
    return most is not None and plant.capacity_mw is not None and plant.capacity_mw > most


def eic_check_character(terminal: LngTerminal, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The check character of the facility's or the operator's EIC is wrong.

    Of the terminal alone: each of its gas days has the same codes.
    """
    return _is_wrong(terminal.facility_eic) or _is_wrong(terminal.company_eic)


def line_eic_check_character(line: TransmissionLine, _raw: RawRecord, _limits: Tolerances) -> bool:
    """The check character of the line's EIC is wrong."""
    return _is_wrong(line.line_eic)


@lru_cache(maxsize=4096)
def _is_wrong(code: str | None) -> bool:
    return code is not None and not eic.is_valid(code)
