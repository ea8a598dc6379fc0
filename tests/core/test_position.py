"""Positions against country and sea: put right when there is only one way, flagged otherwise."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from producers.connector import Pull, PullRequest
from producers.http import HttpSource
from producers.run import Envelope
from producers.sources.wri_powerplants import WriConfig, WriPowerPlantsConnector
from streams.core.errors import Rejected
from streams.core.normalize import normalize
from streams.core.payloads import Payload, PowerPlant
from streams.core.reconcile.publish import canonical_content
from streams.core.records import Correction, Mapped, RawRecord
from streams.core.regions import EUROPE
from streams.core.validate import validate
from tests.core.builders import asset, at, order_of, plant, raw
from tests.core.series import TOLERANCES
from tests.core.test_checks import LINE, PROJECT, RESOURCE, STATION, TERMINAL


def checked(payload: Payload) -> Mapped:
    found = validate(Mapped("P1", payload), raw(), TOLERANCES)
    assert isinstance(found, Mapped)
    return found


def spanish(latitude: float, longitude: float, fuel: str = "gas") -> PowerPlant:
    return replace(
        plant(latitude=latitude, longitude=longitude), country_code="ES", primary_fuel=fuel
    )


def test_swapped_coordinates_are_put_right_with_a_record_of_it() -> None:
    found = checked(spanish(-2.9997, 37.2174))
    assert isinstance(found.payload, PowerPlant)
    assert (found.payload.latitude, found.payload.longitude) == (37.2174, -2.9997)
    assert found.flags == ("position_swapped",)
    assert found.corrections == (
        Correction("latitude", -2.9997, 37.2174, "position_swapped"),
        Correction("longitude", 37.2174, -2.9997, "position_swapped"),
    )


def test_a_lost_sign_is_put_right_and_only_that_figure() -> None:
    argentina = replace(plant(latitude=34.6, longitude=-58.4), country_code="AR")
    found = checked(argentina)
    assert found.flags == ("position_sign_lost",)
    assert found.corrections == (Correction("latitude", 34.6, -34.6, "position_sign_lost"),)


def test_swapped_coordinates_beyond_the_pole_are_put_right_too() -> None:
    china = replace(plant(latitude=104.0, longitude=34.0), country_code="CN")
    assert checked(china).flags == ("position_swapped",)


def test_a_position_that_two_slips_explain_is_not_touched() -> None:
    """Brazil lies on both sides of the equator: either sign of the latitude fits."""
    brazil = replace(plant(latitude=1.0, longitude=60.0), country_code="BR", primary_fuel="wind")
    found = checked(brazil)
    assert found.flags == ("position_outside_country",)
    assert found.payload == brazil


def test_a_position_not_on_earth_that_nothing_explains_is_rejected() -> None:
    found = validate(Mapped("P1", plant(latitude=330310.39)), raw(), TOLERANCES)
    assert isinstance(found, Rejected)
    assert (found.rule_id, found.field) == ("position_out_of_range", "latitude")


@pytest.mark.parametrize("line", [replace(LINE, to_longitude=200.0)])
def test_an_end_of_a_line_not_on_earth_is_rejected(line: Payload) -> None:
    found = validate(Mapped("L1", line), raw(), TOLERANCES)
    assert isinstance(found, Rejected)
    assert found.field == "longitude"


def test_a_wind_park_at_sea_belongs_to_the_country_before_whose_coast_it_stands() -> None:
    park = replace(plant(latitude=54.36, longitude=5.98), primary_fuel="wind")
    assert checked(park).flags == ()


def test_a_wind_park_at_sea_is_not_moved_to_land_by_another_sign() -> None:
    """Hornsea 1 is at 1.42 degrees east; at 1.42 degrees west there is Yorkshire."""
    hornsea = replace(
        plant(latitude=53.6815, longitude=1.4207), primary_fuel="wind", country_code="GB"
    )
    assert checked(hornsea).flags == ()


@pytest.mark.parametrize(
    "asset",
    [
        replace(plant(latitude=54.5, longitude=6.4), country_code=None),
        replace(PROJECT, technology="solar", latitude=54.5, longitude=6.4, country_code=None),
        replace(TERMINAL, latitude=54.5, longitude=6.4, country_code=None),
    ],
    ids=["gas plant", "solar park", "terminal"],
)
def test_an_asset_that_needs_land_is_flagged_at_sea(asset: Payload) -> None:
    assert "position_not_on_land" in checked(asset).flags


@pytest.mark.parametrize(
    "asset",
    [
        replace(TERMINAL, latitude=41.0, longitude=2.5, floating=True),
        replace(TERMINAL, latitude=25.1609, longitude=52.8766, country_code="AE", floating=None),
        replace(STATION, latitude=54.5, longitude=6.4),
        replace(RESOURCE, latitude=54.5, longitude=6.4, country_code=None),
    ],
    ids=["floating terminal", "terminal on an islet", "converter", "resource"],
)
def test_what_may_stand_at_sea_is_not(asset: Payload) -> None:
    assert "position_not_on_land" not in checked(asset).flags


def test_an_end_of_a_line_outside_its_countries_is_flagged() -> None:
    outside = replace(LINE, to_latitude=40.0, to_longitude=-100.0, length_km=7600.0)
    assert checked(outside).flags == ("position_outside_country",)


def test_the_correction_reaches_region_and_readers() -> None:
    record = raw()
    found = checked(spanish(-2.9997, 37.2174))
    outcome = normalize(record, found, "power_plant", order_of(record), at(0), None)
    normalized = asset(outcome.normalized[0])
    assert normalized["region"] == EUROPE
    assert [correction["field"] for correction in normalized["corrections"]] == [
        "latitude",
        "longitude",
    ]
    canonical = canonical_content("id", "power_plant", "current", None, [normalized], [], {})
    assert canonical["flags"] == ["position_swapped"]
    rules = {entry["rule"]: entry["fields"] for entry in canonical["provenance"]}
    assert rules["corrected"] == ["latitude", "longitude"]


@pytest.mark.real_data
def test_three_swapped_plants_of_the_real_database_are_found_and_no_other(
    flags: Mapping[str, Collection[str]],
) -> None:
    """Hardly any other plant lies outside its country, so hardly any alarm can be false."""
    swapped = sorted(key for key, found in flags.items() if "position_swapped" in found)
    assert swapped == ["WRI1006494", "WRI1007043", "WRI1023535"]
    outside = [key for key, found in flags.items() if "position_outside_country" in found]
    assert len(outside) < 20


@pytest.fixture(scope="module")
def flags(real_data: Path) -> Mapping[str, Collection[str]]:
    """Of every plant of the real database."""
    return {raw.record_id: checked_raw(raw).flags for raw in real_plants(real_data)}


def checked_raw(raw: RawRecord) -> Mapped:
    mapped = WriPowerPlantsConnector.map_to_schema(raw)
    assert isinstance(mapped, Mapped)
    found = validate(mapped, raw, TOLERANCES)
    assert isinstance(found, Mapped)
    return found


def real_plants(real_data: Path) -> Iterator[RawRecord]:
    file = real_data / "wri/global_power_plant_database.csv"
    connector = WriPowerPlantsConnector(WriConfig(location=str(file)))
    envelope = Envelope(connector, "run")
    with HttpSource(connector.config.http) as http:
        request = PullRequest({}, date(2026, 6, 1))
        for item in connector.pull_or_subscribe(http, request, Pull({})):
            yield envelope.observed(item)


@pytest.mark.real_data
def test_the_plants_with_more_generation_than_their_capacity_allows_are_flagged(
    flags: Mapping[str, Collection[str]],
) -> None:
    """87 by reports, one of them Eraring: 41.5 MW of a unit, 14,993 GWh; 16 by estimates."""
    flagged = {key for key, found in flags.items() if "generation_above_capacity" in found}
    assert "AUS0000306" in flagged
    assert len(flagged) == 103
