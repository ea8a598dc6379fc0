"""Survivorship: whose value is shown, what lost, and what is flagged."""

from streams.core import contract_types as avro
from streams.core.reconcile.survive import Survived, survive
from tests.core.reconcile.builders import gem, gppd


def members(*records: avro.NormalizedAsset) -> list[avro.NormalizedAsset]:
    return sorted(records, key=lambda record: (record["source_id"], record["record_id"]))


def plant(survived: Survived) -> avro.PowerPlant:
    assert "primary_fuel" in survived.payload
    return survived.payload


def test_one_record_answers_why_the_capacity_is_what_it_is() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", capacity_mw=300.0),
            gem("G1", "L1/GCPT", "Example", 200),
            gem("G2", "L1/GCPT", "Example", 250),
        ),
    )
    assert plant(survived)["capacity_mw"] == 450
    (entry,) = (one for one in survived.provenance if "capacity_mw" in one["fields"])
    assert (entry["member"], entry["rule"]) == (0, "sum_of_units")
    assert {"field": "capacity_mw", "member": 2, "value": "300.0"} in entry["losing"]
    assert survived.flags == ["capacity_conflict"]


def test_every_filled_field_stands_in_exactly_one_entry() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", owner="One"),
            gem("G1", "L1/GCPT", "Exempel", 450, owner="Two", aliases=("Beispiel",)),
        ),
    )
    named = [name for entry in survived.provenance for name in entry["fields"]]
    filled = [name for name, value in survived.payload.items() if value not in (None, [], ())]
    assert sorted(named) == sorted(filled)


def test_positions_are_never_averaged_and_their_spread_is_kept() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", latitude=50.01, position_source="GEODB"),
            gem("G1", "L1/GCPT", "Example", 450, position_accuracy="exact"),
        ),
    )
    assert plant(survived)["latitude"] == 50.0
    assert plant(survived)["position_accuracy"] == "exact"
    assert plant(survived)["position_source"] is None
    assert survived.position_spread_km == 1.112


def test_a_surveyed_position_wins_over_an_approximate_one() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", latitude=50.01, position_source="Registry"),
            gem("G1", "L1/GCPT", "Example", 450, position_accuracy="approximate"),
        ),
    )
    assert plant(survived)["latitude"] == 50.01


def test_only_running_units_count_for_a_running_plant() -> None:
    survived = survive(
        "power_plant",
        members(
            gem("G1", "L1/GCPT", "Example", 200),
            gem("G2", "L1/GCPT", "Example", 900, status="announced"),
        ),
    )
    assert plant(survived)["capacity_mw"] == 200
    assert plant(survived)["status"] == "operating"
    assert len(plant(survived)["units"]) == 2


def test_a_planned_record_takes_neither_status_nor_name_nor_capacity_of_a_running_plant() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", capacity_mw=54.0),
            gem("G1", "L1/GHPT", "Example Extension", 318.0, status="shelved"),
        ),
    )
    found = plant(survived)
    assert (found["name"], found["status"], found["capacity_mw"]) == ("Example", "operating", 54)
    assert found["aliases"] == ["Example Extension"]
    assert "status_conflict" in survived.flags


def test_a_plant_that_was_retired_since_is_retired_without_a_conflict() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example"),
            gem("G1", "L1/GCPT", "Example", 450.0, status="retired"),
            gem("G2", "L1/GCPT", "Example", 900.0, status="construction"),
        ),
    )
    assert (plant(survived)["status"], plant(survived)["capacity_mw"]) == ("retired", 450)
    assert survived.flags == []


def test_an_older_source_that_calls_a_running_plant_retired_is_a_conflict() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", status="retired"),
            gem("G1", "L1/GCPT", "Example", 450.0),
        ),
    )
    assert plant(survived)["status"] == "operating"
    assert survived.flags == ["status_conflict"]


def test_a_plan_that_no_source_sees_running_is_no_conflict() -> None:
    survived = survive(
        "power_plant",
        members(
            gppd("WRI1", "Example", status="construction"),
            gem("G1", "L1/GCPT", "Example", 450.0, status="announced"),
        ),
    )
    assert plant(survived)["status"] == "announced"
    assert survived.flags == []


def test_the_rating_is_that_of_the_source_whose_capacity_is_shown() -> None:
    rated = gppd("WRI1", "Example", capacity_mw=54.0, capacity_rating="dc")
    survived = survive("power_plant", members(rated, gem("G1", "L1/GSPT", "Example", 40)))
    assert (plant(survived)["capacity_mw"], plant(survived)["capacity_rating"]) == (40, None)
    own = gem("G1", "L1/GSPT", "Example", 40, capacity_rating="ac")
    survived = survive("power_plant", members(rated, own))
    assert (plant(survived)["capacity_mw"], plant(survived)["capacity_rating"]) == (40, "ac")


def test_a_sum_of_units_that_are_rated_otherwise_has_no_rating() -> None:
    ac = gem("G1", "L1/GSPT", "Example", 40, capacity_rating="ac")
    more = gem("G2", "L1/GSPT", "Example", 10, capacity_rating="ac")
    dc = gem("G2", "L1/GSPT", "Example", 10, capacity_rating="dc")
    planned = gem("G3", "L1/GSPT", "Example", 10, capacity_rating="dc", status="announced")
    assert plant(survive("power_plant", members(ac, more, planned)))["capacity_rating"] == "ac"
    assert plant(survive("power_plant", members(ac, dc)))["capacity_rating"] is None
    silent = gem("G2", "L1/GSPT", "Example", 10)
    assert plant(survive("power_plant", members(ac, silent)))["capacity_rating"] is None
