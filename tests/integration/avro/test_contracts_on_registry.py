"""Contracts on the real registry, and what any reader with its address gets to see."""

import io
import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from rich.console import Console
from typer.testing import CliRunner

from streams.__main__ import app
from streams.avro.codec import Encoder, Registry, UndecodableError
from streams.avro.compatibility import print_registered, register_all, register_subjects
from streams.avro.contracts import AvroSchema, Contract, contract, contract_names
from streams.commands.deploy import all_subjects
from streams.commands.inspect import Selection, inspect, print_records
from streams.commands.schemas_diff import schemas_diff
from streams.core.errors import RegistryError
from streams.core.topic_record import TopicRecord
from streams.kafka.topic_admin import ensure_topics
from streams.local.stack import LocalStack
from streams.settings import Settings
from streams.topics import Topic
from streams.topology import changelogs, declared_topics
from tests.avro.examples import Example, examples, to_record

pytestmark = pytest.mark.integration

OUTCOMES = "record.outcomes"
RAW = "raw.alsi_lng"


@pytest.fixture
def registry(stack: LocalStack) -> Iterator[Registry]:
    """A client that has seen nothing yet."""
    with Registry(stack.registry.url) as found:
        yield found


@pytest.fixture
def client(stack: LocalStack) -> Iterator[SchemaRegistryClient]:
    """The registry as any other tool sees it."""
    with SchemaRegistryClient({"url": stack.registry.url}) as found:
        yield found


@pytest.fixture
def subject() -> str:
    """A subject nobody has used."""
    return f"test-{uuid4().hex}-value"


@pytest.fixture
def topic(stack: LocalStack) -> Topic:
    """An empty topic."""
    found = Topic(f"test-{uuid4().hex}", partitions=2)
    ensure_topics(stack.kafka.bootstrap, [found], 1)
    return found


def with_field(name: str, field: AvroSchema) -> Contract:
    """A contract with one more version that has one more field."""
    second = deepcopy(contract(name).latest)
    second["fields"].append(field)
    return Contract(name, (*contract(name).versions, second))


NULLABLE = {"name": "added", "type": ["null", "string"], "default": None, "doc": "Null: new."}
REQUIRED = {"name": "added", "type": "string", "doc": "New."}


def test_registering_again_changes_nothing(
    registry: Registry, client: SchemaRegistryClient, stack: LocalStack
) -> None:
    topics = declared_topics(["alsi_lng", "wri_powerplants"])
    ids = register_all(registry, topics)
    assert set(ids) == {topic.subject() for topic in topics}
    versions = {subject: client.get_versions(subject) for subject in ids}
    with Registry(stack.registry.url) as other:
        assert register_all(other, topics) == ids
    assert {subject: client.get_versions(subject) for subject in ids} == versions
    shown = io.StringIO()
    print_registered(ids, Console(file=shown, width=120))
    assert all(subject in shown.getvalue() for subject in ids)


@pytest.mark.parametrize("name", contract_names())
def test_every_subject_has_the_rule_of_its_contract(
    registry: Registry, client: SchemaRegistryClient, subject: str, name: str
) -> None:
    """Records of the same full name are inside several subjects: each keeps its own."""
    (schema_id,) = register_subjects(registry, [(subject, contract(name))]).values()
    assert client.get_compatibility(subject) == contract(name).compatibility
    assert registry.writer_schema(schema_id) == contract(name).parsed()


@pytest.mark.parametrize("name", [OUTCOMES, RAW])
def test_the_registry_itself_refuses_an_incompatible_version(
    registry: Registry, client: SchemaRegistryClient, subject: str, name: str
) -> None:
    register_subjects(registry, [(subject, contract(name))])
    refused = with_field(name, REQUIRED)
    assert not client.test_compatibility(subject, Schema(json.dumps(refused.latest), "AVRO"))
    with pytest.raises(RegistryError, match="make schemas-check"):
        registry.register(subject, refused)
    assert client.get_versions(subject) == [1]


