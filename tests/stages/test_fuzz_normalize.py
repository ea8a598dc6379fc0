"""Whatever a raw topic contains: nothing raises, and every record ends accepted or rejected.

First the items inside good records, then the Kafka record around them: its key, value, headers,
time, offset and size. Compression is the client's, so `tests/fault` sends compressed ones.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.connectors import CONNECTORS
from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.avro.topic_codecs import shared_encoders, state_codec, topic_decoder
from streams.core import contract_types as avro
from streams.core.redrive import REDRIVEN_FROM
from streams.core.rejection_limits import RejectionLimits
from streams.engine.overlay import Overlay
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch
from streams.stages.normalize import Normalize
from streams.stages.raw_reading import RawReader
from streams.topics import (
    DEAD_LETTERS,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    RECORD_OUTCOMES,
    changelog_topic,
    raw_topic,
)
from streams.topology import normalize_stage
from tests.avro.examples import examples, to_record
from tests.avro.values import values
from tests.core.series import TOLERANCES
from tests.stages.chain import OfflineRegistry, Record

YEAR_9999 = datetime(9999, 12, 31, 23, tzinfo=UTC)
NO_LIMITS = RejectionLimits(share=1, of_records=1, consecutive=10**9)
MOST_SENT_BYTES = 1_000_000
"""What clients send by default."""

NUMBERS = st.sampled_from(
    [
        *("NaN", "inf", "-Infinity", "1e999", "1e308", "1e-320", "9" * 400, "3000000000", "²"),
        *("-", "", "0", "-1", "52.5"),
    ]
)
TEXTS = NUMBERS | st.sampled_from(["2026-05-03", "2026-02-30", "Gas", "DEU", "\x00", "x" * 70_000])


def _stage(name: str) -> tuple[Callable[[Record], Sequence[Outgoing]], OfflineRegistry]:
    registry = OfflineRegistry()
    topic = raw_topic(name)
    changelog = changelog_topic("test", normalize_stage(name), "state.locations", topic.partitions)
    state = state_codec(registry, changelog, avro.Location)
    decoder = topic_decoder(registry, topic, avro.RawRecord)
    reader = RawReader(CONNECTORS[name], decoder, TOLERANCES)
    stage = Normalize(reader, state, shared_encoders(registry), 1, NO_LIMITS)

    def run(record: Record) -> Sequence[Outgoing]:
        overlay = Overlay(lambda key: None)
        outputs = stage(Batch(topic.name, 0, [record]), overlay)
        for key, entry in overlay.changes.items():
            assert len(key) + len(entry or b"") < MOST_SENT_BYTES
        assert all(len(out.key) + len(out.value or b"") < MOST_SENT_BYTES for out in outputs)
        return outputs

    return run, registry


def _with_envelope(name: str, drawn: AvroRecord, texts: dict[str, str]) -> AvroRecord:
    """A record that passes the envelope, so that the connector sees its item."""
    connector = CONNECTORS[name]
    streams = [stream.name for stream in connector.discover()]
    item = drawn["item"]
    if item is not None:
        item = item | {key: text for key, text in texts.items() if isinstance(item.get(key), str)}
    return drawn | {
        "source_id": connector.source_id,
        "stream": drawn["stream"] if drawn["stream"] in streams else streams[0],
        "event": "no_longer_listed" if item is None else "observed",
        "item": item,
    }


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CONNECTORS)
def test_every_raw_record_ends_accepted_or_rejected(
    name: str, request: pytest.FixtureRequest
) -> None:
    run, registry = _stage(name)

    def at_start(value: bytes) -> Record:
        return Record(raw_topic(name).name, 0, b"key", value)

    schema = contract(f"raw.{name}").parsed()
    encoder = registry.encoder("raw", contract(f"raw.{name}"))
    fields = _item_fields(schema)
    real = [
        to_record(contract(f"raw.{name}").latest, example.value, complete=True)
        for example in examples("valid")
        if example.contract == f"raw.{name}"
    ]
    records = st.sampled_from(real) | values(schema, {})
    # What the examples become is reached in every run; the rest is up to chance.
    seen = {output.topic for drawn in real for output in run(at_start(encoder.encode(drawn)))}
    assert seen & {NORMALIZED_ASSETS.name, NORMALIZED_OBSERVATIONS.name}
    inputs = 55_000 if request.config.getoption("--soak") else 150

    @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        drawn = data.draw(records)
        texts = data.draw(st.dictionaries(st.sampled_from(fields), TEXTS, max_size=6))
        value = encoder.encode(_with_envelope(name, drawn, texts))
        if data.draw(st.integers(0, 4)) == 0:
            # Behind the schema id: an unknown one is a question to the registry.
            at = data.draw(st.integers(5, len(value) - 1))
            value = value[:at] + data.draw(st.binary(max_size=9)) + value[at + 1 :]
        topics = [output.topic for output in run(at_start(value))]
        seen.update(topics)
        rejected = topics.count(DEAD_LETTERS.name)
        sent = topics.count(NORMALIZED_ASSETS.name) + topics.count(NORMALIZED_OBSERVATIONS.name)
        assert rejected + sent <= 1
        assert rejected == 0 or topics.count(RECORD_OUTCOMES.name) == 1
        assert sent == 1 or topics.count(RECORD_OUTCOMES.name) == 1

    fuzz()
    assert seen >= {DEAD_LETTERS.name, RECORD_OUTCOMES.name}


SIZES = st.sampled_from([0, 1, 200, 70_000, 940_000, 960_000, 1_000_001, 5_000_000])
LONGS = st.sampled_from([-(2**63), -(10**14), -1, 0, 10**12, 253_402_300_800_000, 2**63 - 1])
ORIGINALS = st.sampled_from(
    [
        *("raw.{}:0:3", "raw.{}:0:7", "raw.{}:1:3", "raw.other:0:3", "raw.{}:0:-1", "x", "", ":::"),
        f"raw.{{}}:0:{'9' * 5000}",
        f"raw.{{}}:{'1' * 30}:3",
    ]
)


@st.composite
def _headers(draw: st.DrawFn, name: str) -> tuple[tuple[str, bytes], ...]:
    plain = st.tuples(st.text(max_size=9), SIZES.map(bytes))
    redrive = st.tuples(
        st.just(REDRIVEN_FROM),
        ORIGINALS.map(lambda text: text.replace("{}", name).encode()) | st.binary(max_size=9),
    )
    return tuple(draw(st.lists(plain | redrive, max_size=3)))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CONNECTORS)
def test_every_kafka_record_ends_accepted_or_rejected(
    name: str, request: pytest.FixtureRequest
) -> None:
    run, registry = _stage(name)
    encoder = registry.encoder("raw", contract(f"raw.{name}"))
    dead_letter = registry.decoder(contract(DEAD_LETTERS.name))
    real = [
        to_record(contract(f"raw.{name}").latest, example.value, complete=True)
        for example in examples("valid")
        if example.contract == f"raw.{name}"
    ]
    inputs = 5_000 if request.config.getoption("--soak") else 60

    @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        drawn = _with_envelope(name, data.draw(st.sampled_from(real)), {})
        padded = data.draw(st.sampled_from(["record_id", "licence", "release", "name", "none"]))
        texts = drawn if padded in drawn else (drawn["item"] or {})
        if isinstance(texts.get(padded), str):
            changed = {**texts, padded: texts[padded] + "x" * data.draw(SIZES)}
            drawn = (
                {**drawn, padded: changed[padded]} if texts is drawn else drawn | {"item": changed}
            )
        drawn["fetched_at"] = data.draw(
            st.sampled_from([drawn["fetched_at"], datetime.min.replace(tzinfo=UTC), YEAR_9999])
        )
        value = data.draw(
            st.just(encoder.encode(drawn)) | st.none() | SIZES.map(lambda size: bytes(size))
        )
        record = Record(
            raw_topic(name).name,
            7,
            data.draw(st.none() | SIZES.map(bytes)),
            value,
            timestamp=data.draw(LONGS),
            headers=data.draw(_headers(name)),
        )
        outputs = run(record)
        topics = [output.topic for output in outputs]
        sent = topics.count(NORMALIZED_ASSETS.name) + topics.count(NORMALIZED_OBSERVATIONS.name)
        assert sent + topics.count(RECORD_OUTCOMES.name) == 1
        assert topics.count(DEAD_LETTERS.name) <= 1 - sent
        for output in outputs:
            if output.topic == DEAD_LETTERS.name:
                _has_what_fits(dead_letter.decode(output.value), record)

    fuzz()


def _has_what_fits(found: AvroRecord, record: Record) -> None:
    for part, whole in (("key", record.key), ("value", record.value)):
        cut = next((cut for cut in found["cuts"] if cut["part"] == part), None)
        if cut is None:
            assert found[part] == whole
        else:
            assert whole is not None
            assert whole.startswith(found[part])
            assert cut["whole_bytes"] == len(whole)
            assert cut["sha256"] == sha256(whole).hexdigest()
    kept = found["kafka_timestamp"]
    milliseconds = round(found["record_time"].timestamp() * 1000) if kept is None else kept
    assert milliseconds == record.timestamp


def _item_fields(schema: AvroRecord) -> list[str]:
    item = next(field for field in schema["fields"] if field["name"] == "item")["type"]
    record = (
        next(part for part in item if isinstance(part, dict)) if isinstance(item, list) else item
    )
    return [field["name"] for field in record["fields"]]
