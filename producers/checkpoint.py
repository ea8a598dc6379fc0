"""Checkpoints in PostgreSQL: what each run of a source did, and what it had listed.

A run holds an advisory lock on its own connection from before it reads the checkpoint until after
it has stored the next one, and stores over that same connection: a run that lost its lock can
store nothing. The lock belongs to the session, so PostgreSQL must be reached directly or through a
pooler in session mode. A checkpoint belongs to the raw topic it was written beside (`raw_log.py`).
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from producers.checkpoint_connection import ANSWER_SECONDS, NOTHING, asked, connected
from producers.checkpoint_tables import (
    ATTEMPTS,
    CHECKPOINTS,
    LISTED_RECORDS,
    PUBLISHED_RECORDS,
    SEEN_FIELDS,
    create_tables,
)
from producers.errors import AlreadyRunningError
from producers.raw_log import RawLog
from producers.run_history import KILLED, Attempt, FinishedRun, SourceHealth, StartedRun
from producers.seen_fields import FieldCounts, FieldDrift
from producers.storable_text import storable

_UNKNOWN = "Whether this run was recorded as done is not known"
_DONE = "This run was recorded as done, but not how it ended"

# The first run of a stream says what belongs to it; a field that the contract has does, too.
_COUNT_FIELDS = """
INSERT INTO producers.seen_fields AS known
SELECT %(source_id)s, %(stream)s, field, %(seen_at)s, records, records = %(items)s,
       field = ANY(%(expected)s::text[]) OR NOT EXISTS (
           SELECT FROM producers.seen_fields
           WHERE source_id = %(source_id)s AND stream = %(stream)s
       )
FROM unnest(%(fields)s::text[], %(records)s::bigint[]) AS found (field, records)
ON CONFLICT (source_id, stream, field) DO UPDATE SET
    records = known.records + excluded.records,
    always = known.always AND excluded.always,
    expected = known.expected OR excluded.expected,
    gone_since = NULL
"""
_MISS_FIELDS = """
UPDATE producers.seen_fields SET gone_since = coalesce(gone_since, %(seen_at)s)
WHERE source_id = %(source_id)s AND stream = %(stream)s AND always
    AND field <> ALL(%(fields)s::text[])
"""
_DRIFT = """
SELECT source_id, stream, field, CASE WHEN gone_since IS NULL THEN 'new' ELSE 'gone' END AS change,
       coalesce(gone_since, first_seen_at) AS first_seen_at, records
FROM producers.seen_fields
WHERE (gone_since IS NOT NULL OR NOT expected)
    AND coalesce(gone_since, first_seen_at) > clock_timestamp() - interval '90 days'
ORDER BY first_seen_at DESC, source_id, stream, field
"""

_HEALTH = """
WITH held AS (
    -- The two halves of the number that a lock of 64 bits has.
    SELECT (classid::bigint << 32) | objid::bigint AS lock FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
),
known AS (
    SELECT *,
           ended_at IS NULL AND id = max(id) OVER (PARTITION BY source_id)
               AND hashtextextended('producers:' || source_id, 0) IN (SELECT lock FROM held)
               AS runs_now
    FROM producers.attempts
),
runs AS (
    SELECT *,
           CASE WHEN ended_at IS NULL AND NOT runs_now THEN %(killed)s ELSE error END AS failure
    FROM known
)
SELECT source_id,
       (array_agg(failure ORDER BY id DESC) FILTER (WHERE NOT runs_now))[1] IS NULL AS succeeded,
       clock_timestamp() - max(coalesce(began_at, ended_at)) AS since_begun,
       max(ended_at) FILTER (WHERE published > 0) AS last_published_at,
       sum(rate_limit_hits)::bigint AS rate_limit_hits,
       count(*) FILTER (WHERE NOT runs_now) AS runs,
       (
           SELECT coalesce(jsonb_object_agg(failure, runs), '{}')
           FROM (
               SELECT failure, count(*) AS runs FROM runs AS failed
               WHERE failed.source_id = runs.source_id AND failure IS NOT NULL
               GROUP BY failure
           ) AS counted
       ) AS errors,
       (
           SELECT coalesce(jsonb_object_agg(reason, items), '{}')
           FROM (
               SELECT key AS reason, sum(value::bigint)::bigint AS items
               FROM runs AS ended, jsonb_each_text(ended.left_out)
               WHERE ended.source_id = runs.source_id GROUP BY key
           ) AS summed
       ) AS left_out
