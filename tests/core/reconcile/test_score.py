"""Scoring: what speaks against a pair of which names and places agree."""

from typing import Any

import pytest

from streams.core import contract_types as avro
from streams.core.keys import asset_id
from streams.core.reconcile.prepare import prepare
from streams.core.reconcile.score import parts, score
from streams.core.regions import EUROPE
from tests.core.reconcile.builders import alsi_terminal, gem, gem_terminal, gppd
from tests.core.reconcile.real_records import ALSI, GEM, GPPD
from tests.core.reconcile.regions import Regions


def scored(one: avro.NormalizedAsset, other: avro.NormalizedAsset) -> float | None:
    return score(prepare([one]), prepare([other]))


@pytest.mark.parametrize(
    "status", ["construction", "pre-construction", "announced", "shelved", "cancelled"]
)
def test_an_extension_that_was_never_built_is_not_the_old_plant_beside_it(status: str) -> None:
    """A plant of 1956 and 54 MW took the name and the 318 MW of a shelved one 33 m away."""
    old = gppd("WRI1", "Example", capacity_mw=54.0, commissioning_year=1956.0)
    values: dict[str, Any] = {"status": status, "commissioning_year": 2028, "latitude": 50.0003}
    extension = gem("G1", "L1/GHPT", "Example Extension", 318.0, **values)
    regions = Regions().apply_all([old, extension])
    assert len(regions.members()) == 2


def test_two_sources_that_both_know_a_plan_agree_about_it() -> None:
    values: dict[str, Any] = {"status": "announced", "capacity_mw": 450.0}
    plan = gppd("WRI1", "Example", **values)
    assert scored(plan, gem("G1", "L1/GCPT", "Example", 450.0, status="announced")) == scored(
        gppd("WRI1", "Example"), gem("G1", "L1/GCPT", "Example", 450.0)
    )


def test_a_plant_that_started_after_a_source_ended_is_less_likely_what_it_saw() -> None:
    seen = gppd("WRI1", "Example", commissioning_year=None)
    older = gem("G1", "L1/GOGPT", "Example", 450.0, commissioning_year=2008)
    newer = gem("G1", "L1/GOGPT", "Example", 450.0, commissioning_year=2022)
    weight_of_older, weight_of_newer = scored(seen, older), scored(seen, newer)
    assert weight_of_older is not None
    assert weight_of_newer is not None
    assert weight_of_newer <= weight_of_older - 1


def test_the_year_of_a_planned_unit_says_nothing_of_when_a_plant_started() -> None:
    running = gem("G1", "L1/GOGPT", "Example", 450.0, commissioning_year=1980)
    planned = gem("G2", "L1/GOGPT", "Example", 450.0, status="announced", commissioning_year=2030)
    assert prepare([running, planned]).years == (1980.0,)


def test_floating_terminals_meet_floating_ones() -> None:
    """Two projects at one quay, neither built: only one of them is a ship."""
    planned: dict[str, Any] = {"status": "construction", "start_year": 2024, "units": ()}
    regions = Regions().apply_all(
        [
            alsi_terminal("F1", "C1", name="Example", floating=True),
            gem_terminal("T0001", "Example LNG Terminal", **planned),
            gem_terminal("T0002", "Example FSRU", floating=True, **planned),
        ]
    )
    found = regions.members()[asset_id("lng_terminal", GEM, "T0002", EUROPE)]
    assert found == {(ALSI, "F1/C1"), (GEM, "T0002")}


@pytest.mark.parametrize("fuel", ["hydro", "wind", "solar", "storage", "nuclear", "geothermal"])
def test_another_technology_of_the_same_name_and_place_is_another_plant(fuel: str) -> None:
    coal = gem("G1", "L1/GCPT", "Example", 450.0)
    beside = gppd("WRI1", "Example", primary_fuel=fuel, capacity_mw=17.0, commissioning_year=2012.0)
    assert len(Regions().apply_all([coal, beside]).members()) == 2


def test_a_site_with_coal_and_gas_is_one_asset_where_one_source_has_one_record() -> None:
    regions = Regions().apply_all(
        [
            gppd("WRI1", "Example", capacity_mw=900.0, other_fuels=("gas",)),
            gem("G1", "L1/GCPT", "Example", 500.0),
            gem("G2", "L1/GOGPT", "Example", 400.0, primary_fuel="gas"),
        ]
    )
    assert len(regions.members()) == 1


