"""Outcomes and dead letters as records to publish."""

from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version

from streams.avro.codec import frame_schema_id
from streams.avro.topic_codecs import Encoders
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.record_size import Content
from streams.core.record_times import clamped_ms, clamped_time
from streams.core.records import Outcome, RawCoordinates
from streams.core.redrive import original_of, without_redrive_header
from streams.engine.transactions import Outgoing
from streams.kafka.batch import ConsumedRecord
from streams.topics import DEAD_LETTERS, RECORD_OUTCOMES

CODE_VERSION = version("infrastructure-streams")

_MESSAGE_LENGTH = 2000


def outcome(
    encoders: Encoders,
    raw: RawCoordinates,
    *,
    source_id: str,
    record_id: str | None,
    kind: str,
    result: Outcome,
    stage: str,
    generation: int,
    record_time: datetime,
    rule_id: str | None = None,
    canonical: Iterable[tuple[str, int]] = (),
    flags: Iterable[str] = (),
    again: bool = False,
) -> Outgoing:
    """One `RecordOutcome`, keyed by its raw coordinates."""
    published: list[avro.CanonicalVersion] = [
        {"record_id": identity, "version": number} for identity, number in canonical
    ]
    value = encoders.outcomes.encode(
        {
            "raw": raw.to_avro(),
            "source_id": source_id,
            "record_id": record_id,
            "output_kind": kind,
            "outcome": result,
            "stage": stage,
            "generation": generation,
            "record_time": record_time,
            "rule_id": rule_id,
            "canonical": published,
            "flags": list(flags),
            "again": again,
        }
    )
    return Outgoing(RECORD_OUTCOMES.name, raw.key.encode(), value)


def dead_letter(
    encoders: Encoders,
    record: ConsumedRecord,
    rejected: Rejected,
    *,
    source_id: str,
    record_id: str | None,
    stage: str,
) -> Outgoing:
    """One `DeadLetter`: the record byte for byte as far as it fits, and why."""
    raw = coordinates_of(record)
    headers = record.headers
    if was_redriven(record):
        headers = without_redrive_header(headers)
    content = Content(record.key, record.value, tuple(headers)).fitting()
    clamped = clamped_ms(record.timestamp) != record.timestamp
    value = encoders.dead_letters.encode(
        {
            "raw": raw.to_avro(),
            "source_id": source_id,
            "record_id": record_id,
            "key": content.key,
            "value": content.value,
            "headers": [{"name": name, "value": text} for name, text in content.headers],
            "cuts": [cut.to_avro() for cut in content.cuts],
            "record_time": kafka_time(record),
            "kafka_timestamp": record.timestamp if clamped else None,
            "schema_id": frame_schema_id(record.value),
            "stage": stage,
            "rule_id": rejected.rule_id,
            "field": rejected.field,
            "observed": rejected.observed,
            "limit": rejected.limit,
            "message": rejected.message[:_MESSAGE_LENGTH],
            "code_version": CODE_VERSION,
        }
    )
    return Outgoing(DEAD_LETTERS.name, raw.key.encode(), value)


def coordinates_of(record: ConsumedRecord) -> RawCoordinates:
    """Coordinates of a consumed record; of its original, if it was redriven."""
    own = _own_coordinates(record)
    original = original_of(own, record.headers)
    return original if isinstance(original, RawCoordinates) else own


def was_redriven(record: ConsumedRecord) -> bool:
    """Whether a consumed record was accounted for before."""
    return isinstance(original_of(_own_coordinates(record), record.headers), RawCoordinates)


def kafka_time(record: ConsumedRecord) -> datetime:
    """Kafka's timestamp of a record, UTC, as far as times go."""
    return clamped_time(record.timestamp)


def _own_coordinates(record: ConsumedRecord) -> RawCoordinates:
    return RawCoordinates(record.topic, record.partition, record.offset)
