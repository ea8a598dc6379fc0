from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

from fastavro import reader
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.errors import Rejected
from streams.kafka.batch import Batch
from streams.sink.landing import Landing, Route, route
from streams.sink.plan import Insert, plan_batch
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


@cache
def route_of(topic: str, schema_id: int) -> Route | Rejected:
    if schema_id not in SCHEMAS:
        return Rejected("unknown_schema_id", "None of that id.")
    return route(topic, SCHEMAS[schema_id])


def only_insert(values: list[bytes | None], *, topic_id: str = "a", **place: int) -> Insert:
    plan = plan_batch(batch(TOPIC, values, **place), topic_id, route_of)
    (insert,) = plan.inserts
    return insert


def token(values: list[bytes | None], *, topic_id: str = "a", **place: int) -> str:
    insert = only_insert(values, topic_id=topic_id, **place)
    return insert.token(insert.avro_file())


VALUES: list[bytes | None] = [framed(TOPIC, plant(number)) for number in range(3)]


def test_the_file_holds_every_record_with_its_kafka_time_in_order() -> None:
    """Read back with another implementation of the Avro file format."""
    records: list[Any] = list(reader(BytesIO(only_insert(VALUES).avro_file())))
    assert [record["record_id"] for record in records] == ["plant-0", "plant-1", "plant-2"]
    time = datetime.fromtimestamp(KAFKA_TIME / 1000, UTC)
    assert [record.pop("kafka_time") for record in records] == [time] * 3
    assert records[1]["power_plant"] == plant(1)["power_plant"]


def test_the_same_batch_has_the_same_token() -> None:
    assert token(VALUES, first_offset=5) == token(list(VALUES), first_offset=5)


def test_a_token_names_topic_partition_and_offsets() -> None:
    assert token(VALUES, topic_id="uuid", partition=3, first_offset=5).startswith("uuid:3:5-7:")


def test_any_other_batch_has_another_token() -> None:
    tokens = [
        token(VALUES),
        token(VALUES, topic_id="the topic was recreated"),
        token(VALUES, partition=1),
        token(VALUES, first_offset=1),
        token(VALUES[:2]),
        token([*VALUES[:2], framed(TOPIC, plant(2, version=9))]),
        token(VALUES, timestamp=KAFKA_TIME + 1),
    ]
    assert len(set(tokens)) == len(tokens)


def test_another_landing_has_another_token() -> None:
    """A new version of the sink makes other rows of the same bytes: they must be stored."""
    insert = only_insert(VALUES)
    renamed = Landing("landing_other", insert.landing.statements, insert.landing.file_header)
    other = Insert(insert.source, renamed, insert.records)
    assert other.token(other.avro_file()) != insert.token(insert.avro_file())


def test_offsets_may_have_gaps() -> None:
    """Transaction markers and compaction leave some out."""
    records = [KafkaRecord(TOPIC, 0, offset, VALUES[0]) for offset in (4, 9, 11)]
    plan = plan_batch(Batch(TOPIC, 0, records), "a", route_of)
    (insert,) = plan.inserts
    assert insert.token(insert.avro_file()).startswith("a:0:4-11:")


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
    plan = plan_batch(batch(TOPIC, [value[kind] for kind in kinds]), "a", route_of)
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
