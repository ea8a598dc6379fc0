"""Regions keep neighbours in one partition."""

import pytest

from streams.core.regions import EAST_ASIA, EUROPE, NORTH_AMERICA, REST_OF_WORLD, region_of


@pytest.mark.parametrize(
    ("latitude", "longitude", "region"),
    [
        (50.1, 8.7, EUROPE),
        (64.1, -21.9, EUROPE),
        (40.7, -74.0, NORTH_AMERICA),
        (21.3, -157.8, NORTH_AMERICA),
        (35.7, 139.7, EAST_ASIA),
        (39.9, 116.4, EAST_ASIA),
        (-33.9, 18.4, REST_OF_WORLD),
        (36.7, 3.0, REST_OF_WORLD),
        (35.7, -0.7, REST_OF_WORLD),
        (36.8, 10.2, REST_OF_WORLD),
        (35.9, -5.5, REST_OF_WORLD),
        (36.01, -5.6, EUROPE),
        (37.6, -0.9, EUROPE),
        (36.75, -2.2, EUROPE),
        (37.9, 12.5, EUROPE),
        (35.9, 14.4, EUROPE),
        (28.6, 77.2, REST_OF_WORLD),
    ],
)
def test_position_decides(latitude: float, longitude: float, region: int) -> None:
    assert region_of(latitude, longitude, None) == region


def test_position_wins_over_a_wrong_country() -> None:
    assert region_of(50.1, 8.7, "US") == EUROPE


@pytest.mark.parametrize(
    ("country", "region"),
    [("DE", EUROPE), ("US", NORTH_AMERICA), ("CN", EAST_ASIA), ("ZA", REST_OF_WORLD), (None, 3)],
)
def test_country_decides_without_a_position(country: str | None, region: int) -> None:
    assert region_of(None, None, country) == region
    assert region_of(50.0, None, country) == region


@pytest.mark.parametrize(
    "border",
    [((49.0, 8.0), (48.9, 8.1)), ((31.0, -115.0), (33.0, -115.0)), ((42.0, 128.0), (41.5, 128.0))],
)
def test_neighbours_across_a_border_share_a_region(
    border: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    (here, there) = border
    assert region_of(*here, None) == region_of(*there, None)