FROM runs GROUP BY source_id ORDER BY source_id
"""

# Of attempts that earlier versions recorded it is not known which run they were: those that
# succeeded are there as finished runs.
_RUNS = """
SELECT coalesce(attempt.run_id, run.run_id) AS run_id,
       coalesce(attempt.began_at, attempt.ended_at, run.started_at) AS began_at,
       coalesce(attempt.ended_at, run.finished_at) AS ended_at,
       run.run_id IS NULL AND attempt.ended_at IS NULL AND attempt.id = max(attempt.id) OVER ()
           AND EXISTS (
               SELECT FROM pg_locks
               WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND (classid::bigint << 32) | objid::bigint
                       = hashtextextended('producers:' || %(source_id)s, 0)
           ) AS runs_now,
       attempt.error, attempt.message,
       coalesce(attempt.left_out, run.left_out) AS left_out
FROM (SELECT * FROM producers.attempts WHERE source_id = %(source_id)s) AS attempt
FULL JOIN (SELECT * FROM producers.checkpoints WHERE source_id = %(source_id)s) AS run
    ON run.run_id = attempt.run_id
WHERE run.run_id IS NOT NULL OR attempt.run_id IS NOT NULL OR attempt.error IS NOT NULL
    OR attempt.ended_at IS NULL
