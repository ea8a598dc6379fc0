"""Where ClickHouse refuses everything it is not the records, and what was put aside comes back."""

import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_sink_rejects
from streams.core.errors import RejectionLimitError
from streams.sink.loader import Loader
from streams.sink.rejects import RejectChoice, load_again
from tests.sink.engine import CANONICAL, LIMITS, content, loader_of, plants, stored_rows
from tests.sink.records import batch, framed, plant

pytestmark = pytest.mark.integration

CUT = framed(CANONICAL, plant(1))[:-1]


def test_a_server_that_refuses_insert_after_insert_is_waited_for(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    refused = batch(CANONICAL, [CUT] * (LIMITS.consecutive + 50))
    for _ in range(2):
        with pytest.raises(RejectionLimitError, match=f"make resume SOURCE={CANONICAL}"):
            loader.load(refused)
    assert count_sink_rejects(clickhouse) == 0

    result = loader.load_resumed(refused)
    assert result.rules == {"refused_by_clickhouse": LIMITS.consecutive + 50}
    assert count_sink_rejects(clickhouse) == LIMITS.consecutive + 50
    assert loader.load(plants(range(5))).loaded == 5


def test_rejections_of_small_batches_add_up(clickhouse: ClickHouse, loader: Loader) -> None:
    for number in range(LIMITS.consecutive - 1):
        loader.load(batch(CANONICAL, [b"junk"], first_offset=number))
    with pytest.raises(RejectionLimitError, match="100 consecutive records were rejected"):
        loader.load(batch(CANONICAL, [b"junk"], first_offset=LIMITS.consecutive))
    loader.load(batch(CANONICAL, [framed(CANONICAL, plant(1))], first_offset=500))
    loader.load(batch(CANONICAL, [b"junk"], first_offset=501))
    assert count_sink_rejects(clickhouse) == LIMITS.consecutive


def test_partitions_that_are_loaded_together_are_judged_each_by_its_own(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    good = batch(CANONICAL, [framed(CANONICAL, plant(number)) for number in range(3)])
    few = batch(CANONICAL, [b"junk"] * (LIMITS.consecutive - 1), partition=1)
    more = batch(CANONICAL, [b"junk"], first_offset=LIMITS.consecutive, partition=2)
    assert loader.load(good, few, more).rules == {"bad_framing": LIMITS.consecutive}

    another = batch(CANONICAL, [b"junk"], first_offset=LIMITS.consecutive, partition=1)
    with pytest.raises(RejectionLimitError, match=f"{CANONICAL}/1: 100 consecutive"):
        loader.load(good, another)
    assert count_sink_rejects(clickhouse) == LIMITS.consecutive
    assert loader.load(good).loaded == 3


def test_records_that_were_refused_are_loaded_when_what_refused_them_is_put_right(
    clickhouse: ClickHouse,
) -> None:
    good = plants(range(20))
    loader_of(clickhouse, "topic").load(good)
    expected = content(clickhouse)
    for table in ("store_power_plants_versions", "store_power_plants", "store_infrastructure"):
        clickhouse.command(f"TRUNCATE TABLE IF EXISTS {table}")
    before = Loader(clickhouse, lambda schema_id: None, lambda topic: "topic", LIMITS)
    assert before.load(good).rules == {"unknown_schema_id": 20}
    before.load(batch(CANONICAL, [b"\xff\x00junk"], first_offset=90))

    loader = loader_of(clickhouse, "topic")
    assert load_again(clickhouse, loader, RejectChoice(rule="bad_framing")).rejected == {
        "bad_framing": 1
    }
    first = load_again(clickhouse, loader, RejectChoice(limit=5))
    assert (first.loaded, first.rejected.total()) == ({CANONICAL: 5}, 0)
    rest = load_again(clickhouse, loader, RejectChoice())
    assert (rest.loaded, rest.rejected) == ({CANONICAL: 15}, {"bad_framing": 1})
    assert count_sink_rejects(clickhouse) == 1
    assert content(clickhouse) == expected
    assert stored_rows(clickhouse) == 20
