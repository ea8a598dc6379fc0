"""Reading one of our topics decoded, from outside the workers: what every command reads with.

Anybody may write to a topic. A record that is none of ours is counted, named and left out; it never
ends the reading.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from streams.avro.codec import Decoder, UndecodableError
from streams.core.foreign import ForeignRecords
from streams.core.records import RawCoordinates
from streams.kafka.topic_reader import Record, read

logger = logging.getLogger(__name__)

_Value = TypeVar("_Value", bound=Mapping[str, Any])


def read_decoded(
    bootstrap: str,
    topic: str,
    decoder: Decoder[_Value],
    foreign: ForeignRecords | None = None,
    *,
    from_offset: int | Mapping[int, int] = 0,
    wanted: Callable[[Record], bool] | None = None,
) -> Iterator[tuple[Record, _Value]]:
    """Records of a topic with their values, as `read` reads them.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name.
        decoder: Of its values.
        foreign: Takes what is no record of ours; without it, it is logged.
        from_offset: First offset in every partition, or of each.
        wanted: Which records to decode; the others are left out without a word.

    Raises:
        TopicMismatchError, BrokerError, RegistryError: it could not be read.
    """
    left_out = ForeignRecords() if foreign is None else foreign
    for record in read(bootstrap, topic, from_offset=from_offset):
        if wanted is not None and not wanted(record):
            continue
        value = read_value(record, decoder, left_out)
        if value is not None:
            yield record, value
    if foreign is None:
        for sentence in left_out.sentences():
            logger.warning("%s", sentence)


def read_value(record: Record, decoder: Decoder[_Value], foreign: ForeignRecords) -> _Value | None:
    """Value of a record; None when it is none of ours, which is then counted.

    Raises:
        RegistryError: the registry does not answer.
    """
    try:
        return decoder.decode(record.value)
    except UndecodableError as error:
        where = RawCoordinates(record.topic, record.partition, record.offset)
        foreign.add(where, error.rule_id)
        return None
