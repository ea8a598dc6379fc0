"""The feed of changes gives every version once, in order, whatever is loaded meanwhile."""

from collections.abc import Sequence
from datetime import date

import pytest

from streams.clickhouse.change_queries import (
    Change,
    Positions,
    TopicRecreatedError,
    changes_between,
    loaded_positions,
    position_after,
)
from streams.clickhouse.client import ClickHouse
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL, loader_of
from tests.sink.records import batch, framed, gas_day, plant

pytestmark = pytest.mark.integration

START: dict[int, int] = {}


def until(clickhouse: ClickHouse) -> Positions:
    found = loaded_positions().run(clickhouse)
    return Positions(
        found[0].topic_id, {partition.partition: partition.offset for partition in found}
    )


def load(loader: Loader, numbers: Sequence[int], *, first_offset: int, partition: int = 0) -> None:
    values = [
        framed(
            CANONICAL,
            plant(number)
            if number % 3
            else gas_day(date(2026, 1, 1 + number % 28), version=number),
        )
        for number in numbers
    ]
    loader.load(batch(CANONICAL, values, first_offset=first_offset, partition=partition))


def read_all(
    clickhouse: ClickHouse, after: Positions, limit: int
) -> tuple[list[Change], Positions]:
    read: list[Change] = []
    while True:
        end = until(clickhouse)
        page = changes_between(after, end, limit=limit).run(clickhouse)
        read += page
        following = position_after(after, end, page, limit)
        if following == after:
            return read, after
        after = following


def test_every_version_comes_once_and_in_order(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, range(10), first_offset=5)
    load(loader, range(10, 14), first_offset=0, partition=3)
    start = Positions(until(clickhouse).topic_id, START)
    read, position = read_all(clickhouse, start, limit=3)
    places = [(change.partition, change.offset) for change in read]
    assert sorted(places) == [
        *((0, number) for number in range(5, 15)),
        *((3, number) for number in range(4)),
    ]
    assert len(set(places)) == len(places)
    for partition in (0, 3):
        own = [offset for number, offset in places if number == partition]
        assert own == sorted(own)
    load(loader, [20], first_offset=15)
    more, _ = read_all(clickhouse, position, limit=3)
    assert [(change.partition, change.offset, change.record_id) for change in more] == [
        (0, 15, "plant-20")
    ]


def test_a_batch_loaded_twice_comes_once(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, range(10), first_offset=0)
    load(loader, range(4, 10), first_offset=4)
    start = Positions(until(clickhouse).topic_id, START)
    read, _ = read_all(clickhouse, start, limit=100)
    assert [change.offset for change in read] == list(range(10))


def test_what_is_only_partly_stored_is_not_shown_yet(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    """A batch is an insert for each kind; a reader that passed one would never see the other."""
    load(loader, range(4), first_offset=0)
    clickhouse.command(
        "INSERT INTO store_changes (topic_id, partition, offset, kind, record_id, body) "
        "VALUES ('first life of the topic', 0, 9, 'power_plant', 'plant-9', '{}')"
    )
    start = Positions(until(clickhouse).topic_id, START)
    read, position = read_all(clickhouse, start, limit=100)
    assert [change.offset for change in read] == [0, 1, 2, 3]
    assert position.offsets == {0: 3}


def test_only_some_kinds_may_be_asked_for(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, range(9), first_offset=0)
    end = until(clickhouse)
    start = Positions(end.topic_id, START)
    page = changes_between(start, end, ["lng_inventory"], limit=2).run(clickhouse)
    assert [change.offset for change in page] == [0, 3]
    position = position_after(start, end, page, 2)
    rest = changes_between(position, end, ["lng_inventory"], limit=2).run(clickhouse)
    assert [change.offset for change in rest] == [6]
    assert position_after(position, end, rest, 2).offsets == {0: 8}


def test_a_position_of_an_earlier_life_of_the_topic_is_refused(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    load(loader, range(4), first_offset=0)
    earlier = until(clickhouse)
    values = [framed(CANONICAL, plant(1, version=9))]
    later = batch(CANONICAL, values, timestamp=1_900_000_000_000)
    loader_of(clickhouse, "second life").load(later)
    end = until(clickhouse)
    assert end.topic_id == "second life"
    with pytest.raises(TopicRecreatedError, match="without a cursor"):
        changes_between(earlier, end)
