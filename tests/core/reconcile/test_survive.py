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
