"""The connection to the checkpoint database: answers in time, and errors that say what to do."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from producers.checkpoint_tables import (
    ATTEMPTS,
    CHECKPOINTS,
    LISTED_RECORDS,
    PUBLISHED_RECORDS,
    SEEN_FIELDS,
)
from producers.errors import CheckpointError
from streams.credentials import certificate_advice, postgres_arguments

_CONNECT_SECONDS = 5
ANSWER_SECONDS = 60.0
"""A server that is frozen answers nothing and closes nothing."""

NOTHING = "Nothing was recorded as done"
"""What is said of a run that an error has ended, unless it knows better."""


def connected(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that commits each statement.

    Raises:
        CheckpointError: unreachable or refused.
    """
    try:
        address = make_conninfo(dsn, **postgres_arguments(conninfo_to_dict(dsn)))
        return psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    except psycopg.Error as error:
        raise CheckpointError(
            f"The checkpoint database {_place(dsn)} with table {CHECKPOINTS} cannot be reached: "
            f"{_first_line(error)}. Start it, or set POSTGRES_DSN."
            f"{certificate_advice(str(error))}"
        ) from error


@contextmanager
def asked(
    connection: psycopg.Connection[tuple[object, ...]],
    privilege: str,
    table: str,
    seconds: float,
    recorded: Callable[[], str] = lambda: NOTHING,
) -> Iterator[None]:
    """Answers come in time, and what the database says instead is explained.

    Args:
        connection: To the database.
        privilege: What the statements of the block need.
        table: Of which table.
        seconds: How long an answer may take.
        recorded: Says what is known of the run then.

    Raises:
        CheckpointError: no answer or no permission.
    """
    with _explained(privilege, table, recorded), _answered_within(connection, seconds):
        yield


@contextmanager
def _answered_within(
    connection: psycopg.Connection[tuple[object, ...]], seconds: float
) -> Iterator[None]:
    """End the connection when no answer comes in time: statement time-outs are the server's."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.OperationalError as error:
        if late.is_set():
            raise psycopg.OperationalError(f"no answer in {seconds:.0f} s") from error
        raise
    finally:
        timer.cancel()


@contextmanager
def _explained(privilege: str, table: str, recorded: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise CheckpointError(
            f"The database role may not use {table}: {_first_line(error)}. As its owner run: "
            "GRANT USAGE ON SCHEMA producers TO <role>; GRANT SELECT, INSERT ON "
            f"{CHECKPOINTS} TO <role>; GRANT SELECT, INSERT, UPDATE ON {ATTEMPTS}, "
            f"{SEEN_FIELDS} TO <role>; GRANT SELECT, INSERT, DELETE ON {LISTED_RECORDS} TO <role>; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {PUBLISHED_RECORDS} TO <role>; "
            "or, before the first "
            "run, GRANT CREATE ON DATABASE <database> TO <role>; after an upgrade run once as the "
            "owner of the tables."
        ) from error
    except psycopg.Error as error:
        raise CheckpointError(
            f"{privilege} on {table} failed: {_first_line(error)}. {recorded()}: "
            "check the database (POSTGRES_DSN), then run again."
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _place(dsn: str) -> str:
    """Host and database of a DSN, never its password."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        return "in POSTGRES_DSN"
    host, database = parts.get("host", "localhost"), parts.get("dbname", "")
    return f"{host}:{parts.get('port', 5432)}/{database}"
