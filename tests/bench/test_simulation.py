"""The simulation of a thousand times the data: nothing is lost in it, and it answers as it must."""

from dataclasses import replace

import pytest

from tests.bench.simulation import (
    GAS_DAYS_A_YEAR,
    LISTED,
    REGION_SHARES,
    RELEASES_A_YEAR,
    TIMES,
    Scenario,
    arrivals,
    needs,
    simulate,
    split,
)

REGIONS = Scenario("regions", REGION_SHARES, 4, spread=False)


@pytest.mark.parametrize("spread", [True, False])
def test_a_day_has_its_share_of_a_year_however_polls_are_spread(spread: bool) -> None:
    year = (GAS_DAYS_A_YEAR + LISTED * RELEASES_A_YEAR) * TIMES
    assert sum(arrivals(spread)) == pytest.approx(year / 365)


def test_cells_are_the_regions_in_parts() -> None:
    cells = split(REGION_SHARES, 8)
    for region, share in enumerate(REGION_SHARES):
        assert sum(cells[8 * region : 8 * region + 8]) == pytest.approx(share)
    assert sum(REGION_SHARES) == pytest.approx(1)


def test_workers_beyond_the_partitions_help_no_more_and_cells_do() -> None:
    """That is what a region cannot give."""
    four, many = simulate(REGIONS), simulate(replace(REGIONS, workers=16))
    assert (many.longest_minutes, many.left) == (four.longest_minutes, 0)
    cells = simulate(Scenario("cells", split(REGION_SHARES, 32), 16, spread=False))
    assert cells.longest_minutes < four.longest_minutes / 2


def test_a_slow_partition_holds_up_what_is_behind_it_and_no_other() -> None:
    slow = simulate(replace(REGIONS, slow=(0, 0.01)))
    assert slow.left > 0
    share = slow.left / sum(arrivals(spread=False))
    assert share < REGION_SHARES[0]


def test_the_arithmetic_names_what_outgrows_one_process() -> None:
    found = {need.what: need for need in needs()}
    assert found["state of the largest region"].then.endswith(" GB")
    assert found["raw records a year"].then == f"{(GAS_DAYS_A_YEAR + LISTED * 12) * TIMES:,}"
    assert found["raw records a year, of what changes"].now == "109,302"
