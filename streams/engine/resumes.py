"""Which paused raw partitions may go on, read by the worker that owns one."""

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.foreign import ForeignRecords
from streams.kafka.decoded_reader import read_decoded
from streams.topics import RESUMES


def resumed_offset(bootstrap: str, registry: Registry, topic: str, partition: int) -> int:
    """Last offset of a raw partition that was resumed; -1 when none was.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: it could not be read.
    """
    decoder = topic_decoder(registry, RESUMES, avro.Resume)
    offset = -1
    # Read every two seconds while something is paused: what is foreign there is not worth a log.
    for _, entry in read_decoded(bootstrap, RESUMES.name, decoder, ForeignRecords()):
        if (entry["topic"], entry["partition"]) == (topic, partition):
            offset = max(offset, entry["offset"])
    return offset
