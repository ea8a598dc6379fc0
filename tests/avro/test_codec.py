"""Framing, and what happens to bytes that are no record of ours."""

import struct
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.avro.codec import (
    AvroRecord,
    Decoder,
    Encoder,
    Registry,
    UndecodableError,
    frame_schema_id,
)
from streams.avro.contracts import AvroSchema, canonical_json, contract, contract_names, parse
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.errors import RegistryError
from streams.topics import RECORD_OUTCOMES
from tests.avro.examples import examples, to_record
from tests.avro.values import values

CLOSED_PORT = "http://user:secret@127.0.0.1:1/apis/ccompat/v7"
IDS = {name: number for number, name in enumerate(contract_names(), start=1)}
OUTCOMES = "record.outcomes"


class KnownSchemas(Registry):
    """A registry that already has every schema it will be asked for."""

    def __init__(self, schemas: dict[int, AvroSchema]) -> None:
        super().__init__(CLOSED_PORT)
        self._writers = schemas


REGISTRY = KnownSchemas({number: contract(name).parsed() for name, number in IDS.items()})


def encoder(name: str) -> Encoder[AvroRecord]:
    """Encoder of one contract."""
    return Encoder(contract(name).parsed(), IDS[name])


def decoder(name: str) -> Decoder[AvroRecord]:
    """Decoder of one contract."""
    return REGISTRY.decoder(contract(name))


def an_outcome() -> bytes:
    """A framed record."""
    example = next(found for found in examples("valid") if found.contract == OUTCOMES)
    return encoder(OUTCOMES).encode(to_record(contract(OUTCOMES).latest, example.value))


def refusal(found: Decoder[AvroRecord], framed: bytes) -> tuple[str, int | None] | None:
    """Why bytes cannot be decoded, None when they can."""
    try:
        found.decode(framed)
    except UndecodableError as error:
        return error.rule_id, error.schema_id
    return None


@pytest.mark.parametrize("name", contract_names())
def test_every_record_is_read_as_it_was_written(name: str) -> None:
    schema = contract(name).parsed()

    write, read, show = encoder(name), decoder(name), REGISTRY.any_decoder()

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(values(schema, {}))
    def unchanged(record: Any) -> None:
        framed = write.encode(record)
        assert read.decode(framed) == record
        assert show.decode(framed) == record
        assert frame_schema_id(framed) == IDS[name]

    unchanged()


def test_the_frame_is_a_zero_byte_and_the_id_in_four() -> None:
    assert an_outcome()[:5] == b"\x00" + IDS[OUTCOMES].to_bytes(4, "big")


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00", b"\x01\x00\x00\x00\x01abc", b"{}"])
def test_bytes_without_framing_are_named_so(value: bytes | None) -> None:
    with pytest.raises(UndecodableError) as caught:
        decoder(OUTCOMES).decode(value)
    assert (caught.value.rule_id, caught.value.schema_id) == ("bad_framing", None)
    assert frame_schema_id(value) is None


READERS = (decoder(OUTCOMES), REGISTRY.any_decoder())


@given(st.sampled_from(sorted(IDS.values())), st.binary(max_size=300))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_no_bytes_raise_anything_else_than_undecodable(schema_id: int, body: bytes) -> None:
    framed = struct.pack(">bI", 0, schema_id) + body
    for found in READERS:
        assert refusal(found, framed) in (None, ("bad_avro", schema_id))


@pytest.mark.parametrize("name", contract_names())
def test_one_flipped_byte_never_raises_anything_else(name: str) -> None:
    example = next(found for found in examples("valid") if found.contract == name)
    framed = encoder(name).encode(to_record(contract(name).latest, example.value))
    read = decoder(name)
    for position in range(5, len(framed)):
        for flip in (0x01, 0x80, 0xFF):
            broken = bytearray(framed)
            broken[position] ^= flip
            assert refusal(read, bytes(broken)) in (None, ("bad_avro", IDS[name]))


def test_a_record_cut_anywhere_is_refused() -> None:
    framed, read = an_outcome(), decoder(OUTCOMES)
    for length in range(5, len(framed)):
        assert refusal(read, framed[:length]) == ("bad_avro", IDS[OUTCOMES])


def test_bytes_after_the_record_are_refused() -> None:
    assert refusal(decoder(OUTCOMES), an_outcome() + b"\x00") == ("bad_avro", IDS[OUTCOMES])