ORDER BY began_at DESC LIMIT %(limit)s
"""


class CheckpointStore:
    """The checkpoints of one database, over one connection. Create it with `open_store`."""

    def __init__(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        answer_seconds: float,
    ) -> None:
        self._connection = connection
        self._answer_seconds = answer_seconds
        self._recorded = NOTHING

    def _asked(self, privilege: str, table: str) -> AbstractContextManager[None]:
        seconds = self._answer_seconds
        return asked(self._connection, privilege, table, seconds, lambda: self._recorded)

    def lock(self, source_id: str) -> None:
        """Take the lock of a source and keep it as long as this connection lives.

        Raises:
            AlreadyRunningError: another run holds it.
            CheckpointError: no answer.
        """
        with self._asked("lock", CHECKPOINTS):
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended('producers:' || %s, 0))", (source_id,)
            ).fetchone()
        if row != (True,):
            raise AlreadyRunningError(
                f"Another run of {source_id} is active. Wait for it, or end it; the lock goes with "
                "its database connection."
            )

    def present(self) -> datetime:
        """What time it is for the database, UTC.

        Raises:
            CheckpointError: no answer.
        """
        with self._asked("SELECT", CHECKPOINTS):
            row = self._connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        assert isinstance(row[0], datetime)
        return row[0].astimezone(UTC)

    def latest(self, source_id: str) -> FinishedRun | None:
        """The newest finished run; None before the first.

        Raises:
            CheckpointError: no answer or no permission.
        """
        history = self.history(source_id, limit=1)
        return history[0] if history else None

    def history(self, source_id: str, limit: int) -> list[FinishedRun]:
        """Finished runs, newest first.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with (
            self._asked("SELECT", CHECKPOINTS),
            self._connection.cursor(row_factory=dict_row) as cursor,
        ):
            rows = cursor.execute(
                "SELECT source_id, run_id, started_at, finished_at, items, delisted, complete, "
                "checkpoint, topic_id, topic_ends, left_out, already_published, "
                "coalesce(fetched_until, finished_at) AS fetched_until "
                "FROM producers.checkpoints WHERE source_id = %s ORDER BY id DESC LIMIT %s",
                (source_id, limit),
            ).fetchall()
        for row in rows:
            row["raw_log"] = RawLog(row.pop("topic_id"), tuple(row.pop("topic_ends")))
        return [FinishedRun(**row) for row in rows]

    def runs(self, source_id: str, limit: int) -> list[StartedRun]:
        """Runs that have begun, newest first, with what those that finished recorded.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with (
            self._asked("SELECT", f"{ATTEMPTS}, {CHECKPOINTS}"),
            self._connection.cursor(row_factory=dict_row) as cursor,
        ):
            found = cursor.execute(_RUNS, {"source_id": source_id, "limit": limit}).fetchall()
        finished = {run.run_id: run for run in self.history(source_id, limit)}
        return [
            StartedRun(**row, finished=finished.get(run_id))
            for row in found
            for run_id in (row.pop("run_id"),)
        ]

    def begin_attempt(self, source_id: str, run_id: str) -> int:
        """Store that a run has begun; until it ends its lock says that it is alive.

        Returns its number, for `end_attempt`.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with self._asked("INSERT", ATTEMPTS):
            row = self._connection.execute(
                "INSERT INTO producers.attempts "
                "(source_id, run_id, began_at, published, rate_limit_hits) "
                "VALUES (%s, %s, clock_timestamp(), 0, 0) RETURNING id",
                (source_id, run_id),
            ).fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        return row[0]

    def end_attempt(self, attempt: Attempt) -> None:
        """Store how a run ended.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with self._asked("UPDATE", ATTEMPTS):
            self._connection.execute(
                "UPDATE producers.attempts SET ended_at = %s, published = %s, "
                "rate_limit_hits = %s, error = %s, left_out = %s, message = %s "
                "WHERE id = %s",
                (
                    attempt.ended_at,
                    attempt.published,
                    attempt.rate_limit_hits,
                    attempt.error,
                    Jsonb(attempt.left_out),
                    None if attempt.message is None else storable(attempt.message),
                    attempt.id,
                ),
            )

    def health(self) -> list[SourceHealth]:
        """What the runs of each source add up to, by source.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with (
            self._asked("SELECT", ATTEMPTS),
            self._connection.cursor(row_factory=class_row(SourceHealth)) as cursor,
        ):
            return cursor.execute(_HEALTH, {"killed": KILLED}).fetchall()

    def listed(self, source_id: str) -> dict[str, str]:
        """Record ids of the last complete release, each with its stream.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with self._asked("SELECT", LISTED_RECORDS), self._connection.cursor() as cursor:
            rows = cursor.execute(
                "SELECT record_id, stream FROM producers.listed_records WHERE source_id = %s",
                (source_id,),
            ).fetchall()
        return {str(record_id): str(stream) for record_id, stream in rows}

    def published(self, source_id: str) -> dict[str, int]:
        """Digest of what was published last of each record id, as the last finished run left it.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with self._asked("SELECT", PUBLISHED_RECORDS):
            found = self._connection.execute(
                "SELECT record_id, digest FROM producers.published_records WHERE source_id = %s",
                (source_id,),
            ).fetchall()
        return {str(record_id): int(str(digest)) for record_id, digest in found}

    def finish(
        self,
        run: FinishedRun,
        appeared: Mapping[str, str],
        gone: Collection[str],
        fields: FieldCounts,
        published: Mapping[str, int | None],
        *,
        afresh: bool,
    ) -> None:
        """Store a finished run, the change of its listed records and its fields, all or nothing.

        Call it only after the broker has confirmed every record.

        Args:
            run: The new newest row.
            appeared: Record ids listed now and not before, each with its stream.
            gone: Record ids listed before and not now.
            fields: Which fields its items had.
            published: New digest of each record id that was published; None: no longer listed.
            afresh: Digests of earlier runs do not hold any more.

        Raises:
            CheckpointError: nothing was stored, or, when no answer came to the last question, it is
                not known; the message says which. The next run starts where the newest row says.
        """
        with self._asked("INSERT", CHECKPOINTS), self._connection.transaction():
            self._connection.execute(
                "INSERT INTO producers.checkpoints (source_id, run_id, started_at, finished_at, "
                "items, delisted, complete, checkpoint, topic_id, topic_ends, fetched_until, "
                "left_out, already_published) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    run.source_id,
                    run.run_id,
                    run.started_at,
                    run.finished_at,
                    run.items,
                    run.delisted,
                    run.complete,
                    Jsonb(run.checkpoint),
                    run.raw_log.topic_id,
                    list(run.raw_log.ends),
                    run.fetched_until,
                    Jsonb(run.left_out),
                    run.already_published,
                ),
            )
            self._store_listed(run.source_id, appeared, gone)
            self._store_published(run.source_id, published, afresh)
            self._store_fields(run, fields)
            self._recorded = _UNKNOWN
        self._recorded = _DONE

    def _store_fields(self, run: FinishedRun, fields: FieldCounts) -> None:
        with self._asked("INSERT, UPDATE", SEEN_FIELDS), self._connection.cursor() as cursor:
            for stream, items in fields.items.items():
                found = fields.of(stream)
                parameters = {
                    "source_id": run.source_id,
                    "stream": stream,
                    "seen_at": run.finished_at,
                    "items": items,
                    "fields": list(found),
                    "records": list(found.values()),
                    "expected": list(fields.expected),
                }
                cursor.execute(_COUNT_FIELDS, parameters)
                cursor.execute(_MISS_FIELDS, parameters)

    def drift(self) -> list[FieldDrift]:
        """Fields that sources have begun or ceased to send in 90 days, the newest first.

        Raises:
            CheckpointError: no answer or no permission.
        """
        with (
            self._asked("SELECT", SEEN_FIELDS),
            self._connection.cursor(row_factory=class_row(FieldDrift)) as cursor,
        ):
            made = self._connection.execute("SELECT to_regclass(%s) IS NOT NULL", (SEEN_FIELDS,))
            if made.fetchone() == (False,):
                return []  # the next run makes it
            return cursor.execute(_DRIFT).fetchall()

    def _store_listed(
        self, source_id: str, appeared: Mapping[str, str], gone: Collection[str]
    ) -> None:
        with self._asked("INSERT, DELETE", LISTED_RECORDS), self._connection.cursor() as cursor:
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

    def _store_published(
        self, source_id: str, published: Mapping[str, int | None], afresh: bool
    ) -> None:
        gone = [record_id for record_id, digest in published.items() if digest is None]
        known = {key: digest for key, digest in published.items() if digest is not None}
        with (
            self._asked("INSERT, UPDATE, DELETE", PUBLISHED_RECORDS),
            self._connection.cursor() as cursor,
        ):
            if afresh or gone:
                cursor.execute(
                    "DELETE FROM producers.published_records "
                    "WHERE source_id = %s AND (%s OR record_id = ANY(%s))",
                    (source_id, afresh, gone),
                )
            if known:
                cursor.execute(
                    "INSERT INTO producers.published_records (source_id, record_id, digest) "
                    "SELECT %s, * FROM unnest(%s::text[], %s::bigint[]) "
                    "ON CONFLICT (source_id, record_id) DO UPDATE SET digest = excluded.digest",
                    (source_id, list(known), list(known.values())),
                )


@contextmanager
def open_store(dsn: str) -> Iterator[CheckpointStore]:
    """Connect, and make the tables when they are missing.

    Raises:
        CheckpointError: unreachable, refused, or no permission to make the tables.
    """
    with connected(dsn) as connection:
        with asked(connection, "CREATE", CHECKPOINTS, ANSWER_SECONDS):
            create_tables(connection)
        yield CheckpointStore(connection, ANSWER_SECONDS)


@contextmanager
def read_store(dsn: str) -> Iterator[CheckpointStore]:
    """Connect for reading alone; makes no tables.

    Raises:
        CheckpointError: unreachable or refused.
    """
    with connected(dsn) as connection:
        connection.read_only = True
        yield CheckpointStore(connection, ANSWER_SECONDS)
