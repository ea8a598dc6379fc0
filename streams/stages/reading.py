"""Reading a batch: the records that can be read, and dead letters for the others."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from streams.avro.codec import Decoder, UndecodableError
from streams.avro.topic_codecs import Encoders
from streams.core.errors import Rejected
from streams.core.record_size import MOST_BYTES, fits
from streams.core.reject_rules import TOO_LARGE
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch, ConsumedRecord
from streams.stages.outcomes import dead_letter

_Record = TypeVar("_Record", bound=Mapping[str, Any])


def readable(
    batch: Batch,
    decoder: Decoder[_Record],
    encoders: Encoders,
    outputs: list[Outgoing],
    *,
    stage: str,
    source_id: str = "",
) -> Iterator[tuple[ConsumedRecord, _Record]]:
    """Yield each record of a batch with its content, in order.

    Args:
        batch: What a stage was handed.
        decoder: Reads its values.
        encoders: Writes the dead letters.
        outputs: Takes the dead letters of records that cannot be read.
        stage: Who reads.
        source_id: Source of the topic; empty for one that several sources share.
    """
    for record in batch.records:
        content = _decoded(record, decoder)
        if isinstance(content, Rejected):
            outputs.append(
                dead_letter(
                    encoders, record, content, source_id=source_id, record_id=None, stage=stage
                )
            )
        else:
            yield record, content


def _decoded(record: ConsumedRecord, decoder: Decoder[_Record]) -> _Record | Rejected:
    if not fits(record.key, record.value):
        size = len(record.key or b"") + len(record.value or b"")
        return TOO_LARGE.reject(f"{size} bytes", limit=f"{MOST_BYTES} bytes")
    try:
        return decoder.decode(record.value)
    except UndecodableError as error:
        return Rejected(error.rule_id, str(error))
