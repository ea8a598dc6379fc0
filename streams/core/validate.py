"""Validation of one record by itself: which checks each kind gets, and what they find.

Pure, and the same for every source. Checks that need neighbours are in `history.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from streams.core import flag_rules
from streams.core.checks import accuracy, completeness, consistency, timeliness, validity
from streams.core.checks.check import Check
from streams.core.errors import Rejected
from streams.core.payloads import LngInventory, TransmissionLine, TransmissionProject
from streams.core.position import correct, correct_ends
from streams.core.records import Mapped, RawRecord
from streams.core.rule import Rule
from streams.core.tolerances import Margins, Tolerances

_RELEASED = Check(flag_rules.RELEASE_OVERDUE, timeliness.release_overdue)
_PLACED = (
    Check(flag_rules.POSITION_MISSING, completeness.position_missing),
    Check(flag_rules.COUNTRY_MISSING, completeness.country_missing),
    _RELEASED,
)
_STRETCHED = (
    Check(flag_rules.POSITION_MISSING, completeness.ends_missing),
    Check(flag_rules.COUNTRY_MISSING, completeness.country_missing),
    Check(flag_rules.VOLTAGE_MISSING, completeness.line_voltage_missing),
    Check(flag_rules.LENGTH_MISSING, completeness.length_missing),
    Check(flag_rules.NEGATIVE_MEASURE, validity.line_negative),
    Check(flag_rules.VOLTAGE_OUT_OF_RANGE, validity.line_voltage_out_of_range),
    Check(flag_rules.LENGTH_AGAINST_ENDS, consistency.length_against_ends),
    _RELEASED,
)
_STATUS = Check(flag_rules.STATUS_NOT_IN_VOCABULARY, validity.status_not_in_vocabulary)

CHECKS: Mapping[str, tuple[Check, ...]] = {
    "power_plant": (
        *_PLACED,
        _STATUS,
        Check(flag_rules.CAPACITY_MISSING, completeness.capacity_missing),
        Check(flag_rules.FUEL_NOT_IN_VOCABULARY, validity.fuel_not_in_vocabulary),
        Check(flag_rules.NEGATIVE_MEASURE, validity.capacity_negative),
        Check(flag_rules.YEAR_OUT_OF_RANGE, validity.plant_year_out_of_range),
        Check(flag_rules.GENERATION_ABOVE_CAPACITY, consistency.generation_above_capacity),
        Check(flag_rules.UNITS_AGAINST_CAPACITY, consistency.plant_units_against_capacity),
        Check(flag_rules.OLDER_THAN_DECLARED, timeliness.older_than_declared),
        Check(flag_rules.CAPACITY_IMPLAUSIBLE, accuracy.capacity_implausible),
    ),
    "lng_terminal": (
        *_PLACED,
        _STATUS,
        Check(flag_rules.CAPACITY_MISSING, completeness.terminal_capacity_missing),
        Check(flag_rules.NEGATIVE_MEASURE, validity.terminal_negative),
        Check(flag_rules.YEAR_OUT_OF_RANGE, validity.start_year_out_of_range),
        Check(flag_rules.UNITS_AGAINST_CAPACITY, consistency.terminal_units_against_capacity),
        Check(flag_rules.EIC_CHECK_CHARACTER, accuracy.eic_check_character),
    ),
    "renewable_project": (
        *_PLACED,
        _STATUS,
        Check(flag_rules.CAPACITY_MISSING, completeness.capacity_missing),
        Check(flag_rules.NEGATIVE_MEASURE, validity.capacity_negative),
        Check(flag_rules.YEAR_OUT_OF_RANGE, validity.start_year_out_of_range),
        Check(flag_rules.UNITS_AGAINST_CAPACITY, consistency.project_phases_against_capacity),
    ),
    "renewable_resource": (
        *_PLACED,
        Check(flag_rules.RESOURCE_MISSING, completeness.resource_missing),
        Check(flag_rules.SHARE_OUT_OF_RANGE, validity.capacity_factor_out_of_range),
        Check(flag_rules.RESOURCE_OUT_OF_RANGE, validity.resource_out_of_range),
        Check(flag_rules.MONTHS_INCOMPLETE, validity.months_incomplete),
        Check(flag_rules.MONTHS_AGAINST_YEAR, consistency.months_against_year),
    ),
    "substation": (
        *_PLACED,
        _STATUS,
        Check(flag_rules.VOLTAGE_MISSING, completeness.station_voltage_missing),
        Check(flag_rules.VOLTAGE_OUT_OF_RANGE, validity.station_voltage_out_of_range),
    ),
    "transmission_line": (
        *_STRETCHED,
        _STATUS,
        Check(flag_rules.EIC_CHECK_CHARACTER, accuracy.line_eic_check_character),
    ),
    "transmission_project": (
        *_STRETCHED,
        _STATUS,
        Check(flag_rules.YEAR_OUT_OF_RANGE, validity.project_year_out_of_range),
    ),
    "lng_inventory": (
        Check(flag_rules.INVENTORY_MISSING, completeness.inventory_missing),
        Check(flag_rules.SEND_OUT_MISSING, completeness.send_out_missing),
        Check(flag_rules.NEGATIVE_MEASURE, validity.inventory_negative),
        Check(flag_rules.SHARE_OUT_OF_RANGE, validity.covered_share_out_of_range),
        Check(flag_rules.ENERGY_AGAINST_VOLUME, consistency.energy_against_volume),
        Check(flag_rules.OVERDUE, timeliness.overdue),
    ),
}
"""Checks of each kind, all of them made for every record."""

_OF_THE_PLACE = frozenset(
    rule.id
    for rule in (
        flag_rules.POSITION_MISSING,
        flag_rules.POSITION_UNREADABLE,
        flag_rules.POSITION_SWAPPED,
        flag_rules.POSITION_SIGN_LOST,
        flag_rules.POSITION_OUTSIDE_COUNTRY,
        flag_rules.POSITION_NOT_ON_LAND,
        flag_rules.COUNTRY_MISSING,
    )
)
"""What is wrong with a place is said once of its entity, not of each of its units."""


def validate(mapped: Mapped, raw: RawRecord, tolerances: Tolerances) -> Mapped | Rejected:
    """The record as it is accepted: flagged by rule ids, sorted, and its position put right.

    Args:
        mapped: What the connector made of the raw record.
        raw: The raw record; its times are the only clock.
        tolerances: Limits.
    """
    corrected = _with_corrected_position(mapped, tolerances.accuracy.margins_degrees)
    if isinstance(corrected, Rejected):
        return corrected
    payload = corrected.payload
    flags = [
        check.rule.id for check in CHECKS[corrected.kind] if check.fails(payload, raw, tolerances)
    ]
    found = {*flags, *corrected.flags}
    if mapped.place_of is not None:
        found -= _OF_THE_PLACE
    return replace(corrected, flags=tuple(sorted(found))) if found or corrected.flags else corrected


def _with_corrected_position(mapped: Mapped, margins: Margins) -> Mapped | Rejected:
    payload = mapped.payload
    if isinstance(payload, LngInventory):
        return mapped
    if isinstance(payload, TransmissionLine | TransmissionProject):
        ends = correct_ends(payload, margins)
        if isinstance(ends, Rejected):
            return ends
        if not ends.flags:
            return mapped
        return replace(
            mapped,
            payload=replace(payload, **ends.positions),
            flags=_joined(mapped.flags, ends.flags),
            corrections=ends.corrections,
        )
    corrected = correct(payload, margins)
    if isinstance(corrected, Rejected):
        return corrected
    if not corrected.flags:
        return mapped
    if corrected.corrections:
        payload = replace(payload, latitude=corrected.latitude, longitude=corrected.longitude)
    return replace(
        mapped,
        payload=payload,
        flags=_joined(mapped.flags, corrected.flags),
        corrections=corrected.corrections,
    )


def _joined(flags: tuple[str, ...], rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(sorted({*flags, *(rule.id for rule in rules)}))
