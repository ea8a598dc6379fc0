"""The data dictionary of an export: valid, complete, and taken from the contracts."""

import json
from typing import Any

import pytest
from frictionless import FrictionlessException, Package

from streams.clickhouse.data_package import Credit, Resource, data_package, null_meaning
from streams.clickhouse.views import View, views
from streams.core.quality import DIMENSIONS

VIEWS = views(dict.fromkeys(DIMENSIONS, 1 / len(DIMENSIONS)))
CREDITS = [
    Credit("wri_powerplants", "CC-BY-4.0", "World Resources Institute"),
    Credit("alsi_lng_inventory", "LicenseRef-GIE-free-use-with-credit", "GIE ALSI"),
]


def package(*only: View) -> dict[str, Any]:
    resources = [Resource.of(view, view.name.encode()) for view in only or VIEWS]
    found: dict[str, Any] = json.loads(data_package(resources, CREDITS))
    return found


def field(view: str, name: str) -> dict[str, Any]:
    (resource,) = [one for one in package()["resources"] if one["title"] == view]
    (found,) = [one for one in resource["schema"]["fields"] if one["name"] == name]
    assert isinstance(found, dict)
    return found


def test_frictionless_finds_nothing_wrong_with_it() -> None:
    described = Package.from_descriptor(package())
    assert [resource.path for resource in described.resources] == [
        f"{view.name}.parquet" for view in VIEWS
    ]
    errors = list(Package.metadata_validate(package()))
    assert errors == []


def test_it_validates_what_it_is_given() -> None:
    """The check above would see a wrong type."""
    wrong = package(VIEWS[0])
    wrong["resources"][0]["schema"]["fields"][0]["type"] = "text"
    with pytest.raises(FrictionlessException, match="text"):
        list(Package.metadata_validate(wrong))


def test_every_column_of_every_view_says_what_it_is() -> None:
    for resource, view in zip(package()["resources"], VIEWS, strict=True):
        fields = resource["schema"]["fields"]
        assert [one["name"] for one in fields] == [column.name for column in view.columns]
        for one in fields:
            assert one["description"]
            assert one["constraints"]["required"] == ("null_means" not in one)


def test_units_nulls_and_sources_come_from_names_and_contracts() -> None:
    capacity = field("power_plants", "capacity_mw")
    assert capacity["type"] == "number"
    assert capacity["unit"] == "MW"
    assert capacity["source"] == "market.infrastructure: power_plant.capacity_mw"
    send_out = field("lng_inventory_days", "send_out_gwh_per_day")
    assert send_out["unit"] == "GWh/d"
    assert send_out["null_means"] == "not reported"
    assert send_out["source"] == "market.infrastructure: lng_inventory.send_out_gwh_per_day"
    assert field("lng_inventory_days", "series_id")["source"] == "view lng_inventory_days"
    assert field("lng_inventory", "gas_day")["type"] == "date"
    assert field("power_plants", "known_at")["source"] == "market.infrastructure: known_at"
    assert field("power_plants", "links")["type"] == "array"
    assert field("record_outcomes", "rule_id")["source"] == "record.outcomes: rule_id"
    assert "unit" not in field("power_plants", "commissioning_year")


@pytest.mark.parametrize(
    ("comment", "meaning"),
    [
        ("Energy in tanks, GWh. Null: not reported.", "not reported"),
        ("ISO 3166-1 alpha-2; null for eu.", "for eu"),
        ("Null unless terminal.", "unless terminal"),
        ("Rule that rejected; null unless rejected.", "unless rejected"),
        (
            "Derived, GWh. Null: a figure of the day is missing, or not derived yet.",
            "a figure of the day is missing, or not derived yet",
        ),
    ],
)
def test_what_null_means_is_in_the_words_of_the_contract(comment: str, meaning: str) -> None:
    assert null_meaning(comment) == meaning


def test_every_nullable_column_says_what_null_means() -> None:
    silent = [
        (view.name, column.name)
        for view in VIEWS
        for column in view.columns
        if column.type.startswith("Nullable") and "null" not in column.comment.lower()
    ]
    assert silent == []


def test_it_says_nothing_of_the_run() -> None:
    assert data_package([], CREDITS) == data_package([], list(reversed(CREDITS)))
