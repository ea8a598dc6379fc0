"""Rebuilding the pipeline's state from the raw topics, when state and offsets are at odds.

Raw topics stay as they are. The next start reads them from the beginning with empty state and
decides on every record again, under a higher generation, so every canonical record gets a higher
version than any before. What the normalized topics already contain is marked as applied: it is
made again.
"""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.avro.topic_codecs import APPLIED_SUBJECT
from streams.core.errors import StateError
from streams.engine.applied import Applied
from streams.engine.store import APPLIED_KEY
from streams.kafka.topic_admin import delete_topics, end_offsets, ensure_topics, topic_uuids
from streams.kafka.topic_writer import TopicWriter
from streams.settings import Settings
from streams.topology import changelogs, pipeline


def rebuild(settings: Settings) -> int:
    """Forget the pipeline's state; returns the generation to start the workers with.

    Raises:
        StateError: a worker is still running.
        BrokerError, RegistryError: no answer, or an entry could not be written; run it again.
    """
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    _require_stopped(admin, settings.app_id)
    topics = changelogs(settings.app_id, CONNECTORS)
    delete_topics(settings.kafka_bootstrap, [topic.name for topic in topics])
    ensure_topics(settings.kafka_bootstrap, topics, settings.replication_factor)
    _mark_applied(settings)
    _delete_group(admin, settings.app_id)
    return settings.generation + 1


def _require_stopped(admin: AdminClient, group: str) -> None:
    members = admin.describe_consumer_groups([group])[group].result().members
    if members:
        raise StateError(
            f"{len(members)} workers of {group} are running: stop them (a killed one leaves the "
            "group after its session timeout), then run the command again."
        )


def _mark_applied(settings: Settings) -> None:
    """Write the `applied` entry that lets a table begin at the end of its input."""
    bootstrap = settings.kafka_bootstrap
    stages = [stage for stage in pipeline(CONNECTORS) if stage.input_is_remade]
    identities = topic_uuids(bootstrap, [stage.input.name for stage in stages])
    with Registry(settings.schema_registry_url) as registry:
        encoder = registry.encoder(APPLIED_SUBJECT, contract("state.applied"))
    changelogs_of = {stage.name: stage.changelog(settings.app_id).name for stage in stages}
    with TopicWriter(bootstrap, changelogs_of.values()) as writer:
        for stage in stages:
            for (name, partition), end in end_offsets(bootstrap, [stage.input.name]).items():
                if end == 0:
                    continue
                applied = Applied(
                    name, identities[name], partition, end - 1, None, settings.generation + 1
                )
                value = encoder.encode(applied.to_avro())
                writer.send(changelogs_of[stage.name], APPLIED_KEY, value, partition=partition)
        writer.finish()


def _delete_group(admin: AdminClient, group: str) -> None:
    try:
        admin.delete_consumer_groups([group])[group].result()
    except KafkaException as exception:
        if exception.args[0].name() != "GROUP_ID_NOT_FOUND":
            raise StateError(f"The offsets of {group} could not be deleted: {exception}") from None
