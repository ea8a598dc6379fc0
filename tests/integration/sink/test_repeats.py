"""Loading again, wholly or in part, shows nothing twice and loses nothing."""

import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.schema import ensure_schema
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL, content, loader_of, plants, stored_rows
from tests.sink.records import WEIGHTS, batch, framed, outcome, plant

pytestmark = pytest.mark.integration

_PLANTS = ("store_power_plants_latest", "store_power_plants_versions")


def test_the_same_batch_again_shows_nothing_twice(clickhouse: ClickHouse, loader: Loader) -> None:
    result = loader.load(plants(range(100)))
    before = content(clickhouse)
    for _ in range(2):
        again = loader.load(plants(range(100)))
        assert (again.loaded, again.rejected) == (result.loaded, result.rejected)
    assert content(clickhouse) == before
    assert len(before["power_plants"]) == 100


@pytest.mark.parametrize("memory", [0, 10_000])
def test_rows_that_an_insert_lost_come_back_with_the_repeat(
    clickhouse: ClickHouse, loader: Loader, memory: int
) -> None:
    """A full disk took rows of inserts that tables of an earlier version remembered as done."""
    remembering = f"non_replicated_deduplication_window = {memory}"
    for table in _PLANTS:
        clickhouse.command(f"ALTER TABLE {table} MODIFY SETTING {remembering}")
    ensure_schema(clickhouse, WEIGHTS)  # what a sink does when it starts
    loader.load(plants(range(10)))
    before = content(clickhouse)
    for table in _PLANTS:
        clickhouse.command(f"ALTER TABLE {table} DELETE WHERE 1 SETTINGS mutations_sync = 2")
    assert content(clickhouse) != before
    loader.load(plants(range(10)))
    assert content(clickhouse) == before


def test_batches_cut_elsewhere_show_nothing_twice(clickhouse: ClickHouse, loader: Loader) -> None:
    """After a restart the consumer reads the same records in other portions."""
    values = [framed(CANONICAL, plant(number % 7, version=number)) for number in range(30)]
    for start in range(0, 30, 10):
        loader.load(batch(CANONICAL, values[start : start + 10], first_offset=start))
    before = content(clickhouse)
    for start in range(0, 30, 7):
        loader.load(batch(CANONICAL, values[start : start + 7], first_offset=start))
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
    for readable in ("power_plants", "power_plants_history"):
        assert clickhouse.query(f"SELECT count() FROM {readable}").rows == [(6,)]
