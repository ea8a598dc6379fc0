"""The checkpoint database that does not answer."""

import os
import signal
import time

import psycopg
import pytest

from producers.checkpoint import CheckpointStore, open_store
from producers.errors import CheckpointError
from streams.local.stack import LocalStack
from tests.producers.live import fresh_database

pytestmark = pytest.mark.integration


def test_a_frozen_database_ends_a_run_in_time_with_its_name(stack: LocalStack) -> None:
    """The server process of the connection is stopped: nothing comes, and nothing is closed."""
    with fresh_database(stack) as dsn:
        with open_store(dsn):
            pass  # makes the tables
        with psycopg.connect(dsn, autocommit=True) as connection:
            pid = connection.info.backend_pid
            os.kill(pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                with pytest.raises(CheckpointError, match="no answer in 0 s") as caught:
                    CheckpointStore(connection, answer_seconds=0.2).lock("toy")
                assert time.monotonic() - began < 10
                assert "producers.checkpoints" in str(caught.value)
            finally:
                os.kill(pid, signal.SIGCONT)
