"""Whatever a raw topic contains: nothing raises, and every record ends accepted or rejected."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.connectors import CONNECTORS
from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.avro.topic_codecs import shared_encoders, state_codec, topic_decoder
from streams.core import contract_types as avro
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

NO_LIMITS = RejectionLimits(share=1, of_records=1, consecutive=10**9)
NUMBERS = st.sampled_from(
    ["NaN", "inf", "-Infinity", "1e999", "-", "", "0", "-1", "9" * 400, "52.5"]
)
TEXTS = NUMBERS | st.sampled_from(["2026-05-03", "2026-02-30", "Gas", "DEU", "\x00", "x" * 70_000])


def _stage(name: str) -> tuple[Callable[[bytes | None], Sequence[Outgoing]], OfflineRegistry]:
    registry = OfflineRegistry()
    topic = raw_topic(name)
    changelog = changelog_topic("test", normalize_stage(name), "state.locations", topic.partitions)
    state = state_codec(registry, changelog, avro.Location)
    decoder = topic_decoder(registry, topic, avro.RawRecord)
    reader = RawReader(CONNECTORS[name], decoder, TOLERANCES)
    stage = Normalize(reader, state, shared_encoders(registry), 1, NO_LIMITS)

    def run(value: bytes | None) -> Sequence[Outgoing]:
        record = Record(topic.name, 0, b"key", value)
        return stage(Batch(topic.name, 0, [record]), Overlay(lambda key: None))

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
    seen = {output.topic for drawn in real for output in run(encoder.encode(drawn))}
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
        topics = [output.topic for output in run(value)]
        seen.update(topics)
        rejected = topics.count(DEAD_LETTERS.name)
        sent = topics.count(NORMALIZED_ASSETS.name) + topics.count(NORMALIZED_OBSERVATIONS.name)
        assert rejected + sent <= 1
        assert rejected == 0 or topics.count(RECORD_OUTCOMES.name) == 1
        assert sent == 1 or topics.count(RECORD_OUTCOMES.name) == 1

    fuzz()
    assert seen >= {DEAD_LETTERS.name, RECORD_OUTCOMES.name}


def _item_fields(schema: AvroRecord) -> list[str]:
    item = next(field for field in schema["fields"] if field["name"] == "item")["type"]
    record = (
        next(part for part in item if isinstance(part, dict)) if isinstance(item, list) else item
    )
    return [field["name"] for field in record["fields"]]
