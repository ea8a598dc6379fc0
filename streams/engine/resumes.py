"""Which paused raw partitions may go on, read by the worker that owns one."""

from streams.avro.codec import Registry, UndecodableError
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.kafka.topic_reader import read_all
from streams.topics import RESUMES


def resumed_offset(bootstrap: str, registry: Registry, topic: str, partition: int) -> int:
    """Last offset of a raw partition that was resumed; -1 when none was.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: it could not be read.
    """
    decoder = topic_decoder(registry, RESUMES, avro.Resume)
    offset = -1
    for record in read_all(bootstrap, RESUMES.name):
        try:
            entry = decoder.decode(record.value)
        except UndecodableError:
            continue  # not written by us: it resumes nothing
        if (entry["topic"], entry["partition"]) == (topic, partition):
            offset = max(offset, entry["offset"])
    return offset
