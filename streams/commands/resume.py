"""Resuming: what lets the paused partitions of a topic go on, for every worker and restart.

A resume says that somebody has looked at what a partition contains up to an offset. It is a
record of a compacted topic, so it holds whichever worker owns the partition.
"""

from datetime import UTC, datetime

from streams.avro.topic_codecs import topic_encoder
from streams.core import contract_types as avro
from streams.kafka.topic_admin import end_offsets
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import RESUMES


def resume(settings: Settings, topic: str) -> dict[int, int]:
    """Resume a topic after all it has up to now; returns the offsets by partition.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: it was not published.
    """
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
        encoder = topic_encoder(registry, RESUMES, avro.Resume)
    resumed = {}
    with TopicWriter(settings.kafka_bootstrap, [RESUMES.name]) as writer:
        for (_, partition), end in end_offsets(settings.kafka_bootstrap, [topic]).items():
            if not end:
                continue
            resumed[partition] = end - 1
            entry: avro.Resume = {
                "topic": topic,
                "partition": partition,
                "offset": end - 1,
                "resumed_at": datetime.now(UTC),
            }
            writer.send(RESUMES.name, f"{topic}:{partition}".encode(), encoder.encode(entry))
        writer.finish()
    return resumed
