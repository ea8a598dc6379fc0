"""Ids that a list gives to several things."""

from collections.abc import Sequence
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from producers.formats.shared_ids import Sighting, told_apart
from producers.formats.tracker_position import Place
from streams.core.geodesy import distance_km
from streams.core.regions import region_of


def row(record_id: str, latitude: float, longitude: float, country: str = "DZ") -> Sighting:
    return Sighting("plant", record_id, Place(latitude, longitude, country))


def test_machines_all_over_a_country_are_a_plant_a_site() -> None:
    rows = [row("1", 30.0, 3.0), row("2", 30.1, 3.1), row("3", 35.0, 3.0), row("4", 28.0, 8.0)]
    rows.append(row("5", 35.1, 3.1))
    for order in permutations(rows):
        assert told_apart(order) == {"3": "3", "5": "3", "4": "4"}


def test_a_row_of_stations_each_near_the_next_is_one_site() -> None:
    assert told_apart([row(str(n), 30.0 + 0.8 * n, 3.0) for n in range(5)]) == {}


def test_two_sites_of_another_country_have_two_names() -> None:
    rows = [row("1", 30.0, 3.0), row("2", 24.0, 14.0, "LY"), row("3", 32.0, 21.0, "LY")]
    assert told_apart(rows) == {"2": "LY", "3": "3"}


@given(
    st.lists(
        st.tuples(st.sampled_from((30.0, 34.5, 36.5, 40.0)), st.sampled_from((1.0, 3.0, 9.0))),
        min_size=1,
        max_size=8,
    )
)
def test_every_site_is_in_one_region_and_has_its_near_neighbours(
    places: Sequence[tuple[float, float]],
) -> None:
    rows = [row(str(n), *place) for n, place in enumerate(places)]
    names = told_apart(rows)
    assert "0" not in names
    for one in rows:
        for other in rows:
            same = names.get(one.record_id) == names.get(other.record_id)
            here, there = places[int(one.record_id)], places[int(other.record_id)]
            in_one_region = region_of(*here, "DZ") == region_of(*there, "DZ")
            assert not same or in_one_region
            assert same or not in_one_region or distance_km(here, there) > 100
