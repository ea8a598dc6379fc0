"""The tables of the checkpoint database, made on first use.

producers.checkpoints      one row for each finished run, never changed; the newest counts
producers.listed_records   record ids of the last complete release, to find what is gone
producers.attempts         one row for each run from its beginning on, and how it ended
producers.published_records  digest of what was published last of each record id
producers.seen_fields      every field that items of a stream have had, to find what is new
"""

import psycopg

CHECKPOINTS = "producers.checkpoints"
LISTED_RECORDS = "producers.listed_records"
ATTEMPTS = "producers.attempts"
PUBLISHED_RECORDS = "producers.published_records"
SEEN_FIELDS = "producers.seen_fields"

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
CREATE TABLE IF NOT EXISTS producers.published_records (
    source_id text NOT NULL,
    record_id text NOT NULL,
    digest bigint NOT NULL,
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
CREATE TABLE IF NOT EXISTS producers.seen_fields (
    source_id text NOT NULL,
    stream text NOT NULL,
    field text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    records bigint NOT NULL,
    always boolean NOT NULL,
    expected boolean NOT NULL,
    gone_since timestamptz,
    PRIMARY KEY (source_id, stream, field)
);
"""

# What later versions have added, in its order.
_ADD_COLUMNS = """
ALTER TABLE producers.checkpoints
    ADD COLUMN IF NOT EXISTS topic_id text,
    ADD COLUMN IF NOT EXISTS topic_ends bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS fetched_until timestamptz,
    ADD COLUMN IF NOT EXISTS left_out jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS already_published bigint NOT NULL DEFAULT 0;
ALTER TABLE producers.attempts
    ADD COLUMN IF NOT EXISTS left_out jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS began_at timestamptz,
    ALTER COLUMN ended_at DROP NOT NULL,
    ADD COLUMN IF NOT EXISTS run_id text,
    ADD COLUMN IF NOT EXISTS message text;
"""
_NEWEST_COLUMN = (CHECKPOINTS, "already_published")


def create_tables(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Make the tables that are missing, and the columns that later versions have added."""
    # CREATE … IF NOT EXISTS asks for the right to create even where nothing is missing.
    found = connection.execute(
        "SELECT (SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name) "
        "AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s)",
        (
            [CHECKPOINTS, LISTED_RECORDS, ATTEMPTS, SEEN_FIELDS, PUBLISHED_RECORDS],
            *_NEWEST_COLUMN,
        ),
    ).fetchone()
    if found == (True,):
        return
    with connection.transaction():
        # Two first runs at once: the second waits, then finds the tables.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('producers', 0))")
        connection.execute(_CREATE)
        connection.execute(_ADD_COLUMNS)
