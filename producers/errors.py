"""Errors of the producers; each message says what to do next.

    ProducerError                       base of every error below
    ├── ConfigurationError              a configuration key is wrong: names it and what is allowed
    ├── SourceError                     the upstream cannot be read; nothing is lost, run again
    │   ├── AuthenticationError         the upstream refuses the key
    │   ├── RateLimitedError            "too many requests", even after waiting
    │   ├── BudgetSpentError            this run's own request budget is used up
    │   ├── UnreachableError            no connection, no answer, or only 5xx answers
    │   ├── UnexpectedAnswerError       an answer of another shape than documented
    │   ├── TruncatedError              fewer items than the upstream must have
    │   │   └── LossError               a release lists so much less that a person must say so
    │   └── PartlyReadError             some streams could not be read; the others are recorded
    ├── DownloadFolderError             a download cannot be written to this machine's disk
    ├── CheckpointError                 PostgreSQL refuses or does not answer
    └── AlreadyRunningError             another run of the same source holds the lock

Schema registry and Kafka raise the errors of `streams.core.errors`.
"""

from typing import ClassVar

from streams import settings
from streams.core.errors import InfrastructureError

EXIT_OK = 0
EXIT_CONFIGURATION = settings.EXIT_CONFIGURATION
EXIT_SOURCE = 3
EXIT_ALREADY_RUNNING = 4
EXIT_SERVICE = 5


class ProducerError(InfrastructureError):
    """Base of the producers' errors.

    Attributes:
        exit_code: What the command line ends with.
    """

    exit_code: ClassVar[int] = EXIT_SERVICE


class ConfigurationError(ProducerError):
    """A configuration file or variable is wrong; the message names the key."""

    exit_code = EXIT_CONFIGURATION


class SourceError(ProducerError):
    """The upstream could not be read. The checkpoint has not moved: run again."""

    exit_code = EXIT_SOURCE


class AuthenticationError(SourceError):
    """The upstream refuses the key."""


class RateLimitedError(SourceError):
    """The upstream says "too many requests", even after the waits it asked for."""


class BudgetSpentError(SourceError):
    """This run has sent as many requests as its configuration allows."""


class UnreachableError(SourceError):
    """No connection, no answer by the deadline, or server errors on every attempt."""


class UnexpectedAnswerError(SourceError):
    """The answer has another shape than the upstream documents."""


class TruncatedError(SourceError):
    """The upstream gave fewer items than it must have."""


class LossError(TruncatedError):
    """A release lists much less than the one before; a person must say that it is really gone."""


class PartlyReadError(SourceError):
    """Some streams of a source could not be read; what the others gave is recorded as done."""


class DownloadFolderError(ProducerError):
    """What is downloaded cannot be written; the checkpoint has not moved."""


class CheckpointError(ProducerError):
    """The checkpoint database cannot be used; the message names the table and the fix."""


class AlreadyRunningError(ProducerError):
    """Another run of the same source is active."""

    exit_code = EXIT_ALREADY_RUNNING
