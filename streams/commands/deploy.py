"""What must exist before a worker starts: every topic and every schema.

`make topics` and `make schemas-register` do it in a deployment, `make run` by itself. Workers never
create anything.
"""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.compatibility import register_subjects
from streams.avro.contracts import Contract, contract
from streams.avro.topic_codecs import APPLIED_SUBJECT
from streams.core.registry_identity import UsedSchema
from streams.kafka.topic_admin import Difference, ensure_topics, topic_differences
from streams.kafka.used_schemas import record_schemas, restore_schemas, used_schemas
from streams.settings import Settings
from streams.topics import SCHEMA_IDS, Topic
from streams.topology import deployment_topics


def all_topics(settings: Settings) -> tuple[Topic, ...]:
    """Every topic of a deployment: raw, shared, and the changelogs of its pipeline."""
    return deployment_topics(settings.app_id, tuple(CONNECTORS))


def all_subjects(settings: Settings) -> dict[str, Contract]:
    """Contract of every subject of a deployment."""
    subjects = {topic.subject(): contract(topic.contract_name) for topic in all_topics(settings)}
    return subjects | {APPLIED_SUBJECT: contract("state.applied")}


def create_topics(settings: Settings) -> None:
    """Create what is missing and check what exists.

    Raises:
        TopicMismatchError: a topic has other partitions or another clean-up than declared.
        BrokerError: no answer.
    """
    ensure_topics(settings.kafka_bootstrap, all_topics(settings), settings.replication_factor)


def compare_topics(settings: Settings) -> tuple[Difference, ...]:
    """Where the broker's topics differ from their declaration; changes nothing.

    Raises:
        BrokerError: no answer.
    """
    return topic_differences(
        settings.kafka_bootstrap, all_topics(settings), settings.replication_factor
    )


def print_topics(topics: Iterable[Topic], console: Console) -> None:
    """Show the declared topics."""
    table = Table("topic", "partitions", "clean-up", "contract")
    for topic in topics:
        table.add_row(topic.name, str(topic.partitions), topic.cleanup, topic.contract_name)
    console.print(table)


def print_topic_differences(differences: Iterable[Difference], console: Console) -> None:
    """Show what differs, one line each, with the command that makes it right."""
    for one in differences:
        found = "is missing" if one.found is None else f"{one.what} {one.found}"
        console.print(
            f"{one.topic}: {found}, declared is {one.declared}: `{one.fix}`",
            markup=False,
            soft_wrap=True,
        )


def register_schemas(settings: Settings, earlier: Iterable[UsedSchema] = ()) -> dict[str, int]:
    """Register every contract under the subject of each topic; returns the schema ids.

    A registry that has lost schemas gets them back first, under their ids. What it gave is kept in
    `schema.ids`, so the topics must exist.

    Args:
        settings: Of the deployment.
        earlier: What another deployment had, whose records come to this one.

    Raises:
        RegistryError: refused, another registry than this deployment has used, or no answer.
        BrokerError, TopicMismatchError: the ids could not be kept.
    """
    bootstrap = settings.kafka_bootstrap
    subjects = all_subjects(settings)
    used = used_schemas(bootstrap)
    earlier = tuple(earlier)
    with Registry(settings.schema_registry_url) as registry:
        restore_schemas(registry, {*used, *earlier})
        ids = register_subjects(registry, subjects.items())
        registered = [
            UsedSchema(schema_id, subject, text)
            for subject, found in subjects.items()
            for schema_id, text in registry.registered_ids(subject, found).items()
        ]
        encoder = registry.encoder(SCHEMA_IDS.subject(), contract(SCHEMA_IDS.contract_name))
    record_schemas(bootstrap, encoder, used, {*earlier, *registered})
    return ids
