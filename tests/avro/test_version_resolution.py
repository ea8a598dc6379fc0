"""Records of another version get this version's fields, and stay as strictly read as any."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer

from streams.avro.codec import Decoder, Registry, UndecodableError
from streams.avro.contracts import AvroSchema, canonical_json, parse


def schema(*fields: dict[str, Any]) -> AvroSchema:
    return parse(canonical_json({"type": "record", "name": "Toy", "fields": list(fields)}))


ID = {"name": "id", "type": "string"}
FLAGS = {"name": "flags", "type": {"type": "array", "items": "null"}}
OLD = schema(ID)
NEW = schema(ID, {"name": "size", "type": "long", "default": 7})
FLAGGED = schema(ID, FLAGS)


class Shelf(Registry):
    """A registry that has its schemas at hand: ids count from one."""

    def __init__(self, *schemas: AvroSchema) -> None:
        super().__init__("http://127.0.0.1:9")
        self._writers = dict(enumerate(schemas, 1))


REGISTRY = Shelf(OLD, NEW, FLAGGED)


def framed(schema_id: int, written_by: AvroSchema, record: dict[str, Any]) -> bytes:
    out = BytesIO()
    schemaless_writer(out, written_by, record)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def test_a_field_the_writer_did_not_know_gets_its_default() -> None:
    assert Decoder(REGISTRY, NEW).decode(framed(1, OLD, {"id": "a"})) == {"id": "a", "size": 7}


def test_a_field_the_reader_does_not_know_is_left_out() -> None:
    assert Decoder(REGISTRY, OLD).decode(framed(2, NEW, {"id": "a", "size": 1})) == {"id": "a"}


@pytest.mark.parametrize(
    ("schema_id", "value"),
    [
        (1, framed(1, OLD, {"id": "a"})[:-1]),
        (1, framed(1, OLD, {"id": "a"}) + b"\0"),
        (3, framed(3, OLD, {"id": "a"}) + b"\x80\x80\x80\x01\0"),
    ],
    ids=["cut", "surplus", "a million items without bytes"],
)
def test_bytes_that_do_not_fit_their_own_version_are_refused(schema_id: int, value: bytes) -> None:
    with pytest.raises(UndecodableError) as refused:
        Decoder(REGISTRY, NEW).decode(value)
    assert (refused.value.rule_id, refused.value.schema_id) == ("bad_avro", schema_id)
