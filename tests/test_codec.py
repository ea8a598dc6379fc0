"""Decoding framed records: as written, by another version, and what is no record of ours."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer

from streams.codec import Decoder, Registry, UndecodableError
from streams.contracts import AvroSchema, canonical_json, parse


def schema(*fields: dict[str, Any], name: str = "Toy") -> AvroSchema:
    return parse(canonical_json({"type": "record", "name": name, "fields": list(fields)}))


ID = {"name": "id", "type": "string"}
FLAGS = {"name": "flags", "type": {"type": "array", "items": "null"}}
OLD = schema(ID)
NEW = schema(ID, {"name": "size", "type": "long", "default": 7})
FLAGGED = schema(ID, FLAGS)
OTHER = schema(ID, name="Other")


class Shelf(Registry):
    """A registry that has its schemas at hand: ids count from one."""

    def __init__(self, *schemas: AvroSchema) -> None:
        super().__init__("http://127.0.0.1:9")
        self._schemas = dict(enumerate(schemas, 1))

    def writer_schema(self, schema_id: int) -> AvroSchema | None:
        return self._schemas.get(schema_id)


REGISTRY = Shelf(OLD, NEW, FLAGGED, OTHER)


def framed(schema_id: int, written_by: AvroSchema, record: dict[str, Any]) -> bytes:
    out = BytesIO()
    schemaless_writer(out, written_by, record)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def test_a_record_of_this_version_is_read_as_written() -> None:
    value = framed(2, NEW, {"id": "a", "size": 1})
    assert Decoder(REGISTRY, NEW).decode(value) == {"id": "a", "size": 1}


def test_a_record_of_another_version_gets_this_versions_fields() -> None:
    assert Decoder(REGISTRY, NEW).decode(framed(1, OLD, {"id": "a"})) == {"id": "a", "size": 7}
    assert Decoder(REGISTRY, OLD).decode(framed(2, NEW, {"id": "a", "size": 1})) == {"id": "a"}


def test_without_a_schema_of_its_own_a_decoder_reads_each_as_written() -> None:
    decoder = Decoder(REGISTRY, None)
    assert decoder.decode(framed(1, OLD, {"id": "a"})) == {"id": "a"}
    assert decoder.decode(framed(2, NEW, {"id": "b", "size": 1})) == {"id": "b", "size": 1}


@pytest.mark.parametrize(
    ("value", "rule_id", "schema_id"),
    [
        (None, "bad_framing", None),
        (b"", "bad_framing", None),
        (b"\0\0\0\0", "bad_framing", None),
        (b'{"id": "a"}', "bad_framing", None),
        (framed(9, OLD, {"id": "a"}), "unknown_schema_id", 9),
        (framed(2, OLD, {"id": "a"}), "bad_avro", 2),
        (framed(2, NEW, {"id": "a"}) + b"\0", "bad_avro", 2),
        (framed(1, OLD, {"id": "a"})[:-1], "bad_avro", 1),
        (framed(1, OLD, {"id": "a"}) + b"\0", "bad_avro", 1),
        (framed(3, OLD, {"id": "a"}) + b"\xfe\xff\xff\xff\xff\x01\0", "bad_avro", 3),
        (framed(4, OTHER, {"id": "a"}), "bad_avro", 4),
    ],
)
def test_other_bytes_are_refused_with_their_reason(
    value: bytes | None, rule_id: str, schema_id: int | None
) -> None:
    with pytest.raises(UndecodableError) as refused:
        Decoder(REGISTRY, NEW).decode(value)
    assert (refused.value.rule_id, refused.value.schema_id) == (rule_id, schema_id)
