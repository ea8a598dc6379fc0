"""What runs that recorded nothing have left in a raw topic: the checkpoint knows nothing of it.

A run that was killed may have published half of a release that nobody will ever offer again. Its
records are listed, whatever the source says next, until a run withdraws them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from producers.raw_log import RawLog
from producers.storable_text import storable
from streams.avro.codec import Decoder
from streams.core.foreign import ForeignRecords
from streams.core.records import RawCoordinates
from streams.core.redrive import original_of
from streams.kafka.decoded_reader import read_decoded
from streams.kafka.topic_reader import Record


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Records behind the end that a checkpoint remembers.

    Attributes:
        count: How many there are, redriven and replayed copies aside.
        record_ids: Theirs; empty where they were not asked for.
        listed: Those that were not withdrawn since, each with its stream; only of streams of which
            a run can give all.
        streams: Such streams that have any.
    """

    count: int = 0
    record_ids: Collection[str] = ()
    listed: Mapping[str, str] = field(default_factory=dict)
    streams: frozenset[str] = frozenset()


def unfinished_since(
    bootstrap: str,
    topic: str,
    decoder: Decoder[dict[str, Any]],
    before: RawLog,
    now: RawLog,
    released: Collection[str],
    *,
    with_ids: bool,
) -> Unfinished:
    """What a raw topic has that no finished run knows of.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name of the raw topic.
        decoder: Of the first fields of its values, up to the event.
        before: The part of it that finished runs know of.
        now: At the start of this one.
        released: Streams of which a run can give all.
        with_ids: Whether to collect the ids of all streams; a whole topic of gas days has millions.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: it could not be read.
    """
    starts = dict.fromkeys(range(len(now.ends)), 0) | dict(enumerate(before.ends))
    count = 0
    record_ids: set[str] = set()
    listed: dict[str, str] = {}
    streams: set[str] = set()
    # Foreign records are for normalize to name: each becomes a dead letter.
    for _, raw in read_decoded(
        bootstrap, topic, decoder, ForeignRecords(), from_offset=starts, wanted=_is_no_copy
    ):
        record_id, stream = storable(raw["record_id"]), raw["stream"]
        count += 1
        if with_ids:
            record_ids.add(record_id)
        listed.pop(record_id, None)
        if stream in released:
            streams.add(stream)
            if raw["event"] == "observed":
                listed[record_id] = stream
    return Unfinished(count, record_ids, listed, frozenset(streams))


def _is_no_copy(record: Record) -> bool:
    """Whether a record is an original; a redriven or replayed copy is as old as its original."""
    own = RawCoordinates(record.topic, record.partition, record.offset)
    return original_of(own, record.headers) is None
