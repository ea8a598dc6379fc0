"""What `make inspect` chooses and shows of a topic with keys, times and two contracts."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from rich.console import Console

from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.commands.condition import Condition, ConditionError
from streams.commands.inspect import (
    Selection,
    inspect,
    print_count,
    print_schemas,
    print_table,
)
from streams.kafka.topic_admin import ensure_topics
from streams.kafka.topic_reader import key_partition, read_keys
from streams.kafka.topic_writer import TopicWriter
from streams.local.stack import LocalStack
from streams.topics import Topic
from tests.avro.examples import examples, to_record

pytestmark = pytest.mark.integration

START = datetime(2026, 5, 3, tzinfo=UTC)
OUTCOME, DEAD_LETTER = (
    to_record(
        contract(name).latest,
        next(one for one in examples("valid") if one.contract == name).value,
        complete=True,
    )
    for name in ("record.outcomes", "dead_letters")
)


def value(number: int) -> dict[str, Any]:
    return {**OUTCOME, "rule_id": None, "output_kind": "even" if number % 2 == 0 else "odd"}


@pytest.fixture(scope="module")
def registry(stack: LocalStack) -> Iterator[Registry]:
    with Registry(stack.registry.url) as found:
        yield found


@pytest.fixture(scope="module")
def topic(stack: LocalStack, registry: Registry) -> Topic:
    """Twenty outcomes, a minute each, keys k0 to k4 in turn; then a dead letter."""
    found = Topic(f"test-{uuid4().hex}", partitions=3)
    ensure_topics(stack.kafka.bootstrap, [found], 1)
    outcomes, dead_letters = contract("record.outcomes"), contract("dead_letters")
    registry.register(found.subject(), outcomes)
    registry.register(f"{found.name}-other-value", dead_letters)
    encoder = registry.encoder(found.subject(), outcomes)
    other = registry.encoder(f"{found.name}-other-value", dead_letters)
    with TopicWriter(stack.kafka.bootstrap, [found.name]) as writer:
        for number in range(20):
            writer.send(
                found.name,
                f"k{number % 5}".encode(),
                encoder.encode(value(number)),
                timestamp_ms=milliseconds(number),
                headers=[("number", str(number).encode())],
            )
        writer.send(found.name, b"k9", other.encode(DEAD_LETTER), timestamp_ms=milliseconds(20))
        writer.finish()
    return found


def milliseconds(minutes: int) -> int:
    return round((START + timedelta(minutes=minutes)).timestamp() * 1000)


def numbers(stack: LocalStack, registry: Registry, selection: Selection) -> list[int]:
    """Numbers in the headers of the records found; 20 is the dead letter."""
    found = inspect(stack.kafka.bootstrap, registry, selection)
    return [int(dict(record.headers).get("number") or b"20") for record in found]


def test_the_newest_come_in_the_order_of_their_times(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    assert numbers(stack, registry, Selection(topic.name, last=3)) == [18, 19, 20]
    assert numbers(stack, registry, Selection(topic.name, last=500)) == list(range(21))
    odd = Condition("output_kind == 'odd'")
    assert numbers(stack, registry, Selection(topic.name, last=2, where=odd)) == [17, 19]
    assert numbers(stack, registry, Selection(topic.name, last=2, key="k1")) == [11, 16]


def test_a_time_begins_with_the_first_record_that_is_not_before(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    def since(minutes: float) -> list[int]:
        selection = Selection(topic.name, since=START + timedelta(minutes=minutes))
        return sorted(numbers(stack, registry, selection))

    assert since(17) == [17, 18, 19, 20]
    assert since(16.5) == [17, 18, 19, 20]
    assert since(-1) == list(range(21))
    assert since(21) == []


def test_a_key_and_a_condition_choose(stack: LocalStack, registry: Registry, topic: Topic) -> None:
    assert numbers(stack, registry, Selection(topic.name, key="k3")) == [3, 8, 13, 18]
    both = Selection(topic.name, key="k3", where=Condition("output_kind == 'even'"), limit=1)
    assert numbers(stack, registry, both) == [8]
    misspelled = Selection(topic.name, where=Condition("outputkind == 'even'"))
    with pytest.raises(ConditionError, match="outputkind"):
        numbers(stack, registry, misspelled)


def test_following_goes_on_after_the_newest(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    following = inspect(
        stack.kafka.bootstrap, registry, Selection(topic.name, last=1, key="k9", follow=True)
    )
    assert next(following).offset >= 0
    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    producer.produce(topic.name, None, b"k9", 0)
    assert producer.flush(30) == 0
    assert next(following).value is None


def test_records_of_a_key_come_from_the_partition_it_chooses(
    stack: LocalStack, topic: Topic
) -> None:
    """Also those that somebody else has written elsewhere, when none is there."""
    bootstrap = stack.kafka.bootstrap
    found = list(read_keys(bootstrap, topic.name, [b"k0", b"k4"]))
    assert sorted(int(dict(record.headers)["number"] or 0) for record in found) == [
        0, 4, 5, 9, 10, 14, 15, 19,
    ]  # fmt: skip
    assert {(record.key, record.partition) for record in found} == {
        (key, key_partition(key, 3)) for key in (b"k0", b"k4")
    }
    elsewhere = (key_partition(b"foreign", 3) + 1) % 3
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic.name, None, b"foreign", elsewhere)
    assert producer.flush(30) == 0
    (foreign,) = read_keys(bootstrap, topic.name, [b"foreign"])
    assert foreign.partition == elsewhere


def test_count_schema_and_table_show_the_same_records(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=160)
    selection = Selection(topic.name, where=Condition("offset >= 0 and schema_id > 0"))

    def found() -> Iterator[Any]:
        return inspect(stack.kafka.bootstrap, registry, selection)

    print_count(found(), console)
    assert "21 records." in shown.getvalue()
    assert topic.subject() in shown.getvalue()

    print_table(inspect(stack.kafka.bootstrap, registry, Selection(topic.name, key="k3")), console)
    assert "number=13" in shown.getvalue()
    assert "2026-05-03T00:13:00.000Z" in shown.getvalue()

    schemas = io.StringIO()
    print_schemas(found(), registry, schemas)
    found_schemas = {
        line["records"]: line for line in map(json.loads, schemas.getvalue().splitlines())
    }
    outcomes, dead_letters = found_schemas[20], found_schemas[1]
    assert dead_letters["schema"]["name"] == "infrastructure.DeadLetter"
    assert {"subject": topic.subject(), "version": 1} in outcomes["subjects"]
    assert outcomes["schema"]["name"] == "infrastructure.RecordOutcome"
    assert not [name for name in outcomes["schema"] if name.startswith("__")]
    assert outcomes["schema"]["fields"][0]["name"] == "raw"
