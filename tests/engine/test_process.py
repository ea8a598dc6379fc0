"""Whatever ends a worker is one sentence with what to do, and an exit code that says its kind."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.core.errors import BrokerError, SettingsError, StateError
from streams.ending import reason_in
from streams.engine.process import EXIT_FAULT, Reason, reason_of, require_free_port
from streams.settings import EXIT_CONFIGURATION, EXIT_FAILED

pytestmark = pytest.mark.processes

_WITHOUT_PATIENCE = """
import sys
import stamina
from faust.cli.faust import cli
from streams.kafka import broker

stamina.set_testing(True, attempts=1)
broker._REQUEST_SECONDS = 1.0
cli()
"""


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """An error with its cause, as it is caught."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_errors_of_the_product_say_themselves_what_to_do() -> None:
    assert reason_of(StateError("It is lost. Rebuild it.")) == Reason(
        "It is lost. Rebuild it.", EXIT_FAILED
    )
    assert reason_of(SettingsError("X must be 1.")).exit_code == EXIT_CONFIGURATION
    hidden = raised(RuntimeError("of a library"), BrokerError("Start Kafka."))
    assert reason_of(hidden) == Reason("Start Kafka.", EXIT_FAILED)


def test_errors_of_libraries_become_sentences() -> None:
    kafka = reason_of(KafkaConnectionError("No connection to node with id 1"))
    assert kafka.exit_code == EXIT_FAILED
    assert "No connection to node with id 1. Check that the broker runs" in kafka.sentence
    full = reason_of(OSError(errno.ENOSPC, "No space left on device"))
    assert full.sentence == "No space left on device: make room and start again."
    placed = reason_of(PermissionError(errno.EACCES, "Permission denied", "/data/state"))
    assert placed.sentence.startswith("/data/state cannot be used: Permission denied.")


def test_a_port_in_use_is_named_with_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError) as caught:
            require_free_port("127.0.0.1", port)
    reason = reason_of(caught.value)
    assert reason.exit_code == EXIT_FAILED
    assert reason.sentence.startswith(f"Port {port} is already in use: stop that process")
    assert "WORKER_PORT=<port>" in reason.sentence


def test_what_nobody_foresaw_is_called_a_fault_and_keeps_its_own_exit_code() -> None:
    reason = reason_of(KeyError("partition"))
    assert reason.exit_code == EXIT_FAULT
    assert reason.sentence.startswith("KeyError: 'partition'. This is a fault of the program")


@pytest.mark.parametrize("app", ["streams.app", "streams.sink.app"])
def test_a_worker_without_kafka_ends_with_one_sentence(app: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PATIENCE, "-A", app, "worker", "-l", "info"],
        env=os.environ
        | {
            "KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "DATA_DIR": str(tmp_path),
            "WORKER_PORT": "29881",
            "SINK_PORT": "29882",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == EXIT_FAILED, said
    reason = reason_in(said)
    assert reason is not None
    assert reason.startswith("Kafka could not describe topics")
    assert "KAFKA_BOOTSTRAP" in reason
    assert said.rstrip().endswith(reason)
    assert "Traceback" not in said
