"""Topics read by tools that know nothing of this project but addresses."""

import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.kafka.topic_admin import ensure_topics
from streams.kafka.topic_writer import TopicWriter
from streams.local.stack import LocalStack
from streams.topics import Topic
from tests.avro.examples import examples, to_record

with warnings.catch_warnings(record=True):
    from confluent_kafka.schema_registry.avro import AvroDeserializer

pytestmark = pytest.mark.integration

NAME = "market.infrastructure"
RECORDS = [
    to_record(contract(NAME).latest, one.value, complete=True)
    for one in examples("valid")
    if one.contract == NAME
]
HEADER = ("redriven-from", b"raw.alsi_lng:2:1234")


@pytest.fixture(scope="module")
def topic(stack: LocalStack) -> Topic:
    """Every example of a canonical record, as the product writes them."""
    found = Topic(f"test-{uuid4().hex}", partitions=1)
    ensure_topics(stack.kafka.bootstrap, [found], 1)
    with Registry(stack.registry.url) as registry:
        registry.register(found.subject(), contract(NAME))
        encoder = registry.encoder(found.subject(), contract(NAME))
    with TopicWriter(stack.kafka.bootstrap, [found.name]) as writer:
        for record in RECORDS:
            key = record["record_id"].encode()
            writer.send(found.name, key, encoder.encode(record), headers=[HEADER])
        writer.finish()
    return found


@pytest.fixture
def messages(stack: LocalStack, topic: Topic) -> Iterator[list[Any]]:
    """The topic as a consumer of confluent-kafka gets it."""
    consumer = Consumer({"bootstrap.servers": stack.kafka.bootstrap, "group.id": "any"})
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    try:
        found = consumer.consume(len(RECORDS), timeout=30)
        assert [message.error() for message in found] == [None] * len(RECORDS)
        yield found
    finally:
        consumer.close()


def test_the_deserializer_of_confluent_needs_the_registry_address_only(
    stack: LocalStack, topic: Topic, messages: list[Any]
) -> None:
    with SchemaRegistryClient({"url": stack.registry.url}) as client:
        deserialize = AvroDeserializer(client)
        context = SerializationContext(topic.name, MessageField.VALUE)
        assert [deserialize(message.value(), context) for message in messages] == RECORDS


def test_the_framing_names_a_schema_that_the_registry_gives_to_anybody(
    stack: LocalStack, topic: Topic, messages: list[Any]
) -> None:
    first = messages[0].value()
    schema_id = int.from_bytes(first[1:5], "big")
    assert first[0] == 0
    with SchemaRegistryClient({"url": stack.registry.url}) as client:
        schema = json.loads(client.get_schema(schema_id).schema_str or "")
        assert schema["name"] == contract(NAME).latest["name"]
        assert topic.subject() in client.get_subjects_by_schema_id(schema_id)


def test_keys_headers_and_framing_are_plain(
    stack: LocalStack, topic: Topic, messages: list[Any]
) -> None:
    """As kcat prints them where it is installed, and as a plain consumer has them."""
    expected = [
        {
            "offset": number,
            "key": record["record_id"],
            "headers": [HEADER[0], HEADER[1].decode()],
        }
        for number, record in enumerate(RECORDS)
    ]
    found = [
        {
            "offset": message.offset(),
            "key": message.key().decode(),
            "headers": [
                text for name, value in message.headers() for text in (name, value.decode())
            ],
        }
        for message in messages
    ]
    assert found == expected
    if kcat := shutil.which("kcat"):
        read = [kcat, "-C", "-b", stack.kafka.bootstrap, "-t", topic.name, "-o", "0", "-e", "-q"]
        printed = subprocess.check_output([*read, "-J"], timeout=60)
        lines = [json.loads(line) for line in printed.decode("utf-8", "replace").splitlines()]
        assert [{name: line[name] for name in expected[0]} for line in lines] == expected
