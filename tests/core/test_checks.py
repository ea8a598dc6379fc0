"""Checks of one record by itself: each rule with a record that fails it and one that does not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from producers.sources.alsi_lng.connector import AlsiLngConnector
from streams.core.all_rules import RULES
from streams.core.payloads import (
    GenerationYear,
    LngInventory,
    LngTerminal,
    Payload,
    PlantUnit,
    RenewableProject,
    RenewableResource,
    SiteCount,
    Substation,
    TransmissionLine,
    TransmissionProject,
)
from streams.core.records import Mapped, RawRecord
from streams.core.validate import CHECKS, validate
from tests.core.builders import plant, raw
from tests.core.series import TOLERANCES, raw_day

PLANT = replace(plant(), commissioning_year=2001.5)
TERMINAL = LngTerminal(
    name="Barcelona",
    aliases=(),
    country_code="ES",
    latitude=41.34,
    longitude=2.16,
    position_accuracy=None,
    status="operating",
    terminal_type="import",
    floating=False,
    capacity_mtpa=12.0,
    dtmi_gwh=None,
    dtmi_thousand_m3_lng=None,
    dtrs_gwh_per_day=None,
    start_year=1969,
    owner=None,
    operator=None,
    facility_eic="21W0000000000362",
    company_eic=None,
    report_url=None,
    units=(),
)
PROJECT = RenewableProject(
    name="Wind",
    aliases=(),
    country_code="DE",
    latitude=54.0,
    longitude=9.0,
    position_accuracy=None,
    status="announced",
    technology="wind",
    technology_detail=None,
    capacity_mw=80.0,
    start_year=2030,
    owner=None,
    report_url=None,
    units=(),
)
RESOURCE = RenewableResource(
    name="Point",
    country_code="US",
    latitude=40.0,
    longitude=-105.0,
    resource_type="solar",
    coverage="covered",
    dataset="d",
    dataset_version="1",
    dni_kwh_per_m2_day=6.0,
    ghi_kwh_per_m2_day=5.0,
    tilt_at_latitude_kwh_per_m2_day=None,
    monthly_dni_kwh_per_m2_day=(6.0,) * 12,
    monthly_ghi_kwh_per_m2_day=(5.0,) * 12,
    monthly_tilt_at_latitude_kwh_per_m2_day=(),
    ac_annual_kwh=None,
    ac_monthly_kwh=(),
    solrad_annual_kwh_per_m2_day=None,
    capacity_factor_pct=None,
    system_capacity_kw=None,
    station_distance_m=None,
    site_counts=(),
    available_years=(),
)
STATION = Substation(
    name="Station",
    country_code="DE",
    latitude=50.0,
    longitude=8.0,
    status="operating",
    node_type="substation",
    voltages_kv=(380.0,),
    direct_current=False,
    station_id=None,
    operator=None,
)
LINE = TransmissionLine(
    name=None,
    country_code="DE",
    country_codes=("DE",),
    from_node_id="1",
    from_name=None,
    from_latitude=50.0,
    from_longitude=8.0,
    from_substation_id=None,
    from_unresolved=None,
    to_node_id="2",
    to_name=None,
    to_latitude=51.0,
    to_longitude=8.0,
    to_substation_id=None,
    to_unresolved=None,
    status="operating",
    direct_current=False,
    voltage_kv=380.0,
    circuits=2,
    length_km=120.0,
    capacity_mw=None,
    underground=False,
    operator=None,
    line_eic=None,
    geometry_wkt=None,
)
UPGRADE = TransmissionProject(
    name="P1",
    country_code="DE",
    country_codes=("DE",),
    from_node_id=None,
    from_name=None,
    from_latitude=50.0,
    from_longitude=8.0,
    from_substation_id=None,
    from_unresolved=None,
    to_node_id=None,
    to_name=None,
    to_latitude=51.0,
    to_longitude=8.0,
    to_substation_id=None,
    to_unresolved=None,
    status="announced",
    status_in_source="under_consideration",
    project_type="new_line",
    plan="TYNDP 2020",
    upgrades_line_id=None,
    direct_current=False,
    voltage_kv=380.0,
    circuits=1.0,
    length_km=130.0,
    capacity_mw=None,
    underground=None,
    commissioning_year=2030,
    report_url=None,
)


def gas_day() -> LngInventory:
    mapped = AlsiLngConnector.map_to_schema(raw_day(date(2026, 3, 1)))
    assert isinstance(mapped, Mapped)
    assert isinstance(mapped.payload, LngInventory)
    return mapped.payload


DAY = gas_day()
CLEAN: tuple[Payload, ...] = (
    PLANT,
    TERMINAL,
    PROJECT,
    RESOURCE,
    STATION,
    LINE,
    UPGRADE,
    DAY,
)


def flags(payload: Payload, record: RawRecord | None = None) -> set[str]:
    found = validate(Mapped("e", payload), record or raw(), TOLERANCES)
    assert isinstance(found, Mapped)
    return set(found.flags)


def unit(capacity_mw: float) -> PlantUnit:
    return PlantUnit("u", None, capacity_mw, None, None, "operating", None, None)


FAILING: tuple[tuple[str, Payload], ...] = (
    ("position_missing", replace(PLANT, latitude=None, longitude=None)),
    ("position_missing", replace(LINE, to_latitude=None, to_longitude=None)),
    ("country_missing", replace(STATION, country_code=None)),
    ("capacity_missing", replace(PROJECT, capacity_mw=None)),
    ("capacity_missing", replace(TERMINAL, capacity_mtpa=None)),
    ("inventory_missing", replace(DAY, inventory_gwh=None, inventory_thousand_m3_lng=None)),
    ("send_out_missing", replace(DAY, send_out_gwh_per_day=None)),
    ("voltage_missing", replace(LINE, voltage_kv=None)),
    ("voltage_missing", replace(STATION, voltages_kv=())),
    ("length_missing", replace(UPGRADE, length_km=None)),
    (
        "resource_missing",
        replace(
            RESOURCE,
            ghi_kwh_per_m2_day=None,
            dni_kwh_per_m2_day=None,
            monthly_dni_kwh_per_m2_day=(),
            monthly_ghi_kwh_per_m2_day=(),
        ),
    ),
    ("status_not_in_vocabulary", replace(PLANT, status="running")),
    ("fuel_not_in_vocabulary", replace(PLANT, other_fuels=("gas", "peat"))),
    ("negative_measure", replace(PROJECT, capacity_mw=-1.0)),
    ("negative_measure", replace(TERMINAL, dtmi_gwh=-1.0)),
    ("negative_measure", replace(DAY, send_out_gwh_per_day=-5.0)),
    ("share_out_of_range", replace(DAY, covered_capacity_pct=101.0)),
    ("share_out_of_range", replace(RESOURCE, capacity_factor_pct=-1.0)),
    ("year_out_of_range", replace(PLANT, commissioning_year=201.0)),
    ("year_out_of_range", replace(TERMINAL, start_year=2200)),
    ("year_out_of_range", replace(UPGRADE, commissioning_year=20300)),
    ("voltage_out_of_range", replace(LINE, voltage_kv=380_000.0)),
    ("voltage_out_of_range", replace(STATION, voltages_kv=(380.0, 0.4))),
    ("resource_out_of_range", replace(RESOURCE, ghi_kwh_per_m2_day=50.0)),
    ("months_incomplete", replace(RESOURCE, monthly_ghi_kwh_per_m2_day=(5.0,) * 11)),
    (
        "generation_above_capacity",
        replace(PLANT, capacity_mw=41.5, generation=(GenerationYear(2014, 14_993.0, None, None),)),
    ),
    ("units_against_capacity", replace(PLANT, units=(unit(150.0),))),
    ("length_against_ends", replace(LINE, length_km=120_000.0)),
    ("length_against_ends", replace(UPGRADE, length_km=70.0)),
    ("months_against_year", replace(RESOURCE, monthly_ghi_kwh_per_m2_day=(8.0,) * 12)),
    ("energy_against_volume", replace(DAY, inventory_gwh=3000.0)),
    ("capacity_implausible", replace(PLANT, capacity_mw=60_000.0)),
    ("eic_check_character", replace(TERMINAL, company_eic="21X000000001109G")),
    ("eic_check_character", replace(LINE, line_eic="10T-DE-FR-00005X")),
)


@pytest.mark.parametrize("payload", CLEAN, ids=lambda one: type(one).__name__)
def test_a_good_record_of_every_kind_is_not_flagged(payload: Payload) -> None:
    assert flags(payload) == set()


@pytest.mark.parametrize(("rule_id", "payload"), FAILING)
def test_a_record_that_fails_one_rule_is_flagged_by_it(rule_id: str, payload: Payload) -> None:
    assert rule_id in flags(payload)


def test_a_direct_current_link_needs_no_voltage() -> None:
    assert flags(replace(LINE, direct_current=True, voltage_kv=None)) == set()


def test_a_point_that_is_only_asked_for_datasets_needs_no_irradiance() -> None:
    empty = replace(
        RESOURCE,
        ghi_kwh_per_m2_day=None,
        dni_kwh_per_m2_day=None,
        monthly_dni_kwh_per_m2_day=(),
        monthly_ghi_kwh_per_m2_day=(),
    )
    assert flags(replace(empty, site_counts=(SiteCount("wtk", 3),))) == set()
    assert flags(replace(empty, coverage="outside")) == set()


def test_a_short_line_may_be_longer_than_the_distance_of_its_ends() -> None:
    assert flags(replace(LINE, to_latitude=50.01, length_km=6.0)) == set()


def test_an_estimate_above_what_the_capacity_can_give_is_flagged_like_a_report() -> None:
    assert PLANT.capacity_mw is not None
    most_gwh = PLANT.capacity_mw * 8.784
    for estimate, expected in (
        (most_gwh * 1.001, {"generation_above_capacity"}),
        (most_gwh * 0.999, set()),
    ):
        years = (GenerationYear(2014, None, estimate, "v"),)
        assert flags(replace(PLANT, generation=years)) == expected


@pytest.mark.parametrize(
    ("hours_after_end", "expected"), [(13, set()), (17, set()), (19, {"overdue"})]
)
def test_an_empty_gas_day_is_overdue_after_the_last_publication(
    hours_after_end: int, expected: set[str]
) -> None:
    """19:30 is 13.5 hours after the end of the gas day, late reporters come at 23:00."""
    empty = replace(
        DAY,
        status="no_data",
        inventory_gwh=None,
        inventory_thousand_m3_lng=None,
        send_out_gwh_per_day=None,
    )
    fetched = raw_day(DAY.gas_day, fetched=DAY.gas_day_end + timedelta(hours=hours_after_end))
    assert flags(empty, fetched) == expected


def test_a_release_is_overdue_after_the_period_of_its_source() -> None:
    fetched = datetime(2026, 6, 1, tzinfo=UTC)
    record = replace(raw(), source_id="gem_transmission", fetched_at=fetched)
    for age_days, expected in ((300, set()), (500, {"release_overdue"})):
        changed = replace(record, source_updated_at=fetched - timedelta(days=age_days))
        assert flags(STATION, changed) == expected


def test_a_capacity_is_older_than_its_frozen_source_declares() -> None:
    assert flags(replace(PLANT, capacity_year=2000)) == {"older_than_declared"}
    assert flags(replace(PLANT, capacity_year=2017)) == set()
    elsewhere = replace(raw(), source_id="another")
    assert flags(replace(PLANT, capacity_year=2000), elsewhere) == set()


def test_every_check_is_by_a_listed_rule_that_flags_and_is_listed_once() -> None:
    for checks in CHECKS.values():
        ids = [check.rule.id for check in checks]
        assert len(ids) == len(set(ids))
        assert all(RULES[rule_id].severity == "flag" for rule_id in ids)


def test_a_wrong_code_of_an_operator_flags_the_terminal_and_none_of_its_gas_days() -> None:
    assert "eic_check_character" in flags(replace(TERMINAL, company_eic="21X000000001109G"))
    assert flags(replace(DAY, company_eic="21X000000001109G")) == flags(DAY) == set()
