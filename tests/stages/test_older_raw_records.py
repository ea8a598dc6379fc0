"""Raw records of every version of their contract go through normalize as those of the newest."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader, schemaless_writer

from producers.connectors import CONNECTORS
from streams.avro.codec import AvroRecord, Decoder
from streams.avro.contracts import AvroSchema, canonical_json, contract, parse
from streams.core.errors import Rejected
from streams.core.records import RawRecord
from streams.stages.raw_reading import RawReader
from streams.topics import raw_topic
from tests.avro.examples import examples, to_record
from tests.core.series import TOLERANCES
from tests.stages.chain import OfflineRegistry, Record

CASES = [
    (name, version)
    for name in CONNECTORS
    for version in range(1, len(contract(f"raw.{name}").versions) + 1)
]


def as_written(schema: AvroSchema, newest: AvroSchema, record: AvroRecord) -> bytes:
    """A record as a producer of an earlier version would have written it."""
    out = BytesIO()
    schemaless_writer(out, newest, record)
    out.seek(0)
    earlier: Any = schemaless_reader(out, newest, schema)
    body = BytesIO()
    schemaless_writer(body, schema, earlier)
    return body.getvalue()


def of_examples(name: str) -> Iterator[AvroRecord]:
    raw = contract(f"raw.{name}")
    for one in examples("valid"):
        if one.contract == raw.name:
            yield to_record(raw.latest, one.value, complete=True)


@pytest.mark.parametrize(("name", "version"), CASES)
def test_raw_records_of_every_version_are_still_read(name: str, version: int) -> None:
    raw = contract(f"raw.{name}")
    registry = OfflineRegistry()
    schema = parse(canonical_json(raw.versions[version - 1]))
    registry._writers[7] = schema
    decoder: Decoder[Any] = registry.decoder(raw)
    reader = RawReader(CONNECTORS[name], decoder, TOLERANCES)
    newest = raw.parsed()
    verdicts = []
    for record in of_examples(name):
        value = b"\0" + (7).to_bytes(4, "big") + as_written(schema, newest, record)
        found = reader.read(Record(raw_topic(name).name, 0, b"key", value))
        assert isinstance(found, RawRecord), found
        expected = RawRecord.from_avro(decoder.decode(value))
        assert found == expected
        assert (found.record_id, found.stream) == (record["record_id"], record["stream"])
        verdicts.append(reader.evaluate(found))
    assert verdicts
    assert any(one is not None and not isinstance(one, Rejected) for one in verdicts)
