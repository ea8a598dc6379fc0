"""Records as read from a topic, decoded as people see them."""

from collections.abc import Mapping
from typing import Any

from streams.avro.codec import Decoder, Registry, UndecodableError, frame_schema_id
from streams.core.record_times import clamped_time
from streams.core.topic_record import TopicRecord
from streams.kafka.topic_reader import Record


class Decoding:
    """Decodes records of any topic, with nothing but the registry.

    Args:
        registry: Where the writers' schemas are.
        decoder: Decodes the values; by default as they were written.
    """

    def __init__(
        self, registry: Registry, decoder: Decoder[Mapping[str, Any]] | None = None
    ) -> None:
        self._registry = registry
        self._decoder = decoder or registry.any_decoder()

    def decoded(self, record: Record) -> TopicRecord:
        """A record, decoded as far as possible.

        Raises:
            RegistryError: no answer.
        """
        value: Mapping[str, Any] | bytes | None = record.value
        reason = None
        if record.value is not None:
            try:
                value = self._decoder.decode(record.value)
            except UndecodableError as error:
                reason = f"{error.rule_id}: {error}"
        schema_id = frame_schema_id(record.value)
        return TopicRecord(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=clamped_time(record.timestamp),
            key=_text(record.key),
            headers=record.headers,
            schema_id=schema_id,
            subject=self._subject(record.topic, schema_id),
            value=value,
            reason=reason,
        )

    def _subject(self, topic: str, schema_id: int | None) -> str | None:
        """Equal schemas have one id under several subjects: the topic's own, else the shortest."""
        if schema_id is None:
            return None
        subjects = [subject for subject, _ in self._registry.versions_of(schema_id)]
        own = f"{topic}-value"
        return own if own in subjects else min(subjects, key=len, default=None)


def _text(key: bytes | None) -> str | bytes | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return key
