"""What every client of Kafka is made with: addresses, credentials, and an ear for refusals.

librdkafka takes a refusal for an outage: it connects again and again, and a call ends with "timed
out". What the broker said is in an event beside the call; it is kept here.
"""

import re
import time
from typing import Any, Final

from confluent_kafka import KafkaError

from streams.credentials import current_credentials, kafka_settings

NO_GROUP: Final = "reader"
"""Group of every reader that joins none: the client wants to find the coordinator of one anyway."""

_STATE: Final = re.compile(r" \(after \d+ms in state [A-Z_0-9]+.*\)$")

_refused: tuple[float, str] | None = None


def client_settings(bootstrap: str) -> dict[str, Any]:
    """Settings of a client of librdkafka: where Kafka is, and how this process is let in.

    Raises:
        BrokerError: the token server gives no token.
    """
    return {"bootstrap.servers": bootstrap, "error_cb": hear, **kafka_settings()}


def reader_settings(bootstrap: str) -> dict[str, Any]:
    """The same of a reader that joins no group, reads committed records and is told of ends.

    Raises:
        BrokerError: the token server gives no token.
    """
    return {
        **client_settings(bootstrap),
        "group.id": NO_GROUP,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        # Whenever its queue was full it waited a second by default, and the reader for it.
        "fetch.queue.backoff.ms": 10,
    }


def _user() -> str:
    credentials = current_credentials()
    if credentials is None or not credentials.is_kafka_named:
        return "this process"
    return f"user {credentials.settings.kafka_username}"


def not_allowed(what: str) -> str:
    """The sentence for a right that this process lacks."""
    return (
        f"Kafka does not let {_user()} {what}: grant it. `make rights` lists what each role needs."
    )


def hear(error: KafkaError) -> None:
    """Keep what an event says, when it is that the broker or its certificate was refused."""
    global _refused
    said = error.str()
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL) or "security.protocol" in said:
        _refused = (time.monotonic(), _STATE.sub("", said))


def refusal(since: float) -> str | None:
    """Why a connection has been refused since a monotonic time; None when none was."""
    if _refused is None or _refused[0] < since:
        return None
    credentials = current_credentials()
    protocol = "PLAINTEXT" if credentials is None else credentials.settings.kafka_security_protocol
    return (
        f"Kafka and this process do not let each other in ({protocol}): {_refused[1]}. Check "
        "KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD and "
        "SERVICES_CA_FILE."
    )
