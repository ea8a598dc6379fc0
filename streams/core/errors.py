"""Errors and rejections.

    InfrastructureError                 base of every error this product raises
    ├── SettingsError                   a setting or file is wrong: names it and the allowed values
    ├── RegistryError                   the schema registry refuses or does not answer
    ├── BrokerError                     Kafka refuses or does not answer
    ├── TopicMismatchError              a topic is missing or not as declared
    ├── FencedError                     another worker owns the partition now: end this process
    ├── StateError                      local state or changelog cannot be trusted
    │   └── DamagedStoreError           local state was damaged and is set aside: restore it again
    ├── TransactionError                a Kafka transaction failed for good
    ├── SinkError                       ClickHouse refuses or does not answer
    └── OutOfBoundsError                a parameter of a query has a value that no query takes

Expected bad data is not an error but a value: `Rejected`.
"""

from dataclasses import dataclass


class InfrastructureError(Exception):
    """Base of every error of this product; the message says what to do next."""


class SettingsError(InfrastructureError):
    """A setting or configuration file is wrong."""


class RegistryError(InfrastructureError):
    """The schema registry refused a call or did not answer."""


class BrokerError(InfrastructureError):
    """Kafka refused a call or did not answer."""


class TopicMismatchError(InfrastructureError):
    """A topic is missing, or not as it is declared."""


class FencedError(InfrastructureError):
    """Another worker has taken this partition over; this process must end."""


class StateError(InfrastructureError):
    """Local state and changelog contradict each other."""


class DamagedStoreError(StateError):
    """Local state was damaged and is set aside under another name; a restore brings it back."""


class TransactionError(InfrastructureError):
    """A Kafka transaction could not be completed; the batch was not acknowledged."""


class SinkError(InfrastructureError):
    """ClickHouse refused a statement or did not answer."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that fails a hard rule; it ends as a dead letter.

    Attributes:
        rule_id: Reason code, one of `streams.core.reject_rules`.
        message: What is wrong and what to do.
        field: Field the rule is about, or None for the whole record.
        observed: What was seen, shortened to 200 characters.
        limit: What is allowed.
    """

    rule_id: str
    message: str
    field: str | None = None
    observed: str | None = None
    limit: str | None = None
