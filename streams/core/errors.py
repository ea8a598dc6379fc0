"""Errors and rejections.

    InfrastructureError                 base of every error this product raises
    ├── SettingsError                   a setting or file is wrong: names it and the allowed values
    ├── RegistryError                   the schema registry refuses or does not answer
    │   └── UnknownSchemaError           it lacks a schema that records of ours refer to: wait
    ├── BrokerError                     Kafka refuses or does not answer
    ├── RecordTooLargeError             a record is larger than its topic takes
    ├── ArchiveError                    files of an export are missing, damaged, or do not fit here
    ├── TopicMismatchError              a topic is missing or not as declared
    ├── FencedError                     another worker owns the partition now: end this process
    ├── StateError                      local state or changelog cannot be trusted
    │   └── DamagedStoreError           local state was damaged and is set aside: restore it again
    ├── LossError                       more would be gone than a person has accepted
    ├── TransactionError                a Kafka transaction failed for good
    ├── SinkError                       ClickHouse refuses or does not answer
    │   └── RejectionLimitError          it refuses so much that something else is wrong: wait
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


class UnknownSchemaError(RegistryError):
    """The registry has lost a schema that records of this deployment refer to."""


class BrokerError(InfrastructureError):
    """Kafka refused a call or did not answer."""


class RecordTooLargeError(InfrastructureError):
    """A record is larger than its topic takes; nothing of it was sent."""


class ArchiveError(InfrastructureError):
    """Exported files are missing or damaged, or this deployment cannot take them."""


class TopicMismatchError(InfrastructureError):
    """A topic is missing, or not as it is declared."""


class FencedError(InfrastructureError):
    """Another worker has taken this partition over; this process must end."""


class StateError(InfrastructureError):
    """Local state and changelog contradict each other."""


class DamagedStoreError(StateError):
    """Local state was damaged and is set aside under another name; a restore brings it back."""


class LossError(InfrastructureError):
    """More records would be gone than may be without a word from a person."""


class TransactionError(InfrastructureError):
    """A Kafka transaction could not be completed; the batch was not acknowledged."""


class SinkError(InfrastructureError):
    """ClickHouse refused a statement or did not answer."""


class RejectionLimitError(SinkError):
    """So many records of a batch are no rows that something else is wrong than the records."""


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
