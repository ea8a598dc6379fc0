"""Assignment: which further records of one source an asset takes."""

from typing import Any

from streams.core.keys import asset_id
from tests.core.reconcile.builders import gem, gppd
from tests.core.reconcile.real_records import GEM, GPPD
from tests.core.reconcile.regions import Regions

GPPD_ID = asset_id("power_plant", GPPD, "WRI1")


def test_a_neighbour_that_closes_the_gap_by_a_little_stays_an_asset_of_its_own() -> None:
    """Any gain used to be enough: one asset took in twelve neighbours one by one."""
    plant, neighbour = (
        gem("G1", "L1/GOGPT", "Example", 430.0),
        gem("G2", "L2/GOGPT", "Example Annexe", 12.0, latitude=50.002),
    )
    regions = Regions().apply_all([gppd("WRI1", "Example"), plant, neighbour])
    assert regions.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1")}


def test_a_unit_joins_a_plant_of_which_the_running_part_already_equals_another_unit() -> None:
    regions = Regions().apply_all(
        [
            gem("G1", "L1/GOGPT", "Example", 450.0),
            gem("G2", "L1/GOGPT", "Example", 450.0, status="retired"),
            gppd("WRI1", "Example", capacity_mw=450.0),
            gppd("WRI2", "Example B", capacity_mw=430.0),
        ]
    )
    assert regions.members()[GPPD_ID] == {
        (GEM, "G1"),
        (GEM, "G2"),
        (GPPD, "WRI1"),
        (GPPD, "WRI2"),
    }


def test_a_plant_that_a_source_lists_twice_is_one_asset_with_both_records() -> None:
    twice = [gppd("WRI1", "Example"), gppd("WRI2", "EXAMPLE power plant", latitude=50.001)]
    regions = Regions().apply_all([*twice, gem("G1", "L1/GOGPT", "Example", 450.0)])
    assert regions.members()[GPPD_ID] == {(GPPD, "WRI1"), (GPPD, "WRI2"), (GEM, "G1")}


def test_a_second_plant_of_one_name_and_another_size_is_not_the_same_listed_twice() -> None:
    two = [gppd("WRI1", "Example"), gppd("WRI2", "Example", capacity_mw=45.0)]
    regions = Regions().apply_all([*two, gem("G1", "L1/GOGPT", "Example", 450.0)])
    assert regions.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1")}


def test_plants_of_two_owners_are_not_one_that_is_listed_twice() -> None:
    """Two mills of one town, each with a plant of 75 MW, were one asset."""
    two = [
        gppd("WRI1", "Example", owner="Acme Mills"),
        gppd("WRI2", "Example", owner="Borealis Paper"),
    ]
    regions = Regions().apply_all([*two, gem("G1", "L1/GOGPT", "Example", 450.0, owner="Acme")])
    assert regions.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1")}


def test_plants_far_apart_are_not_parts_of_the_company_that_a_register_lists() -> None:
    """A solar company with two plants, 36 km apart, is one entity of its register."""
    values: dict[str, Any] = {"primary_fuel": "solar", "capacity_mw": 50.0}
    company = [
        gem("G1", "L1/GSPT", "Alpha / Beta", 50.0, primary_fuel="solar"),
        gem("G2", "L1/GSPT", "Alpha / Beta", 50.0, primary_fuel="solar", latitude=50.33),
    ]
    plants = [gppd("WRI1", "Alpha", **values), gppd("WRI2", "Beta", latitude=50.33, **values)]
    near = [plants[0], gppd("WRI2", "Beta", latitude=50.2, **values)]
    assert len(Regions().apply_all([*company, *plants]).members()) == 2
    assert len(Regions().apply_all([*company, *near]).members()) == 1


def test_a_plan_is_no_missing_unit_of_what_stands() -> None:
    seen = gppd("WRI1", "Example", capacity_mw=600.0)
    standing = gem("G1", "L1/GOGPT", "Example", 200.0)
    addition = gem("G2", "L2/GOGPT", "Example", 400.0)
    together = Regions().apply_all([seen, standing, addition])
    assert together.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1"), (GEM, "G2")}
    planned = gem("G2", "L2/GOGPT", "Example", 400.0, status="cancelled")
    apart = Regions().apply_all([seen, standing, planned])
    assert apart.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1")}