def test_an_incompatible_version_is_refused_on_an_empty_registry_too(
    registry: Registry, subject: str
) -> None:
    """The rule is set before the second version goes in."""
    with pytest.raises(RegistryError, match=subject):
        registry.register(subject, with_field(OUTCOMES, REQUIRED))


@pytest.mark.parametrize("name", [OUTCOMES, RAW])
def test_records_of_the_first_version_are_read_after_the_second(
    registry: Registry, subject: str, stack: LocalStack, name: str
) -> None:
    example = next(found for found in examples("valid") if found.contract == name)
    record = to_record(contract(name).latest, example.value, complete=True)
    registry.register(subject, contract(name))
    framed = registry.encoder(subject, contract(name)).encode(record)
    evolved = with_field(name, NULLABLE)
    with Registry(stack.registry.url) as later:
        later.register(subject, evolved)
        assert later.decoder(evolved).decode(framed) == record | {"added": None}
        newer = later.encoder(subject, evolved).encode(record | {"added": "now"})
    assert registry.decoder(contract(name)).decode(newer) == record


def test_what_registry_and_clone_lack_of_each_other_is_named(
    stack: LocalStack,
    registry: Registry,
    client: SchemaRegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(schema_registry_url=stack.registry.url, app_id=f"app-{uuid4().hex}")
    subjects = all_subjects(settings)
    register_subjects(registry, subjects.items())
    # Other tests share the registry.
    before = set(schemas_diff(settings))
    assert [sentence for sentence in before if settings.app_id in sentence] == []
    evolved, ruled, lost = (
        changelog.subject() for changelog in changelogs(settings.app_id, ["alsi_lng"])[:3]
    )
    registry.register(evolved, with_field(subjects[evolved].name, NULLABLE))
    client.set_compatibility(ruled, "NONE")
    client.delete_subject(lost)
    gone = f"{settings.app_id}-gone-changelog-value"
    registry.register(gone, contract(OUTCOMES))
    found = set(schemas_diff(settings)) - before
    fix = "run `make schemas-register`"
    assert found == {
        f"This clone lacks what the registry has as version 2 of {evolved}: update the clone, or "
        f"give {subjects[evolved].name} that version.",
        f"{ruled} has the rule NONE in the registry, its contract has FULL_TRANSITIVE: {fix}.",
        f"The registry lacks version 1 of {lost}: {fix}.",
        f"This clone has no contract for {gone} of the registry: update the clone; when its source "
        "or stage is gone for good, its records still need it.",
    }
    monkeypatch.setattr("streams.__main__.settings", lambda: settings)
    shown = CliRunner().invoke(app, ["schemas-diff"])
    assert shown.exit_code == 1
    assert found <= set(shown.output.splitlines())


def test_an_encoder_needs_the_registration(registry: Registry, subject: str) -> None:
    with pytest.raises(RegistryError, match="make schemas-register"):
        registry.encoder(subject, contract(OUTCOMES))


def test_an_unknown_id_is_undecodable(registry: Registry) -> None:
    framed = b"\x00" + (2**31 - 1).to_bytes(4, "big") + b"body"
    for _ in range(2):
        with pytest.raises(UndecodableError) as caught:
            registry.any_decoder().decode(framed)
        assert caught.value.rule_id == "unknown_schema_id"


def test_a_schema_that_is_not_avro_is_undecodable(
    registry: Registry, client: SchemaRegistryClient, subject: str
) -> None:
    schema = Schema('{"type": "object", "properties": {"a": {"type": "string"}}}', "JSON")
    framed = b"\x00" + client.register_schema(subject, schema).to_bytes(4, "big") + b'{"a": "b"}'
    with pytest.raises(UndecodableError, match="no Avro record") as caught:
        registry.decoder(contract(OUTCOMES)).decode(framed)
    assert caught.value.rule_id == "bad_avro"


def publish(
    stack: LocalStack, topic: Topic, values: list[tuple[bytes | None, bytes | None]]
) -> None:
    """Write keys and values to partition 0, in order."""
    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    for key, value in values:
        producer.produce(topic.name, value, key, partition=0, headers=[("trace", b"a1")])
    assert producer.flush(30) == 0


def of(name: str) -> list[Example]:
    """Valid examples of one contract."""
    return [example for example in examples("valid") if example.contract == name]


@pytest.mark.parametrize("name", contract_names())
def test_inspect_shows_every_example_as_it_is_written_in_its_file(
    stack: LocalStack, registry: Registry, topic: Topic, name: str
) -> None:
    schema = contract(name).latest
    records = [to_record(schema, example.value, complete=True) for example in of(name)]
    registry.register(topic.subject(), contract(name))
    encoder = registry.encoder(topic.subject(), contract(name))
    publish(stack, topic, [(b"k", encoder.encode(record)) for record in records])
    shown = io.StringIO()
    with Registry(stack.registry.url) as other:
        count = print_records(inspect(stack.kafka.bootstrap, other, Selection(topic.name)), shown)
    assert count == len(records)
    lines = [json.loads(line) for line in shown.getvalue().splitlines()]
    assert [to_record(schema, line["value"]) for line in lines] == records
    assert [line["offset"] for line in lines] == list(range(len(records)))
    assert {line["schema_id"] for line in lines} == {encoder.schema_id}
    assert {line["subject"] for line in lines} == {topic.subject()}
    assert {line["key"] for line in lines} == {"k"}
    assert {line["reason"] for line in lines} == {None}


def test_inspect_shows_what_cannot_be_decoded_and_why(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    registry.register(topic.subject(), contract(OUTCOMES))
    encoder: Encoder[Mapping[str, Any]] = registry.encoder(topic.subject(), contract(OUTCOMES))
    good = encoder.encode(to_record(contract(OUTCOMES).latest, of(OUTCOMES)[0].value))
    unknown = b"\x00\x7f\xff\xff\xffbody"
    publish(
        stack,
        topic,
        [(b"a", good), (None, b"{}\x9b"), (b"\xff\x00", good[:-1]), (b"d", unknown), (b"e", None)],
    )
    found = list(inspect(stack.kafka.bootstrap, registry, Selection(topic.name)))
    assert [(record.schema_id, reason(record)) for record in found] == [
        (encoder.schema_id, None),
        (None, "bad_framing"),
        (encoder.schema_id, "bad_avro"),
        (2**31 - 1, "unknown_schema_id"),
        (None, None),
    ]
    assert [record.key for record in found] == ["a", None, b"\xff\x00", "d", "e"]
    assert [record.value for record in found][1:] == [b"{}\x9b", good[:-1], unknown, None]
    line = found[1].to_json()
    # A terminal takes this byte for the start of a command.
    assert "\x9b" not in line
    assert json.loads(line)["value"] == "{}\x9b"
    assert json.loads(line)["headers"] == [["trace", "a1"]]


def reason(record: TopicRecord) -> str | None:
    """Rule that is named in a reason."""
    return record.reason and record.reason.partition(":")[0]


def test_inspect_begins_where_it_is_told_and_stops_at_the_limit(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    publish(stack, topic, [(str(number).encode(), None) for number in range(10)])

    def keys(
        partition: int | None = None, from_offset: int = 0, limit: int | None = None
    ) -> list[str | bytes | None]:
        selection = Selection(topic.name, partition, from_offset, limit=limit)
        return [record.key for record in inspect(stack.kafka.bootstrap, registry, selection)]

    assert keys(limit=3) == ["0", "1", "2"]
    assert keys(from_offset=8) == ["8", "9"]
    assert keys(from_offset=-2) == ["8", "9"]
    assert keys(from_offset=100) == []
    assert keys(partition=1) == []
    assert keys(partition=0, from_offset=-100, limit=1) == ["0"]


def test_inspect_follows_what_comes_later(
    stack: LocalStack, registry: Registry, topic: Topic
) -> None:
    publish(stack, topic, [(b"before", None)])
    selection = Selection(topic.name, follow=True)
    following = inspect(stack.kafka.bootstrap, registry, selection)
    assert next(following).key == "before"
    publish(stack, topic, [(b"after", None)])
    assert next(following).key == "after"
