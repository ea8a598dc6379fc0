"""What must exist before a worker starts: every topic and every schema.

`make topics` and `make schemas-register` do it in a deployment, `make run` by itself. Workers never
create anything.
"""

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.compatibility import register_all, register_subjects
from streams.avro.contracts import contract
from streams.avro.topic_codecs import APPLIED_SUBJECT
from streams.kafka.topic_admin import ensure_topics
from streams.settings import Settings
from streams.topics import Topic
from streams.topology import deployment_topics


def all_topics(settings: Settings) -> tuple[Topic, ...]:
    """Every topic of a deployment: raw, shared, and the changelogs of its pipeline."""
    return deployment_topics(settings.app_id, tuple(CONNECTORS))


def create_topics(settings: Settings) -> None:
    """Create what is missing and check what exists.

    Raises:
        TopicMismatchError: a topic has other partitions or another clean-up than declared.
        BrokerError: no answer.
    """
    ensure_topics(settings.kafka_bootstrap, all_topics(settings), settings.replication_factor)


def register_schemas(settings: Settings) -> dict[str, int]:
    """Register every contract under the subject of each topic; returns the schema ids.

    Raises:
        RegistryError: refused or no answer.
    """
    with Registry(settings.schema_registry_url) as registry:
        ids = register_all(registry, all_topics(settings))
        return ids | register_subjects(registry, [(APPLIED_SUBJECT, contract("state.applied"))])