def test_a_source_that_does_not_say_whether_a_terminal_floats_says_nothing_against_it() -> None:
    silent = alsi_terminal("F1", "C1", name="Example")
    floating = gem_terminal("T0001", "Example", floating=True)
    fixed = gem_terminal("T0001", "Example")
    assert scored(silent, floating) == scored(silent, fixed)


def test_a_turbine_of_the_name_and_place_of_a_large_plant_is_not_that_plant() -> None:
    large = gem("G1", "L1/GHPT", "Example", 100.0, primary_fuel="hydro")
    values: dict[str, Any] = {"primary_fuel": "hydro", "commissioning_year": None}
    small = gppd("WRI1", "Example", capacity_mw=1.1, latitude=50.01, **values)
    assert scored(small, large) is None


def test_a_new_plant_of_another_fuel_or_size_replaces_the_old_one_and_is_not_it() -> None:
    old = gppd("WRI1", "Example", commissioning_year=1975.0)
    renewed = gem("G1", "L1/GOGPT", "Example", 450.0, commissioning_year=2022)
    smaller = gem("G1", "L1/GOGPT", "Example", 300.0, commissioning_year=2022)
    of_gas = gem("G1", "L1/GOGPT", "Example", 450.0, commissioning_year=2022, primary_fuel="gas")
    standing = [
        parts(prepare([old]), prepare([one]))["standing"] for one in (renewed, smaller, of_gas)
    ]
    assert 0 > standing[0] > standing[1] > standing[2]


def test_a_numbered_plant_that_is_larger_is_no_stage_of_the_one_without_a_number() -> None:
    """A pumped-storage plant of 380 MW, "II", beside the old one of 30 MW."""
    plain = gppd("WRI1", "Example", capacity_mw=450.0)

    def numbered(capacity_mw: float) -> float:
        other = gem("G1", "L1/GCPT", "Example II", capacity_mw)
        return parts(prepare([plain]), prepare([other]))["numbers"]

    assert numbered(900.0) < 0
    assert numbered(450.0) == numbered(150.0) == 0


def test_what_may_be_a_unit_under_its_code_is_not_judged_by_its_number_and_size() -> None:
    plant = gppd("WRI1", "Example", capacity_mw=450.0)
    codes = {"source_id": "jrc_ppdb", "entity_id": "J1", "record_id": "J1"}
    unit = gem("G1", "L1/GCPT", "Example II", 900.0)
    found = parts(prepare([plant]), prepare([{**unit, **codes}]))  # type: ignore[typeddict-item]
    assert found["numbers"] == 0
    small = gem("G1", "L1/GCPT", "Example", 30.0)
    as_plant = parts(prepare([plant]), prepare([small]))["capacity"]
    as_unit = parts(prepare([plant]), prepare([{**small, **codes}]))["capacity"]  # type: ignore[typeddict-item]
    assert as_plant < as_unit < 0


def owned(seen: str | None, reported: str | None) -> float:
    """What the owners that two sources name add to the score of a pair."""
    one = gppd("WRI1", "Example", owner=seen)
    other = gem("G1", "L1/GCPT", "Example", 450.0, owner=reported)
    return parts(prepare([one]), prepare([other]))["owner"]


@pytest.mark.parametrize(
    ("seen", "reported"),
    [
        ("Acme Energy Ltd", "Acme Power Company PJSC [60%]; Borealis SA [40%]"),
        ("CFE", "Comisión Federal de Electricidad"),
        ("Ruritania's Ministry of Electricity", "Ministry of Electricity (Ruritania) [100%]"),
    ],
)
def test_one_owner_written_in_two_ways_speaks_for_a_pair(seen: str, reported: str) -> None:
    assert owned(seen, reported) > 0


def test_another_owner_speaks_against_a_pair_and_one_that_is_not_known_says_nothing() -> None:
    assert owned("Acme Power Ltd", "Borealis Power Ltd") < 0
    assert owned("Acme Power Ltd", None) == owned(None, None) == 0
    assert owned("Acme Power Ltd", "Power Company Ltd") == 0


def test_of_two_neighbours_of_one_name_the_one_of_its_owner_is_the_plant() -> None:
    seen = gppd("WRI1", "Example", owner="EXAMPLE NATURAL GAS")
    beside = gem("G1", "L1/GCPT", "Example", 450.0, owner="Borealis")
    own = gem("G2", "L2/GCPT", "Example", 450.0, owner="Natural Gas of Example", latitude=50.005)
    members = Regions().apply_all([seen, beside, own]).members()
    assert members[asset_id("power_plant", GPPD, "WRI1")] == {(GPPD, "WRI1"), (GEM, "G2")}