def test_the_next_stage_is_no_missing_unit() -> None:
    seen = gppd("WRI1", "Example 1", capacity_mw=600.0)
    first = gem("G1", "L1/GOGPT", "Example 1", 200.0)
    second = gem("G2", "L2/GOGPT", "Example 2", 400.0)
    apart = Regions().apply_all([seen, first, second])
    assert apart.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1")}
    unit = {**second, "source_id": "jrc_ppdb"}
    beside = {**first, "source_id": "jrc_ppdb", "entity_id": "L3", "record_id": "G3"}
    units = Regions().apply_all([seen, beside, unit])  # type: ignore[list-item]
    assert len(units.members()) == 1


def test_plants_of_one_town_are_told_apart_by_the_points_of_the_compass() -> None:
    """Sources copy the place of one for the other, and both together may have its capacity."""
    regions = Regions().apply_all(
        [
            gppd("WRI1", "Exampletown South", capacity_mw=225.0),
            gppd("WRI2", "Exampletown Nord", capacity_mw=225.0),
            gem("G1", "L1/GCPT", "Exampletown Sud", 450.0),
            gem("G2", "L2/GCPT", "Exampletown North", 225.0, latitude=50.18),
        ]
    )
    assert set(regions.members().values()) == {
        frozenset({(GPPD, "WRI1"), (GEM, "G1")}),
        frozenset({(GPPD, "WRI2"), (GEM, "G2")}),
    }


def further(present_owner: str | None = None, **values: Any) -> bool:
    """Whether a plant of 400 MW joins one of 200 MW of which another source says 600 MW."""
    seen = gppd("WRI1", "Example", capacity_mw=600.0)
    present = gem("G1", "L1/GOGPT", "Example", 200.0, owner=present_owner)
    values = {"name": "Example Annexe", "capacity_mw": 400.0, "latitude": 50.002, **values}
    addition = gem("G2", "L2/GOGPT", values.pop("name"), values.pop("capacity_mw"), **values)
    found = Regions().apply_all([seen, present, addition]).members()[GPPD_ID]
    assert {(GPPD, "WRI1"), (GEM, "G1")} <= found
    return (GEM, "G2") in found


def test_what_another_source_cannot_have_known_is_no_part_that_it_counts() -> None:
    assert further()
    assert not further(commissioning_year=2022)


def test_a_plant_of_another_name_and_fuel_is_no_missing_unit() -> None:
    assert not further(primary_fuel="waste")


def test_two_fuels_of_one_site_are_one_plant_where_another_source_has_one_record() -> None:
    assert further(name="Example", primary_fuel="gas")


def test_what_alone_is_what_another_source_means_is_no_part_of_its_neighbour() -> None:
    """A plant that has the neighbour's place in another source closed the gap by a little more."""
    assert not further(capacity_mw=590.0, latitude=50.05)


def test_a_neighbour_of_another_owner_must_score_more_to_be_a_missing_unit() -> None:
    far: dict[str, Any] = {"name": "Example Old Annexe", "latitude": 50.2}
    assert further("Acme Mining Ltd", owner="Acme", **far)
    assert not further("Acme Mining Ltd", owner="Borealis", **far)
    assert further("Acme Mining Ltd", owner="Borealis", latitude=50.0)


def test_a_plan_leaves_no_gap_for_a_neighbour_to_close() -> None:
    """What was announced beside a plant made room for another record of the other source."""
    regions = Regions().apply_all(
        [
            gem("G1", "L1/GOGPT", "Example", 450.0),
            gem("G2", "L1/GOGPT", "Example", 450.0, status="announced"),
            gppd("WRI1", "Example"),
            gppd("WRI2", "Example B", capacity_mw=430.0, latitude=50.002),
        ]
    )
    assert regions.members()[GPPD_ID] == {(GPPD, "WRI1"), (GEM, "G1"), (GEM, "G2")}
