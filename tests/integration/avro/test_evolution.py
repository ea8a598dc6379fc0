"""Each kind of change, on the real registry: what readers of before and after see of each other.

A reader of before is confluent-kafka's deserializer, which knows nothing of this project.
"""

import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.avro.codec import AvroRecord, Registry
from streams.avro.compatibility import check_compatibility
from streams.avro.contracts import AvroSchema, Contract, canonical_json, contract
from streams.core.errors import RegistryError
from streams.local.stack import LocalStack
from tests.avro.examples import examples, to_record

with warnings.catch_warnings(record=True):
    from confluent_kafka.schema_registry.avro import AvroDeserializer

pytestmark = pytest.mark.integration

FULL_NAME, BACKWARD_NAME = "record.outcomes", "raw.toy"
"""The rule of a contract follows from its name."""
CANONICAL = "market.infrastructure"

NULLABLE = {"type": ["null", "string"], "default": None}
FIRST: AvroSchema = {
    "type": "record",
    "name": "Toy",
    "namespace": "tests",
    "doc": "A toy.",
    "fields": [
        {"name": "id", "type": "string", "doc": "Id."},
        {"name": "state", "type": "string", "doc": "Vocabulary: on, off."},
        {"name": "label", "doc": "Null: none.", **NULLABLE},
        {"name": "size", "type": "int", "doc": "Size."},
    ],
}
OLD: AvroRecord = {"id": "a", "state": "on", "label": "x", "size": 7}

Fields = dict[str, AvroSchema]


def optional_added(fields: Fields) -> None:
    fields["note"] = {"name": "note", "doc": "Null: none.", **NULLABLE}


def renamed_by_alias(fields: Fields) -> None:
    fields["label"] |= {"name": "title", "aliases": ["label"]}


def whole_number_promoted(fields: Fields) -> None:
    fields["size"] |= {"type": "long"}


def number_promoted_to_a_fraction(fields: Fields) -> None:
    fields["size"] |= {"type": "double"}


def vocabulary_grown(fields: Fields) -> None:
    fields["state"] |= {"doc": "Vocabulary: on, off, standby."}


def optional_removed(fields: Fields) -> None:
    del fields["label"]


def required_removed(fields: Fields) -> None:
    del fields["size"]


def without(record: AvroRecord, *names: str) -> AvroRecord:
    return {name: value for name, value in record.items() if name not in names}


LARGE = 2**40
CASES: list[tuple[Callable[[Fields], None], AvroRecord, AvroRecord, AvroRecord | None]] = [
    (optional_added, OLD | {"note": "n"}, OLD | {"note": None}, OLD),
    (
        renamed_by_alias,
        without(OLD, "label") | {"title": "y"},
        without(OLD, "label") | {"title": "x"},
        OLD | {"label": None},
    ),
    (whole_number_promoted, OLD | {"size": LARGE}, OLD, None),
    (number_promoted_to_a_fraction, OLD | {"size": 7.5}, OLD | {"size": 7.0}, None),
    (vocabulary_grown, OLD | {"state": "standby"}, OLD, OLD | {"state": "standby"}),
    (optional_removed, without(OLD, "label"), without(OLD, "label"), OLD | {"label": None}),
    (required_removed, without(OLD, "size"), without(OLD, "size"), None),
]
"""Change, a record of after, what a new reader sees of `OLD`, what an old one sees of the new
record: None where the rule FULL refuses the change."""


def version_after(change: Callable[[Fields], None], schema: AvroSchema = FIRST) -> AvroSchema:
    """The next version of a schema."""
    second = deepcopy(schema)
    fields = {field["name"]: field for field in second["fields"]}
    change(fields)
    return second | {"fields": list(fields.values())}


@pytest.fixture
def registry(stack: LocalStack) -> Iterator[Registry]:
    """A client that has seen nothing yet."""
    with Registry(stack.registry.url) as found:
        yield found


@pytest.fixture
def subject() -> str:
    """A subject nobody has used."""
    return f"test-{uuid4().hex}-value"


