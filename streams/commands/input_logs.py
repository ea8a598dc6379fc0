"""What every stage has read of its input, from the last entries of its changelog."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from confluent_kafka.admin import OffsetSpec

from producers.connectors import CONNECTORS
from streams.avro.codec import Decoder, Registry, UndecodableError
from streams.avro.topic_codecs import applied_codec
from streams.core import contract_types as avro
from streams.core.inputs import InputPartition
from streams.engine.applied import Applied, crc_of
from streams.engine.store import APPLIED_KEY
from streams.kafka.broker import Broker, PartitionId
from streams.kafka.topic_reader import read
from streams.settings import Settings
from streams.topology import DeclaredStage, normalize_stage, pipeline

_NORMALIZING = frozenset(map(normalize_stage, CONNECTORS))
_AT_ONCE = 8
_LAST_OFFSETS = (10, 10_000)
"""How far from the end to look first: the entry is the last one of each batch."""


def raw_input_logs(settings: Settings, registry: Registry) -> tuple[InputPartition, ...]:
    """Every partition of the raw topics, with what was read of it; errors as in `input_logs`."""
    stages = [stage for stage in pipeline(CONNECTORS) if stage.name in _NORMALIZING]
    return input_logs(settings, registry, stages)


def input_logs(
    settings: Settings, registry: Registry, stages: Iterable[DeclaredStage]
) -> tuple[InputPartition, ...]:
    """Every input partition of the stages, with what was read of it.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    broker = Broker(settings.kafka_bootstrap)
    stages = tuple(stages)
    derived = {topic.name for stage in stages for topic in stage.outputs}
    changelogs = {stage.input.name: stage.changelog(settings.app_id).name for stage in stages}
    described = broker.described(changelogs)
    partitions = broker.partitions(changelogs)
    lows = broker.offsets(partitions, OffsetSpec.earliest())
    highs = broker.offsets(partitions, OffsetSpec.latest())
    decoder = applied_codec(registry).decoder

    def read_log(partition: PartitionId) -> InputPartition:
        applied = _last_applied(settings, changelogs[partition.topic], partition.partition, decoder)
        log = InputPartition(
            *partition,
            str(described[partition.topic].topic_id),
            lows[partition],
            highs[partition],
        )
        if applied is None:
            return log
        return _read_so_far(settings, log, applied, is_derived=partition.topic in derived)

    # Each waits for the broker most of its time.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return tuple(threads.map(read_log, partitions))


def _read_so_far(
    settings: Settings, log: InputPartition, applied: Applied, *, is_derived: bool
) -> InputPartition:
    return InputPartition(
        log.topic,
        log.partition,
        log.topic_id,
        log.low,
        log.high,
        applied.topic_uuid,
        applied.offset,
        _is_same_record(settings, log, applied),
        applied.generation,
        tuple(
            (unread.first, unread.end)
            for unread in applied.deleted_unread
            # A topic of the pipeline's own may begin later than a stage that is new or rebuilt.
            if unread.first > 0 or not is_derived
        ),
    )


def _is_same_record(settings: Settings, log: InputPartition, applied: Applied) -> bool | None:
    if applied.record_crc is None or not log.low <= applied.offset < log.high:
        return None
    following = read(
        settings.kafka_bootstrap,
        log.topic,
        partition=log.partition,
        from_offset=applied.offset,
    )
    record = next(following, None)
    if record is None or record.offset != applied.offset:
        return None
    return crc_of(record.key, record.value) == applied.record_crc


def _last_applied(
    settings: Settings, changelog: str, partition: int, decoder: Decoder[avro.Applied]
) -> Applied | None:
    for last in (*(-offsets for offsets in _LAST_OFFSETS), 0):
        found = None
        for record in read(
            settings.kafka_bootstrap, changelog, partition=partition, from_offset=last
        ):
            if record.key == APPLIED_KEY:
                # What is none of ours says nothing of what was read.
                with suppress(UndecodableError):
                    found = Applied.from_avro(decoder.decode(record.value))
        if found is not None:
            return found
    return None
