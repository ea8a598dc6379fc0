"""Consumer groups from outside: whether one runs, and forgetting what it has read."""

from confluent_kafka import KafkaError, KafkaException

from streams.core.errors import StateError
from streams.kafka.broker import answer_of, connect, failure


def require_stopped(bootstrap: str, group: str) -> None:
    """Check that nothing runs in a group.

    Raises:
        StateError: workers are running.
        BrokerError: no answer, or a right is missing.
    """
    admin = connect(bootstrap)
    try:
        members = answer_of(admin, admin.describe_consumer_groups([group])[group]).members
    except KafkaException as exception:
        raise failure(f"describe group {group}", exception) from exception
    if members:
        raise StateError(
            f"{len(members)} workers of {group} are running: stop them (a killed one leaves the "
            "group after its session timeout), then run the command again."
        )


def forget_offsets(bootstrap: str, group: str) -> None:
    """Delete a group, so that it reads its topics from the beginning; it must be stopped.

    Raises:
        StateError: it is not stopped.
        BrokerError: no answer, or a right is missing.
    """
    admin = connect(bootstrap)
    try:
        answer_of(admin, admin.delete_consumer_groups([group])[group])
    except KafkaException as exception:
        code = exception.args[0].code()
        if code == KafkaError.NON_EMPTY_GROUP:
            raise StateError(
                f"Workers of {group} are running: stop them, then run the command again."
            ) from exception
        if code != KafkaError.GROUP_ID_NOT_FOUND:
            raise failure(f"delete group {group}", exception) from exception
