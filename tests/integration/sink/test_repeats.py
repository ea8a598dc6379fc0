"""Loading again, wholly or in part, shows nothing twice and loses nothing."""

import pytest

from streams.clickhouse.client import ClickHouse
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL, content, loader_of, plants, stored_rows
from tests.sink.records import batch, framed, outcome, plant

pytestmark = pytest.mark.integration


def test_the_same_batch_again_stores_nothing(clickhouse: ClickHouse, loader: Loader) -> None:
    result = loader.load(plants(range(100)))
    for _ in range(2):
        again = loader.load(plants(range(100)))
        assert (again.loaded, again.rejected) == (result.loaded, result.rejected)
    for table in ("store_power_plants_versions", "store_power_plants_latest"):
        assert stored_rows(clickhouse, table) == 100


def test_tokens_survive_a_restart_of_the_sink(clickhouse: ClickHouse, loader: Loader) -> None:
    loader.load(plants(range(10)))
    loader_of(clickhouse, "first life of the topic").load(plants(range(10)))
    assert stored_rows(clickhouse) == 10


def test_batches_cut_elsewhere_show_nothing_twice(clickhouse: ClickHouse, loader: Loader) -> None:
    """After a restart the consumer reads the same records in other portions."""
    values = [framed(CANONICAL, plant(number % 7, version=number)) for number in range(30)]
    for start in range(0, 30, 10):
        loader.load(batch(CANONICAL, values[start : start + 10], first_offset=start))
    before = content(clickhouse)
    for start in range(0, 30, 7):
        loader.load(batch(CANONICAL, values[start : start + 7], first_offset=start))
    assert stored_rows(clickhouse) > 30
    assert content(clickhouse) == before


def test_a_recreated_topic_is_not_taken_for_a_repeat(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    """Its offsets start again at 0 with other records."""
    loader.load(plants([1, 2, 3], version=1))
    loader_of(clickhouse, "second life").load(plants([1, 2, 3], version=2))
    assert clickhouse.query("SELECT DISTINCT version FROM power_plants").rows == [(2,)]


def test_loading_a_recreated_topic_ends_with_equal_content(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    first = plants(range(20))
    outcomes = batch(
        "record.outcomes", [framed("record.outcomes", outcome(number)) for number in range(20)]
    )
    loader.load(first)
    loader.load(outcomes)
    before = content(clickhouse)
    again = loader_of(clickhouse, "second life")
    again.load(first)
    again.load(outcomes)
    assert stored_rows(clickhouse) == 40
    assert content(clickhouse) == before


@pytest.mark.parametrize("lost", ["store_power_plants_latest", "store_power_plants_versions"])
def test_a_crash_between_two_tables_is_made_good(
    clickhouse: ClickHouse, loader: Loader, lost: str
) -> None:
    """One table got the batch, the other did not: the repeat must fill that one only."""
    loader.load(plants([0]))
    (view,) = clickhouse.query(
        "SELECT name FROM system.tables WHERE engine = 'MaterializedView' "
        "AND name LIKE {pattern:String}",
        {"pattern": f"landing_market_infrastructure_%_{lost}"},
    ).rows[0]
    clickhouse.command(f"DETACH TABLE {view}")
    rows = [framed(CANONICAL, plant(number)) for number in range(1, 6)]
    loader.load(batch(CANONICAL, rows, first_offset=1))
    assert stored_rows(clickhouse, lost) == 1
    clickhouse.command(f"ATTACH TABLE {view}")
    loader.load(batch(CANONICAL, rows, first_offset=1))
    for table in ("store_power_plants_latest", "store_power_plants_versions"):
        assert stored_rows(clickhouse, table) == 6
