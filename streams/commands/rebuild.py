"""Rebuilding the pipeline's state from the raw topics, when state and offsets are at odds.

Raw topics stay as they are. The next start reads them from the beginning with empty state and
decides on every record again, under a higher generation, so every canonical record gets a higher
version than any before. What the normalized topics already contain is marked as applied: it is
made again. What the new generation does not publish again is withdrawn when it has read everything.
"""

from collections import Counter

from producers.connectors import CONNECTORS
from streams.avro.contracts import contract
from streams.avro.topic_codecs import APPLIED_SUBJECT, topic_decoder, topic_encoder
from streams.commands.input_logs import raw_input_logs
from streams.core import contract_types as avro
from streams.core.errors import StateError
from streams.core.left_behind import LeftBehind
from streams.engine.applied import Applied
from streams.engine.store import APPLIED_KEY
from streams.kafka.decoded_reader import read_decoded
from streams.kafka.groups import forget_offsets, require_stopped
from streams.kafka.topic_admin import delete_topics, end_offsets, ensure_topics, lag, topic_uuids
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import MARKET_INFRASTRUCTURE
from streams.topology import COUNT, SCORE, changelogs, pipeline


def rebuild(settings: Settings) -> int:
    """Forget the pipeline's state; returns the generation to start the workers with.

    Raises:
        StateError: a worker is still running.
        BrokerError, RegistryError: no answer, or an entry could not be written; run it again.
    """
    require_stopped(settings.kafka_bootstrap, settings.app_id)
    topics = changelogs(settings.app_id, CONNECTORS)
    delete_topics(settings.kafka_bootstrap, [topic.name for topic in topics])
    ensure_topics(settings.kafka_bootstrap, topics, settings.replication_factor)
    _mark_applied(settings)
    forget_offsets(settings.kafka_bootstrap, settings.app_id)
    return settings.generation + 1


def finish_rebuild(settings: Settings) -> Counter[str]:
    """Withdraw what an earlier generation had current and the present one has not published.

    Run again, it finds nothing more. Returns the records by the status they have now.

    Raises:
        StateError: workers have not decided on every raw record yet.
        BrokerError, TopicMismatchError, RegistryError: a service; run it again.
    """
    bootstrap = settings.kafka_bootstrap
    stages = [stage for stage in pipeline(CONNECTORS) if stage not in (COUNT, SCORE)]
    left = sum(lag(bootstrap, settings.app_id, [stage.input.name for stage in stages]).values())
    if left:
        raise StateError(
            f"Workers have {left:,} records left to read: what they have not published yet would "
            "be withdrawn. Run it again when they are done."
        )
    with open_registry(bootstrap, settings.schema_registry_url) as registry:
        logs = raw_input_logs(settings, registry)
        generation = min(
            (log.generation for log in logs if log.read_topic_id is not None), default=1
        )
        decoder = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        encoder = topic_encoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        newest: dict[str, int] = {}
        for _, record in read_decoded(bootstrap, MARKET_INFRASTRUCTURE.name, decoder):
            record_id = record["record_id"]
            newest[record_id] = max(record["version"], newest.get(record_id, 0))
        found = LeftBehind(generation)
        # Read twice, since all records at once are more than memory may hold.
        for _, record in read_decoded(bootstrap, MARKET_INFRASTRUCTURE.name, decoder):
            if newest.get(record["record_id"]) == record["version"]:
                del newest[record["record_id"]]
                found.add(record)
    done: Counter[str] = Counter()
    with TopicWriter(bootstrap, [MARKET_INFRASTRUCTURE.name]) as writer:
        for record in found.ended():
            key = record["record_id"].encode()
            writer.send(MARKET_INFRASTRUCTURE.name, key, encoder.encode(record))
            done[record["status"]] += 1
        writer.finish()
    return done


def _mark_applied(settings: Settings) -> None:
    """Write the `applied` entry that lets a table begin at the end of its input."""
    bootstrap = settings.kafka_bootstrap
    stages = [stage for stage in pipeline(CONNECTORS) if stage.input_is_remade]
    identities = topic_uuids(bootstrap, [stage.input.name for stage in stages])
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
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
