"""What the figures of gas days draw."""

from datetime import date

from streams.serve.page.lng_figures import (
    fullness_figure,
    inventory_figure,
    send_out_figure,
    unloading_figure,
)
from tests.serve.page.test_lng_view import gas_day


def test_a_year_is_drawn_on_the_range_of_those_before() -> None:
    days = [
        gas_day(date(2023, 3, 1), fullness_pct=20.0),
        gas_day(date(2024, 3, 1), fullness_pct=40.0),
        gas_day(date(2025, 3, 1), fullness_pct=70.0),
    ]
    lowest, highest, mean, year = fullness_figure(days, "light", 2025)["data"]
    assert [one["y"] for one in (lowest, highest, mean, year)] == [[20.0], [40.0], [30.0], [70.0]]
    assert {one["x"][0] for one in (lowest, highest, mean, year)} == {date(2024, 3, 1)}


def test_the_first_year_has_nothing_to_be_compared_with() -> None:
    (year,) = fullness_figure([gas_day(date(2024, 2, 29))], "dark", 2024)["data"]
    assert year["name"] == "2024"


def test_a_day_without_a_figure_is_a_gap() -> None:
    days = [gas_day(date(2025, 1, day), inventory_gwh=None if day == 2 else 1.0) for day in (1, 2)]
    inventory = inventory_figure(days, "light")["data"][1]
    assert inventory["y"] == [1.0, None]
    assert inventory["connectgaps"] is False


def test_estimates_are_marked() -> None:
    days = [gas_day(date(2025, 1, 1)), gas_day(date(2025, 1, 2), status="estimated")]
    for draw in (inventory_figure, send_out_figure):
        estimated = draw(days, "light")["data"][-1]
        assert (estimated["name"], estimated["x"]) == ("Estimated", [date(2025, 1, 2)])


def test_unloadings_are_said_to_be_derived_and_have_their_uncertainty() -> None:
    known = gas_day(ship_unloading_gwh=80.0, ship_unloading_uncertainty_gwh=9.0)
    (bars,) = unloading_figure([gas_day(), known], "light")["data"]
    assert bars["name"] == "Unloading, derived"
    assert (bars["y"], bars["error_y"]["array"]) == ([80.0], [9.0])


def test_unloadings_within_their_uncertainty_are_marked_as_noise() -> None:
    days = [
        gas_day(ship_unloading_gwh=gwh, ship_unloading_uncertainty_gwh=9.0)
        for gwh in (80.0, 3.0, -8.0, -80.0)
    ]
    clear, noise = unloading_figure(days, "light")["data"]
    assert (clear["y"], noise["y"]) == ([80.0, -80.0], [3.0, -8.0])
    assert (noise["name"], noise["opacity"] < 1) == ("Within its uncertainty", True)
