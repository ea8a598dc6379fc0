"""Positions and the countries they are in."""

import csv
import gzip
import zlib
from pathlib import Path

import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.geography import GRID_FILE, countries_at, country_at, is_land
from tests.core.country_grid import build


@pytest.mark.parametrize(
    ("latitude", "longitude", "countries"),
    [
        (52.5, 13.4, {"DE"}),
        (48.58, 7.8, {"DE", "FR"}),
        (30.0, -40.0, set()),
        (1.3, 103.8, {"SG"}),
        (66.0, -175.0, {"RU"}),
        (-17.8, 178.0, {"FJ"}),
        (42.66, 21.16, {"XK", "RS"}),
        (45.0, 34.0, {"UA", "RU"}),
        (4.0, -53.0, {"GF", "FR"}),
        (24.0, -14.0, {"EH", "MA"}),
        (-90.0, -90.0, {"AQ"}),
        (90.0, 180.0, set()),
        (91.0, 0.0, set()),
        (0.0, 180.1, set()),
        (float("nan"), 0.0, set()),
    ],
)
def test_countries_near_a_position(latitude: float, longitude: float, countries: set[str]) -> None:
    assert countries_at(latitude, longitude) == countries
    assert is_land(latitude, longitude) == bool(countries)


@pytest.mark.parametrize(
    ("latitude", "longitude", "country"),
    [
        (48.58, 7.8, "DE"),
        (41.9, 12.45, "IT"),
        (42.66, 21.16, "XK"),
        (4.0, -53.0, "GF"),
        (24.0, -14.0, "EH"),
        (53.5, 14.25, "DE"),
        (30.0, -40.0, None),
    ],
)
def test_the_one_country_of_a_position(
    latitude: float, longitude: float, country: str | None
) -> None:
    assert country_at(latitude, longitude) == country


def test_a_harbour_outside_of_the_outline_belongs_to_the_one_country_near_it() -> None:
    assert country_at(51.13, 1.42) == "GB"


@settings(derandomize=True, max_examples=300)
@given(st.floats(-90, 90), st.floats(-180, 180))
def test_the_one_country_is_among_the_near_ones(latitude: float, longitude: float) -> None:
    one = country_at(latitude, longitude)
    assert one is None or one in countries_at(latitude, longitude)


@pytest.mark.real_data
def test_nearly_every_plant_of_the_world_lies_in_its_country(real_data: Path) -> None:
    inside = total = 0
    with gzip.open(real_data / "reconcile" / "gppd_plants.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            country = pycountry.countries.get(alpha_3=row["country"])
            code = "XK" if country is None else country.alpha_2
            total += 1
            inside += code in countries_at(float(row["latitude"]), float(row["longitude"]))
    assert inside / total > 0.995, f"{total - inside} of {total} outside"


@pytest.mark.soak
@pytest.mark.real_data
def test_the_grid_is_what_its_recipe_gives(real_data: Path, tmp_path: Path) -> None:
    build(real_data / "geo" / "world-50m-natural-earth.geojson", tmp_path / "grid.bin")
    built, stored = (tmp_path / "grid.bin").read_bytes(), GRID_FILE.read_bytes()
    assert zlib.decompress(built) == zlib.decompress(stored)