@pytest.mark.parametrize("other", [name for name in contract_names() if name != OUTCOMES])
def test_a_record_of_another_contract_is_refused_in_one_line(other: str) -> None:
    """fastavro raises an error of its own here, with both schemas in its text."""
    with pytest.raises(UndecodableError) as caught:
        decoder(other).decode(an_outcome())
    assert caught.value.rule_id == "bad_avro"
    assert len(str(caught.value)) < 200


def test_a_later_writer_is_read_by_an_earlier_reader() -> None:
    """Readers of everything but raw records and dead letters may be older than writers."""
    later = dict(contract(OUTCOMES).latest)
    added = {"name": "added", "type": ["null", "string"], "default": None, "doc": "Null: new."}
    later["fields"] = [*later["fields"], added]
    parsed = parse(canonical_json(later))
    record = decoder(OUTCOMES).decode(an_outcome())
    writer: Encoder[AvroRecord] = Encoder(parsed, 99)
    framed = writer.encode(record | {"added": "later"})
    registry = KnownSchemas({99: parsed})
    assert registry.decoder(contract(OUTCOMES)).decode(framed) == record
    assert registry.any_decoder().decode(framed) == record | {"added": "later"}


@pytest.mark.parametrize("schema_id", [0, -1, 2**31, 2**32 - 1])
def test_ids_no_registry_can_give_are_unknown_without_asking(schema_id: int) -> None:
    framed = b"\x00" + (schema_id % 2**32).to_bytes(4, "big") + b"body"
    with pytest.raises(UndecodableError) as caught:
        decoder(OUTCOMES).decode(framed)
    assert caught.value.rule_id == "unknown_schema_id"
    # A dead letter holds the id as a signed number of 32 bits.
    assert -(2**31) <= (frame_schema_id(framed) or 0) < 2**31


def test_a_registry_out_of_reach_is_an_error_without_the_password() -> None:
    """The record may be fine: it must not become a dead letter."""
    began = time.monotonic()
    with pytest.raises(RegistryError, match="SCHEMA_REGISTRY_URL") as caught:
        Registry(CLOSED_PORT).writer_schema(5)
    assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 30


def test_times_come_back_aware_and_in_utc() -> None:
    record = decoder(OUTCOMES).decode(an_outcome())
    assert isinstance(record["record_time"], datetime)
    assert record["record_time"].tzinfo == UTC


def test_a_type_of_another_record_is_refused_when_a_codec_is_made() -> None:
    with pytest.raises(TypeError, match=r"record\.outcomes holds records of RecordOutcome"):
        topic_decoder(REGISTRY, RECORD_OUTCOMES, avro.DeadLetter)


def test_a_head_is_the_first_fields_and_nothing_behind_them_has_to_fit() -> None:
    framed = an_outcome()
    whole = decoder(OUTCOMES).decode(framed)
    names = list(whole)
    for index, last_field in enumerate(names):
        head = REGISTRY.head_decoder(contract(OUTCOMES), last_field)
        assert head.decode(framed) == {name: whole[name] for name in names[: index + 1]}
        assert head.decode(framed + b"more") == head.decode(framed)


def test_a_head_that_is_cut_or_of_another_record_is_refused() -> None:
    framed = an_outcome()
    head = REGISTRY.head_decoder(contract(OUTCOMES), "source_id")
    assert refusal(head, framed[:8]) == ("bad_avro", IDS[OUTCOMES])
    other = "quality.scores"
    strange = struct.pack(">bi", 0, IDS[other]) + framed[5:]
    assert refusal(head, strange) == ("bad_avro", IDS[other])


def test_a_writer_that_calls_a_field_of_the_head_otherwise_is_read_whole() -> None:
    agreed = contract(OUTCOMES)
    fields = [
        {**field, "name": "was_" + field["name"]} if field["name"] == "record_id" else field
        for field in agreed.latest["fields"]
    ]
    renamed = parse(canonical_json({**agreed.latest, "fields": fields}))
    reader = {
        **agreed.latest,
        "fields": [
            {**field, "aliases": ["was_record_id"]} if field["name"] == "record_id" else field
            for field in agreed.latest["fields"]
        ],
    }
    registry = KnownSchemas({1: renamed})
    example = next(found for found in examples("valid") if found.contract == OUTCOMES)
    record = to_record(agreed.latest, example.value)
    written = {("was_record_id" if name == "record_id" else name): record[name] for name in record}
    writer: Encoder[AvroRecord] = Encoder(renamed, 1)
    framed = writer.encode(written)
    head: Decoder[AvroRecord] = Decoder(registry, parse(canonical_json(reader)), "output_kind")
    assert head.decode(framed)["record_id"] == record["record_id"]
