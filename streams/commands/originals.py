"""The raw records that dead letters are about, as their topics have them now."""

from collections.abc import Container, Iterator, Sequence
from itertools import groupby

from streams.core.dead_letters import DeadLetter
from streams.core.record_size import Content
from streams.core.redrive import without_redrive_header
from streams.kafka.topic_admin import end_offsets
from streams.kafka.topic_reader import Record, read


def originals(
    bootstrap: str, chosen: Sequence[DeadLetter], raw_topics: Container[str]
) -> Iterator[tuple[DeadLetter, Record | None]]:
    """Each dead letter with its raw record, without a redrive header.

    None where no such record is there now: its topic is no raw one, or its offset does not exist or
    has another record, as after a topic was created again.

    Args:
        bootstrap: Kafka bootstrap servers.
        chosen: Dead letters by raw coordinates.
        raw_topics: Topics that exist.

    Raises:
        TopicMismatchError, BrokerError: they could not be read.
    """
    for (topic, partition), found in groupby(
        chosen, lambda dead_letter: (dead_letter.raw.topic, dead_letter.raw.partition)
    ):
        dead_letters = list(found)
        if topic not in raw_topics:
            yield from ((dead_letter, None) for dead_letter in dead_letters)
            continue
        ends = end_offsets(bootstrap, [topic])
        end = {number: high for (_, number), high in ends.items()}.get(partition, 0)
        present = [one for one in dead_letters if one.raw.offset < end]
        records = (
            read(bootstrap, topic, partition=partition, from_offset=present[0].raw.offset)
            if present
            else iter(())
        )
        record = next(records, None)
        for dead_letter in dead_letters:
            while record is not None and record.offset < dead_letter.raw.offset:
                record = next(records, None)
            yield dead_letter, _original(dead_letter, record)


def _original(dead_letter: DeadLetter, record: Record | None) -> Record | None:
    if record is None or record.offset != dead_letter.raw.offset:
        return None
    plain = record._replace(headers=tuple(without_redrive_header(record.headers)))
    kept = dead_letter.content
    candidates = (record.headers, plain.headers)
    if any(kept.is_of(Content(record.key, record.value, headers)) for headers in candidates):
        return plain
    return None
