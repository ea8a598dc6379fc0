"""Consumer groups from outside: whether one runs, and forgetting what it has read."""

from confluent_kafka import KafkaException

from streams.core.errors import BrokerError, StateError
from streams.kafka.broker import connect


def require_stopped(bootstrap: str, group: str) -> None:
    """Check that nothing runs in a group.

    Raises:
        StateError: workers are running.
        BrokerError: no answer.
    """
    admin = connect(bootstrap)
    try:
        members = admin.describe_consumer_groups([group])[group].result().members
    except KafkaException as exception:
        raise BrokerError(f"The broker said nothing of {group}: {exception.args[0]}") from exception
    if members:
        raise StateError(
            f"{len(members)} workers of {group} are running: stop them (a killed one leaves the "
            "group after its session timeout), then run the command again."
        )


def forget_offsets(bootstrap: str, group: str) -> None:
    """Delete a group, so that it reads its topics from the beginning; it must be stopped.

    Raises:
        StateError: refused or no answer.
    """
    admin = connect(bootstrap)
    try:
        admin.delete_consumer_groups([group])[group].result()
    except KafkaException as exception:
        if exception.args[0].name() != "GROUP_ID_NOT_FOUND":
            raise StateError(f"The offsets of {group} could not be deleted: {exception}") from None