PlainReader = Callable[[AvroSchema, bytes], Any]
"""What a consumer that was built on a version reads."""


@pytest.fixture
def plain(stack: LocalStack) -> Iterator[PlainReader]:
    """Consumers of confluent-kafka."""
    with SchemaRegistryClient({"url": stack.registry.url}) as client:

        def read(schema: AvroSchema, value: bytes) -> Any:
            deserializer = AvroDeserializer(client, schema_str=canonical_json(schema))
            return deserializer(value, SerializationContext("any", MessageField.VALUE))

        yield read


@pytest.mark.parametrize(
    ("change", "new", "new_reads_old", "old_reads_new"),
    CASES,
    ids=[change.__name__ for change, *_ in CASES],
)
def test_readers_of_before_and_after(
    plain: PlainReader,
    registry: Registry,
    subject: str,
    change: Callable[[Fields], None],
    new: AvroRecord,
    new_reads_old: AvroRecord,
    old_reads_new: AvroRecord | None,
) -> None:
    is_full = old_reads_new is not None
    name = FULL_NAME if is_full else BACKWARD_NAME
    first, both = Contract(name, (FIRST,)), Contract(name, (FIRST, version_after(change)))
    # What the offline check says is what the registry does.
    assert check_compatibility(both) == ()
    registry.register(subject, first)
    written_before = registry.encoder(subject, first).encode(OLD)
    registry.register(subject, both)
    written_after = registry.encoder(subject, both).encode(new)
    assert registry.decoder(both).decode(written_before) == new_reads_old
    assert registry.decoder(both).decode(written_after) == new
    assert plain(both.latest, written_before) == new_reads_old
    if is_full:
        assert registry.decoder(first).decode(written_after) == old_reads_new
        assert plain(FIRST, written_after) == old_reads_new
        return
    refused = Contract(FULL_NAME, both.versions)
    assert check_compatibility(refused) != ()
    with pytest.raises(RegistryError, match="make schemas-check"):
        registry.register(f"other-{subject}", refused)


def test_a_canonical_consumer_of_version_1_reads_version_3_and_the_reverse(
    plain: PlainReader, registry: Registry, subject: str
) -> None:
    """A field more in the envelope, then one more inside a kind and one less."""
    first = contract(CANONICAL).latest

    def inside_a_kind(fields: Fields) -> None:
        plant = fields["power_plant"]["type"][1]["fields"]
        plant.append({"name": "height_m", "type": ["null", "double"], "default": None, "doc": "m."})
        del fields["position_spread_km"]

    second = version_after(optional_added, first)
    third = version_after(inside_a_kind, second)
    versions = [Contract(CANONICAL, (first, second, third)[: number + 1]) for number in range(3)]
    assert check_compatibility(versions[-1]) == ()
    record = next(
        to_record(first, one.value, complete=True)
        for one in examples("valid")
        if one.contract == CANONICAL and (one.value.get("power_plant") or {}).get("owner")
    )
    written = []
    for found, more in zip(versions, ({}, {"note": "n"}, {"note": "n"}), strict=True):
        registry.register(subject, found)
        known = record | more
        if found is versions[-1]:
            known = without(known, "position_spread_km")
            known["power_plant"] = known["power_plant"] | {"height_m": 12.5}
        written.append(registry.encoder(subject, found).encode(known))
    of_first = [registry.decoder(versions[0]).decode(value) for value in written]
    assert of_first == [record, record, record | {"position_spread_km": None}]
    assert [plain(first, value) for value in written] == of_first
    of_third = [registry.decoder(versions[2]).decode(value) for value in written]
    assert [one["note"] for one in of_third] == [None, "n", "n"]
    assert [one["power_plant"]["height_m"] for one in of_third] == [None, None, 12.5]
    for one in of_third:
        plant = without(one["power_plant"], "height_m")
        assert without(one, "note") | {"power_plant": plant} == without(
            record, "position_spread_km"
        )
