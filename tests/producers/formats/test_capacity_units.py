"""Units of capacities, and whether a solar plant's is that of its panels or of its inverters."""

import pytest

from producers.formats.capacity_units import megawatts_per, rating_of
from producers.sources.gem_transmission.power_units import power_unit
from producers.sources.reexplorer.projects import project
from streams.core.payloads import PowerPlant, RenewableProject
from streams.core.records import Mapped

SOLAR = {
    "GEM phase ID": "G1",
    "GEM location ID": "L1",
    "Project Name": "Toy",
    "Country/Area": "India",
    "Status": "announced",
    "Capacity (MW)": "50",
    "Technology Type": "PV",
}


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("MWac", "ac"),
        ("MWp/dc", "dc"),
        ("MWp", "dc"),
        ("MW DC", "dc"),
        ("ac", "ac"),
        ("MW (peak)", "dc"),
        ("unknown", None),
        ("MW", None),
        ("MWe", None),
        ("MWac / MWdc", None),
        ("", None),
        (None, None),
    ],
)
def test_a_rating_is_read_from_the_words_of_the_tracker(text: str | None, rating: str) -> None:
    assert rating_of(text) == rating


@pytest.mark.parametrize(
    ("unit", "megawatts"),
    [
        ("MW", 1.0),
        ("MWp/dc", 1.0),
        ("MW ac", 1.0),
        ("kWp", 0.001),
        ("GW", 1000.0),
        ("MWe", 1.0),
        ("MWth", None),
        ("MWh", None),
        ("mtpa", None),
        ("", None),
    ],
)
def test_a_unit_of_electric_power_is_converted(unit: str, megawatts: float | None) -> None:
    assert megawatts_per(unit) == megawatts


@pytest.mark.parametrize(("text", "rating"), [("MWac", "ac"), ("MWp/dc", "dc"), ("unknown", None)])
def test_plants_and_projects_keep_what_their_capacity_is_rated_for(
    text: str, rating: str | None
) -> None:
    columns = {**SOLAR, "Capacity Rating": text}
    plant, planned = power_unit("G1", columns, "GSPT", None), project("G1", columns, "solar")
    assert isinstance(plant, Mapped)
    assert isinstance(planned, Mapped)
    assert isinstance(plant.payload, PowerPlant)
    assert isinstance(planned.payload, RenewableProject)
    assert (plant.payload.capacity_rating, planned.payload.capacity_rating) == (rating, rating)
    assert (plant.payload.capacity_mw, plant.flags) == (50.0, ())


def test_the_unit_of_the_interface_says_it_where_no_column_does() -> None:
    columns = {"asset_id": "G1", "asset_name": "Toy", "location_id": "L1", "asset_type": "solar"}
    columns |= {"operating_sub_status": "operating", "capacity_value": "9", "capacity_unit": "MWp"}
    plant = power_unit("G1", columns, None, None)
    assert isinstance(plant, Mapped)
    assert isinstance(plant.payload, PowerPlant)
    assert (plant.payload.capacity_mw, plant.payload.capacity_rating) == (9.0, "dc")


def test_without_a_capacity_there_is_no_rating() -> None:
    plant = power_unit("G1", {**SOLAR, "Capacity (MW)": "", "Capacity Rating": "ac"}, "GSPT", None)
    assert isinstance(plant, Mapped)
    assert isinstance(plant.payload, PowerPlant)
    assert plant.payload.capacity_rating is None
