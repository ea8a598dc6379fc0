"""Checkpoints in PostgreSQL: what each run of a source did, and what it had listed.

Tables, made on first use:

    producers.checkpoints      one row for each finished run, never changed; the newest counts
    producers.listed_records   record ids of the last complete release, to find what is gone
    producers.attempts         one row for each run that ended, also in an error: for the metrics

A run holds an advisory lock on its own connection from before it reads the checkpoint until after
it has stored the next one, and stores over that same connection: a run that lost its lock can
store nothing. The lock belongs to the session, so PostgreSQL must be reached directly or through a
pooler in session mode.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from producers.errors import AlreadyRunningError, CheckpointError

CHECKPOINTS = "producers.checkpoints"
LISTED_RECORDS = "producers.listed_records"
ATTEMPTS = "producers.attempts"

_CONNECT_SECONDS = 5

_CREATE = """
CREATE SCHEMA IF NOT EXISTS producers;
CREATE TABLE IF NOT EXISTS producers.checkpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id text NOT NULL,
    run_id text NOT NULL UNIQUE,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    items bigint NOT NULL,
    delisted bigint NOT NULL,
    complete boolean NOT NULL,
    checkpoint jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS checkpoints_newest ON producers.checkpoints (source_id, id DESC);
CREATE TABLE IF NOT EXISTS producers.listed_records (
    source_id text NOT NULL,
    record_id text NOT NULL,
    stream text NOT NULL,
    PRIMARY KEY (source_id, record_id)
);
CREATE TABLE IF NOT EXISTS producers.attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id text NOT NULL,
    ended_at timestamptz NOT NULL,
    published bigint NOT NULL,
    rate_limit_hits bigint NOT NULL,
    error text
);
"""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One row of the history.

    Attributes:
        items: Items the source gave, all confirmed by the broker.
        delisted: Records published as no longer listed.
        complete: The run read a whole release of at least one stream.
        checkpoint: Where the next run goes on.
    """

    source_id: str
    run_id: str
    started_at: datetime
    finished_at: datetime
    items: int
    delisted: int
    complete: bool
    checkpoint: dict[str, str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one run ended.

    Attributes:
        published: Records the broker confirmed.
        rate_limit_hits: Answers that said "too many requests".
        error: Class of the error that ended it; None when it succeeded.
    """

    source_id: str
    ended_at: datetime
    published: int
    rate_limit_hits: int
    error: str | None


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What all runs of a source add up to.

    Attributes:
        up: Whether the last run succeeded.
        last_published_at: When a run last published anything; None when none has.
        rate_limit_hits: Answers that said "too many requests".
        errors: Failed runs by class of error.
    """

    source_id: str
    up: bool
    last_published_at: datetime | None
    rate_limit_hits: int
    errors: dict[str, int]


_HEALTH = """
SELECT source_id,
       (array_agg(error ORDER BY id DESC))[1] IS NULL AS up,
       max(ended_at) FILTER (WHERE published > 0) AS last_published_at,
       sum(rate_limit_hits)::bigint AS rate_limit_hits,
       (
           SELECT coalesce(jsonb_object_agg(error, runs), '{}')
           FROM (
               SELECT error, count(*) AS runs FROM producers.attempts AS failed
               WHERE failed.source_id = attempts.source_id AND error IS NOT NULL
               GROUP BY error
           ) AS counted
       ) AS errors
FROM producers.attempts GROUP BY source_id ORDER BY source_id
"""


class CheckpointStore:
    """The checkpoints of one database, over one connection. Create it with `open_store`."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def lock(self, source_id: str) -> None:
        """Take the lock of a source and keep it as long as this connection lives.

        Raises:
            AlreadyRunningError: another run holds it.
            CheckpointError: no answer.
        """
        with _explained("lock", CHECKPOINTS):
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"producers:{source_id}",)
            ).fetchone()
        if row != (True,):
            raise AlreadyRunningError(
                f"Another run of {source_id} is active. Wait for it, or end it; the lock goes with "
                "its database connection."
            )

    def latest(self, source_id: str) -> dict[str, str]:
        """Checkpoint of the newest finished run; empty before the first.

        Raises:
            CheckpointError: no answer or no permission.
        """
        history = self.history(source_id, limit=1)
        return history[0].checkpoint if history else {}

    def history(self, source_id: str, limit: int) -> list[FinishedRun]:
        """Finished runs, newest first.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with (
            _explained("SELECT", CHECKPOINTS),
            self._connection.cursor(row_factory=class_row(FinishedRun)) as cursor,
        ):
            return cursor.execute(
                "SELECT source_id, run_id, started_at, finished_at, items, delisted, complete, "
                "checkpoint FROM producers.checkpoints WHERE source_id = %s "
                "ORDER BY id DESC LIMIT %s",
                (source_id, limit),
            ).fetchall()

    def record_attempt(self, attempt: Attempt) -> None:
        """Store how a run ended.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with _explained("INSERT", ATTEMPTS):
            self._connection.execute(
                "INSERT INTO producers.attempts (source_id, ended_at, published, rate_limit_hits, "
                "error) VALUES (%s, %s, %s, %s, %s)",
                (
                    attempt.source_id,
                    attempt.ended_at,
                    attempt.published,
                    attempt.rate_limit_hits,
                    attempt.error,
                ),
            )

    def health(self) -> list[SourceHealth]:
        """What the runs of each source add up to, by source.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with (
            _explained("SELECT", ATTEMPTS),
            self._connection.cursor(row_factory=class_row(SourceHealth)) as cursor,
        ):
            return cursor.execute(_HEALTH).fetchall()

    def listed(self, source_id: str) -> dict[str, str]:
        """Record ids of the last complete release, each with its stream.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with _explained("SELECT", LISTED_RECORDS), self._connection.cursor() as cursor:
            rows = cursor.execute(
                "SELECT record_id, stream FROM producers.listed_records WHERE source_id = %s",
                (source_id,),
            ).fetchall()
        return {str(record_id): str(stream) for record_id, stream in rows}

    def finish(self, run: FinishedRun, appeared: Mapping[str, str], gone: Collection[str]) -> None:
        """Store a finished run and the change of its listed records, all or nothing.

        Call it only after the broker has confirmed every record.

        Args:
            run: The new newest row.
            appeared: Record ids listed now and not before, each with its stream.
            gone: Record ids listed before and not now.

        Raises:
            CheckpointError: nothing was stored; the next run starts where this one did.
        """
        with _explained("INSERT", CHECKPOINTS), self._connection.transaction():
            self._connection.execute(
                "INSERT INTO producers.checkpoints (source_id, run_id, started_at, finished_at, "
                "items, delisted, complete, checkpoint) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    run.source_id,
                    run.run_id,
                    run.started_at,
                    run.finished_at,
                    run.items,
                    run.delisted,
                    run.complete,
                    Jsonb(run.checkpoint),
                ),
            )
            self._store_listed(run.source_id, appeared, gone)

    def _store_listed(
        self, source_id: str, appeared: Mapping[str, str], gone: Collection[str]
    ) -> None:
        with _explained("INSERT, DELETE", LISTED_RECORDS), self._connection.cursor() as cursor:
            if gone:
                cursor.execute(
                    "DELETE FROM producers.listed_records "
                    "WHERE source_id = %s AND record_id = ANY(%s)",
                    (source_id, list(gone)),
                )
            if appeared:
                copy = "COPY producers.listed_records (source_id, record_id, stream) FROM STDIN"
                with cursor.copy(copy) as rows:
                    for record_id, stream in appeared.items():
                        rows.write_row((source_id, record_id, stream))


@contextmanager
def open_store(dsn: str) -> Iterator[CheckpointStore]:
    """Connect, and make the tables when they are missing.

    Raises:
        CheckpointError: unreachable, refused, or no permission to make the tables.
    """
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    except psycopg.Error as error:
        raise CheckpointError(
            f"The checkpoint database {_place(dsn)} with table {CHECKPOINTS} cannot be reached: "
            f"{_first_line(error)}. Start it, or set POSTGRES_DSN."
        ) from error
    with connection:
        with _explained("CREATE", CHECKPOINTS):
            _create_tables(connection)
        yield CheckpointStore(connection)


def _create_tables(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    # CREATE … IF NOT EXISTS asks for the right to create even where nothing is missing.
    found = connection.execute(
        "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name",
        ([CHECKPOINTS, LISTED_RECORDS, ATTEMPTS],),
    ).fetchone()
    if found == (True,):
        return
    with connection.transaction():
        # Two first runs at once: the second waits, then finds the tables.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('producers', 0))")
        connection.execute(_CREATE)


@contextmanager
def _explained(privilege: str, table: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise CheckpointError(
            f"The database role may not use {table}: {_first_line(error)}. As its owner run: "
            "GRANT USAGE ON SCHEMA producers TO <role>; GRANT SELECT, INSERT ON "
            f"{CHECKPOINTS}, {ATTEMPTS} TO <role>; GRANT SELECT, INSERT, DELETE ON "
            f"{LISTED_RECORDS} TO <role>; or, before the first run, GRANT CREATE ON DATABASE "
            "<database> TO <role>."
        ) from error
    except psycopg.Error as error:
        raise CheckpointError(
            f"{privilege} on {table} failed: {_first_line(error)}. Nothing was recorded as done: "
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
