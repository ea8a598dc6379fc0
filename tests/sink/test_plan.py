from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from fastavro import reader
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.errors import Rejected
from streams.kafka.batch import Batch
from streams.sink.landing import Route, route
from streams.sink.plan import Insert, plan_batches, rest_seconds
from tests.sink.records import (
    KAFKA_TIME,
    SCHEMA_IDS,
    KafkaRecord,
    batch,
    framed,
    plant,
    schemas,
)

TOPIC = "market.infrastructure"
SCHEMAS = schemas()
UNKNOWN_ID = 99


@pytest.mark.parametrize(
    ("taken", "rest"), [(0.0, 1.0), (0.2, 0.8), (0.5, 1.0), (1.0, 2.0), (2.0, 3.0), (9.0, 0.0)]
)
def test_small_inserts_take_at_most_a_third_of_the_time_on_a_busy_machine(
    taken: float, rest: float
) -> None:
    assert rest_seconds(taken) == pytest.approx(rest)


@cache
def route_of(topic: str, schema_id: int) -> Route | Rejected:
    if schema_id not in SCHEMAS:
        return Rejected("unknown_schema_id", "None of that id.")
    return route(topic, SCHEMAS[schema_id])


def only_insert(values: list[bytes | None], *, topic_id: str = "a", partition: int = 0) -> Insert:
    plan = plan_batches([batch(TOPIC, values, partition=partition)], topic_id, route_of)
    (insert,) = plan.inserts
    return insert


VALUES: list[bytes | None] = [framed(TOPIC, plant(number)) for number in range(3)]


def test_the_file_holds_every_record_with_its_kafka_time_in_order() -> None:
    """Read back with another implementation of the Avro file format."""
    records: list[Any] = list(reader(BytesIO(only_insert(VALUES).avro_file())))
    assert [record["record_id"] for record in records] == ["plant-0", "plant-1", "plant-2"]
    time = datetime.fromtimestamp(KAFKA_TIME / 1000, UTC)
    assert [record.pop("kafka_time") for record in records] == [time] * 3
    assert records[1]["power_plant"] == plant(1)["power_plant"]


def test_offsets_may_have_gaps() -> None:
    """Transaction markers and compaction leave some out."""
    records = [KafkaRecord(TOPIC, 0, offset, VALUES[0]) for offset in (4, 9, 11)]
    plan = plan_batches([Batch(TOPIC, 0, records)], "a", route_of)
    (insert,) = plan.inserts
    assert [record.offset for record in insert.records] == [4, 9, 11]


def test_one_insert_of_several_partitions_says_where_each_record_was_read() -> None:
    batches = [batch(TOPIC, VALUES[:2], partition=3), batch(TOPIC, VALUES[2:], partition=1)]
    (insert,) = plan_batches(batches, "a", route_of).inserts
    records: list[Any] = list(reader(BytesIO(insert.avro_file())))
    read = [(record["kafka_partition"], record["record_id"]) for record in records]
    assert read == [(3, "plant-0"), (3, "plant-1"), (1, "plant-2")]


# No deadline: the first example waits for the schemas to be compared.
@settings(deadline=None)
@given(st.lists(st.sampled_from(["good", "other schema", "unknown id", "no framing", "null"])))
def test_every_record_is_in_exactly_one_insert_or_rejected(kinds: list[str]) -> None:
    value: dict[str, bytes | None] = {
        "good": VALUES[0],
        "other schema": b"\x00" + SCHEMA_IDS["record.outcomes"].to_bytes(4) + b"x",
        "unknown id": b"\x00" + UNKNOWN_ID.to_bytes(4) + b"x",
        "no framing": b"hello world",
        "null": None,
    }
    plan = plan_batches([batch(TOPIC, [value[kind] for kind in kinds])], "a", route_of)
    inserted = [record.offset for insert in plan.inserts for record in insert.records]
    rejected = [reject.record.offset for reject in plan.rejects]
    assert sorted(inserted + rejected) == list(range(len(kinds)))
    assert sorted(inserted) == [i for i, kind in enumerate(kinds) if kind == "good"]


def test_halves_hold_the_records_in_order() -> None:
    insert = only_insert(VALUES)
    first, second = insert.halves()
    assert [*first.records, *second.records] == list(insert.records)
    assert first.records
    assert second.records
