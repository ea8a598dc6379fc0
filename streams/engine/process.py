"""The process of a worker: why it ends, as one sentence, and the exit code that goes with it."""

import asyncio
import errno
import faulthandler
import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import faust
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from streams.core.errors import InfrastructureError, SettingsError
from streams.ending import ended_line
from streams.settings import EXIT_CONFIGURATION, EXIT_FAILED

EXIT_FAULT = 1
"""What a worker ends with when the program itself is at fault; its log has the traceback."""

EXIT_SECONDS = 12
"""A process that has not ended so long after its stop or crash is ended by force.

A rebalance that meets the stop can leave Faust waiting for ever for its consumer thread. Ending at
any moment is safe: what is not committed is repeated.
"""

_CANCELLED_SECONDS = 1.0
"""How long a worker waits for tasks it has cancelled."""

_STDERR = 2
"""The descriptor: Faust puts a logger in the place of `sys.stderr`."""


_PORT = re.compile(r", (\d+)\)")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a worker ends.

    Attributes:
        sentence: What happened and what to do.
        exit_code: 2 for a wrong setting, 3 for what lies outside the program, 1 for its own fault.
    """

    sentence: str
    exit_code: int


def reason_of(error: BaseException) -> Reason:
    """The reason in an error, or in what caused it."""
    for one in _causes(error):
        match one:
            case SettingsError():
                return Reason(str(one), EXIT_CONFIGURATION)
            case InfrastructureError():
                return Reason(str(one), EXIT_FAILED)
            case KafkaError() | KafkaException():
                said = one.args[0].str() if isinstance(one, KafkaException) else str(one)
                return Reason(
                    f"Kafka refuses or does not answer: {said or type(one).__name__}. Check that "
                    "the broker runs and that KAFKA_BOOTSTRAP names it, and start again.",
                    EXIT_FAILED,
                )
            case OSError(errno=errno.EADDRINUSE):
                port = _PORT.search(str(one))
                return Reason(
                    f"Port {port[1] if port else ''} is already in use: stop that process, or "
                    "choose another port with WORKER_PORT=<port> (pipeline) or SINK_PORT=<port> "
                    "(sink).",
                    EXIT_FAILED,
                )
            case OSError(filename=str() as name):
                return Reason(
                    f"{name} cannot be used: {one.strerror}. Make it usable and start again; "
                    "DATA_DIR and STATE_DIR choose other directories.",
                    EXIT_FAILED,
                )
            case OSError(errno=errno.ENOSPC):
                return Reason(f"{one.strerror}: make room and start again.", EXIT_FAILED)
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return Reason(
        f"{said}. This is a fault of the program: its log has the details. What was not committed "
        "is repeated after a start.",
        EXIT_FAULT,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def require_free_port(address: str, port: int) -> None:
    """Check that the pages of a worker can be served, before it takes partitions.

    Raises:
        OSError: they cannot.
    """
    socket.create_server((address, port)).close()


class Ending:
    """Says once why this process ends, and ends it by the deadline."""

    def __init__(self) -> None:
        self.reason: Reason | None = None

    def explain(self, error: BaseException) -> None:
        """Write the reason; the first one counts, whatever else fails while the process stops."""
        if self.reason is not None:
            return
        self.reason = reason_of(error)
        os.write(_STDERR, ended_line(self.reason.sentence).encode())
        if self.reason.exit_code != EXIT_FAULT:
            # Tracebacks and the lines of what is stopped now would bury it.
            logging.disable(logging.CRITICAL)

    def by_deadline(self) -> None:
        """End by force unless the process ends before."""
        if self.reason is not None and self.reason.exit_code != EXIT_FAULT:
            code = self.reason.exit_code
            timer = threading.Timer(EXIT_SECONDS, os._exit, (code,))
            timer.daemon = True
            timer.start()
        else:
            # With the stacks of all threads on stderr, and code 1.
            faulthandler.dump_traceback_later(EXIT_SECONDS, exit=True, file=_STDERR)


@contextmanager
def ends_on_wrong_setting() -> Iterator[None]:
    """End the process with the sentence of a `SettingsError`, as commands do, without a traceback.

    Around what a worker does while it is imported.
    """
    try:
        yield
    except SettingsError as error:
        Ending().explain(error)
        raise SystemExit(EXIT_CONFIGURATION) from None


class WorkerProcess(faust.Worker):  # type: ignore[misc]
    """Faust's worker, whose exit code says what kind of reason it had.

    Its process ends when its last task has ended; Faust's waits a second more.
    """

    app: Any

    def execute_from_commandline(self) -> NoReturn:
        """Run the app to its end; exits with 0 after an orderly stop."""
        try:
            super().execute_from_commandline()
        except SystemExit:
            reason = self.app.ending.reason
            if reason is not None:
                raise SystemExit(reason.exit_code) from None
            raise
        raise AssertionError("unreachable")

    async def _sentinel_task(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_CANCELLED_SECONDS)
