"""Anyone may write to a topic: what is no record is kept aside and stops nothing."""

import random
from typing import Any

import pytest
from fastavro.utils import generate_many

from streams.avro.contracts import contract
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_sink_rejects
from streams.clickhouse.tables import KINDS
from streams.core.record_times import clamped_time
from streams.sink.landing import TOPICS
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL, content
from tests.sink.records import batch, framed, kind_schema, outcome, plant

pytestmark = pytest.mark.integration

GOOD = framed(CANONICAL, plant(1))
UNKNOWN_SCHEMA = b"\x00\x00\x00\x03\xe7" + b"body"


@pytest.mark.parametrize(
    ("bad", "rule_id"),
    [
        (None, "bad_framing"),
        (b"", "bad_framing"),
        (b"hello world", "bad_framing"),
        (UNKNOWN_SCHEMA, "unknown_schema_id"),
        (framed("record.outcomes", outcome()), "incompatible_schema"),
        (GOOD[:-1], "refused_by_clickhouse"),
        (GOOD[:5], "bad_avro"),
        (GOOD[:5] + b"\xff" * 40, "bad_avro"),
        (framed(CANONICAL, plant(9, version=-1)), "refused_by_clickhouse"),
        (framed(CANONICAL, plant(9, record_id="")), "refused_by_clickhouse"),
        (framed(CANONICAL, plant(9, kind="volcano")), "unknown_kind"),
        (framed(CANONICAL, plant(9, kind="lng_inventory")), "refused_by_clickhouse"),
        (framed(CANONICAL, plant(9, power_plant=None)), "refused_by_clickhouse"),
    ],
)
def test_a_bad_record_is_kept_and_its_neighbours_are_loaded(
    clickhouse: ClickHouse, loader: Loader, bad: bytes | None, rule_id: str
) -> None:
    values: list[bytes | None] = [framed(CANONICAL, plant(number)) for number in range(1, 8)]
    values[3] = bad
    result = loader.load(batch(CANONICAL, values, first_offset=50))
    assert (result.loaded, result.rejected) == (6, 1)
    assert [
        row[0] for row in clickhouse.query("SELECT name FROM power_plants ORDER BY 1").rows
    ] == [f"Plant {number}" for number in (1, 2, 3, 5, 6, 7)]
    ((topic, partition, offset, value, rule, message),) = clickhouse.query(
        "SELECT topic, partition, offset, hex(value), rule_id, message FROM sink_rejects"
    ).rows
    assert (topic, partition, offset) == (CANONICAL, 0, 53)
    assert value == (None if bad is None else bad.hex().upper())
    assert rule == rule_id
    assert message


def test_left_over_bytes_do_not_shift_the_next_record(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    values = [framed(CANONICAL, plant(number)) + b"\x02\x04" for number in range(1, 4)]
    values += [framed(CANONICAL, plant(number)) for number in range(4, 7)]
    loader.load(batch(CANONICAL, values))
    rows = clickhouse.query(
        "SELECT record_id, name FROM power_plants WHERE record_id >= 'plant-4' ORDER BY 1"
    ).rows
    assert rows == [(f"plant-{number}", f"Plant {number}") for number in (4, 5, 6)]


def test_a_repeated_batch_with_bad_records_shows_nothing_twice(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    values = [framed(CANONICAL, plant(number)) for number in range(8)]
    values[2] = values[2][:-3]
    values[5] = b"junk"
    for _ in range(2):
        result = loader.load(batch(CANONICAL, values))
        assert (result.loaded, result.rejected) == (6, 2)
    assert clickhouse.query("SELECT count() FROM power_plants_history").rows == [(6,)]
    assert count_sink_rejects(clickhouse) == 2


def test_only_bad_records(clickhouse: ClickHouse, loader: Loader) -> None:
    result = loader.load(batch("dead_letters", [b"junk", None, b"\x00\x00\x00\x03\xe7"]))
    assert (result.loaded, result.rejected) == (0, 3)
    assert count_sink_rejects(clickhouse) == 3


@pytest.mark.parametrize("timestamp", [-(2**63), -1, 253_402_300_800_000, 2**63 - 1])
def test_a_record_of_any_time_is_loaded_or_kept_with_its_number(
    clickhouse: ClickHouse, loader: Loader, timestamp: int
) -> None:
    loader.load(batch(CANONICAL, [GOOD, b"junk"], timestamp=timestamp))
    ((published_at,),) = clickhouse.query("SELECT published_at FROM power_plants").rows
    ((record_time, kept),) = clickhouse.query(
        "SELECT record_time, kafka_timestamp FROM sink_rejects"
    ).rows
    assert kept == timestamp
    assert published_at == record_time == clamped_time(timestamp)


@pytest.mark.parametrize("topic", TOPICS)
def test_whatever_fits_the_contract_is_loaded_and_can_be_read(
    clickhouse: ClickHouse, loader: Loader, topic: str
) -> None:
    """Random records have any date, sign and text; none may hold the sink up."""
    random.seed(7)
    records: list[Any] = list(generate_many(contract(topic).parsed(), 60))
    for number, record in enumerate(records):
        _make_acceptable(record, number)
    result = loader.load(batch(topic, [framed(topic, record) for record in records]))
    assert (result.loaded, result.rejected) == (60, 0)
    # All have one key, of which the last record of a candidate counts.
    shown = 1 if topic == "reconcile.candidates" else 60
    assert sum(len(rows) for rows in content(clickhouse).values()) >= shown


def _make_acceptable(record: dict[str, Any], number: int) -> None:
    """The few things that the schema cannot say."""
    if "version" in record:
        record["version"] = abs(record["version"])
    for canonical in record.get("canonical", ()):
        canonical["version"] = abs(canonical["version"])
    if "kind" in record:
        kind = tuple(KINDS)[number % len(KINDS)]
        schema = kind_schema(contract(CANONICAL).parsed()["fields"], kind)
        record["kind"] = kind
        record[kind] = next(generate_many(schema, 1))
