"""Errors of the local stack; each message is one sentence and how to fix it.

LocalStackError                 base of every error below
├── PortInUseError              another process listens where a component must
├── DataDirectoryInUseError     another stack runs on the same data directory
├── DownloadFailedError         a component could not be fetched
├── ChecksumMismatchError       a file is not the one the lock names
├── DiskTooFullError            not enough room for the components or the data
├── ComponentFailedError        a component ended by itself or could not be prepared
│   └── StartTimeoutError       a component did not become ready by the deadline
└── UnsuitableSystemError       the machine lacks something a component needs

A message never holds a secret: nothing in the local stack has one.
"""

from pathlib import Path

from streams.core.errors import InfrastructureError
from streams.ending import reason_in

_MB = 1_000_000
_LOG_LINES = 15


class LocalStackError(InfrastructureError):
    """Base of the local stack's errors."""


class PortInUseError(LocalStackError):
    """A port is taken.

    Attributes:
        port: The port.
        component: What needs it.
        variable: Environment variable that chooses another one.
    """

    def __init__(self, port: int, component: str, variable: str, holder: str | None) -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"Port {port}, which {component} needs, is already in use{by}: "
            f"stop that process, or choose another port with {variable}=<port>."
        )
        self.port = port
        self.component = component
        self.variable = variable


class DataDirectoryInUseError(LocalStackError):
    """Another living process owns the data directory."""

    def __init__(self, data_dir: Path, holder: str) -> None:
        super().__init__(
            f"Another local stack ({holder}) already runs on {data_dir}: "
            "stop it, or choose another directory with DATA_DIR=<path>."
        )


class DownloadFailedError(LocalStackError):
    """A component could not be fetched."""

    def __init__(self, file_name: str, reason: str) -> None:
        super().__init__(
            f"Could not download {file_name}: {reason}. Check the network (and HTTPS_PROXY if you "
            "need one), then run the same command again; what is complete is not fetched twice."
        )
        self.file_name = file_name


class ChecksumMismatchError(LocalStackError):
    """A file differs from the one the lock names.

    Attributes:
        path: The file, or where it would have been stored.
    """

    def __init__(self, path: Path, expected: str, found: str, *, fetched_now: bool) -> None:
        fix = (
            "it was not kept; run the same command again, and if this stays, the repository or "
            "proxy you download from serves a different file than was released"
            if fetched_now
            else "delete that file and run the same command again"
        )
        super().__init__(
            f"The checksum of {path} is wrong (SHA-256 {found}, expected {expected}): {fix}."
        )
        self.path = path


class DiskTooFullError(LocalStackError):
    """Not enough free space."""

    def __init__(self, path: Path, needed_bytes: int, free_bytes: int, variable: str) -> None:
        super().__init__(
            f"Too little disk space: {path} needs {-(-needed_bytes // _MB)} MB and "
            f"{free_bytes // _MB} MB are free. Make room, or choose another directory with "
            f"{variable}=<path>."
        )


class ComponentFailedError(LocalStackError):
    """A component ended by itself or could not be prepared.

    The message begins with the reason when the component's log says one; else it shows the end of
    the log.

    Attributes:
        component: The component.
        log_path: Its whole log.
    """

    def __init__(self, component: str, what: str, log_path: Path, log: str) -> None:
        reason = reason_in(log)
        last_lines = "\n".join(log.splitlines()[-_LOG_LINES:])
        if reason is not None:
            message = f"{component} ended: {reason} Its log is {log_path}."
        else:
            shown = f" Its last lines:\n{last_lines}" if last_lines else " The log is empty."
            message = f"{component} {what}; see {log_path}, then run the same command again.{shown}"
        super().__init__(message)
        self.component = component
        self.log_path = log_path


class StartTimeoutError(ComponentFailedError):
    """A component did not become ready by the deadline; `stuck` is what it says itself."""

    def __init__(
        self, component: str, seconds: float, log_path: Path, log: str, stuck: str = ""
    ) -> None:
        what = f"was not ready within {seconds:.0f} s" + (f": {stuck}" if stuck else "")
        super().__init__(component, what, log_path, log)


class UnsuitableSystemError(LocalStackError):
    """The machine lacks something a component needs."""
