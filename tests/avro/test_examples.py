"""Every example is what its folder says, for each implementation of Avro that we use."""

import json
from collections.abc import Callable
from io import BytesIO

import avro.errors
import avro.io
import avro.schema
import fastavro
import pytest
from fastavro.validation import ValidationError

from streams.avro.codec import AvroRecord
from streams.avro.contracts import (
    AvroSchema,
    Contract,
    canonical_json,
    contract,
    contract_names,
    parse,
)
from streams.avro.writer import compile_writer
from tests.avro.examples import Example, examples, folder, to_record

VALID = examples("valid")
INVALID = examples("invalid")

Encode = Callable[[AvroSchema, AvroRecord], bytes]


def by_us(schema: AvroSchema, record: AvroRecord) -> bytes:
    """Encoded as the product does."""
    return compile_writer(parse(canonical_json(schema)))(record)


def by_fastavro(schema: AvroSchema, record: AvroRecord) -> bytes:
    """Encoded by fastavro, with every check it has."""
    parsed = parse(canonical_json(schema))
    fastavro.validate(record, parsed, strict=True)
    out = BytesIO()
    fastavro.schemaless_writer(out, parsed, record, strict_allow_default=True)
    return out.getvalue()


def by_avro(schema: AvroSchema, record: AvroRecord) -> bytes:
    """Encoded by the reference implementation."""
    out = BytesIO()
    writer = avro.io.DatumWriter(avro.schema.parse(json.dumps(schema)))
    writer.write(record, avro.io.BinaryEncoder(out))
    return out.getvalue()


def read_by_fastavro(schema: AvroSchema, encoded: bytes, reader: AvroSchema) -> AvroRecord:
    """Decoded as the product does."""
    record = fastavro.schemaless_reader(
        BytesIO(encoded), parse(canonical_json(schema)), parse(canonical_json(reader))
    )
    assert isinstance(record, dict)
    return record


def read_by_avro(schema: AvroSchema, encoded: bytes, reader: AvroSchema) -> AvroRecord:
    """Decoded by the reference implementation."""
    schemas = (avro.schema.parse(json.dumps(found)) for found in (schema, reader))
    record = avro.io.DatumReader(*schemas).read(avro.io.BinaryDecoder(BytesIO(encoded)))
    assert isinstance(record, dict)
    return record


def accepts(schema: AvroSchema, example: Example) -> bool:
    """Whether a version can write an example."""
    try:
        by_us(schema, to_record(schema, example.value))
    except ValueError:
        return False
    return True


REFUSALS: dict[Encode, tuple[type[Exception], ...]] = {
    by_us: (ValueError,),
    by_fastavro: (ValueError, TypeError, ValidationError),
    by_avro: (avro.errors.AvroException,),
}


def of(found: Contract) -> list[Example]:
    """Valid examples of one contract."""
    return [example for example in VALID if example.contract == found.name]


@pytest.mark.parametrize("name", contract_names())
def test_every_contract_has_two_valid_and_two_invalid_examples(name: str) -> None:
    assert len(list(folder(name, "valid").glob("*.json"))) >= 2
    assert len(list(folder(name, "invalid").glob("*.json"))) >= 2


@pytest.mark.parametrize("example", VALID, ids=str)
def test_every_implementation_reads_a_valid_example_as_it_was_written(example: Example) -> None:
    found = contract(example.contract)
    schema = next(version for version in reversed(found.versions) if accepts(version, example))
    written = to_record(schema, example.value)
    complete = to_record(schema, example.value, complete=True)
    # Only the reference implementation leaves missing keys to its caller.
    encoded = by_us(schema, written)
    assert encoded == by_fastavro(schema, written) == by_avro(schema, complete)
    assert read_by_fastavro(schema, encoded, schema) == complete
    assert read_by_avro(schema, encoded, schema) == complete


@pytest.mark.parametrize("example", INVALID, ids=str)
def test_every_implementation_refuses_an_invalid_example(example: Example) -> None:
    schema = contract(example.contract).latest
    record = to_record(schema, example.value)
    for encode in (by_us, by_fastavro, by_avro):
        with pytest.raises(REFUSALS[encode]):
            encode(schema, record)


@pytest.mark.parametrize("name", contract_names())
def test_records_of_every_version_are_read_by_the_latest(name: str) -> None:
    """Raw records and dead letters are kept for ever, and read whatever version wrote them."""
    found = contract(name)
    for version in found.versions:
        readable = [example for example in of(found) if accepts(version, example)]
        assert len(readable) >= 2
        for example in readable:
            encoded = by_us(version, to_record(version, example.value))
            record = read_by_fastavro(version, encoded, found.latest)
            assert record == read_by_avro(version, encoded, found.latest)
            assert list(record) == [field["name"] for field in found.latest["fields"]]
