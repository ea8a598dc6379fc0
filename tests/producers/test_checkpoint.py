"""The checkpoint database that does not answer."""

import os
import signal
import time

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from producers import checkpoint
from producers.checkpoint import CheckpointStore, open_store
from producers.errors import CheckpointError
from producers.raw_log import RawLog
from producers.run_history import Attempt, FinishedRun
from producers.seen_fields import FieldCounts, item_schema
from streams.avro.contracts import contract
from streams.local.stack import LocalStack
from tests.producers.live import fresh_database, live_producers
from tests.producers.sandbox_server import PLANTS, Sandbox

pytestmark = pytest.mark.integration

_SERVERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"


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


def test_a_database_that_freezes_within_a_poll_ends_it_and_the_next_one_goes_on(
    stack: LocalStack, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every plant is there once that is done; what the poll had sent is sent again."""
    monkeypatch.setattr(checkpoint, "ANSWER_SECONDS", 5.0)
    with live_producers(stack, sandbox) as live:
        superuser = make_conninfo(
            stack.postgres.superuser_dsn,
            dbname=conninfo_to_dict(live.environment["POSTGRES_DSN"])["dbname"],
        )
        with psycopg.connect(superuser, autocommit=True) as looking:
            frozen: list[int] = []

            def freeze(done: int, expected: int | None) -> None:
                if done >= PLANTS // 2 and not frozen:
                    found = looking.execute(_SERVERS, (looking.info.backend_pid,)).fetchall()
                    frozen.extend(pid for (pid,) in found)
                    for pid in frozen:
                        os.kill(pid, signal.SIGSTOP)

            began = time.monotonic()
            try:
                with pytest.raises(
                    CheckpointError, match=r"no answer in .* s\. Nothing was recorded"
                ):
                    live.poll("wri_powerplants", on_progress=freeze)
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
            assert frozen
            assert time.monotonic() - began < 60
            live.wait_for(
                lambda: not looking.execute(_SERVERS, (looking.info.backend_pid,)).fetchall(),
                "the end of the server that was frozen",
            )
        assert live.history("wri_powerplants") == []
        assert live.poll("wri_powerplants").polled == PLANTS
        assert len({one.key for one in live.published("wri_powerplants")}) == PLANTS


def test_an_error_after_a_run_was_recorded_does_not_say_that_nothing_was(
    stack: LocalStack,
) -> None:
    with fresh_database(stack) as dsn, open_store(dsn) as store:
        number, now = store.begin_attempt("toy", "run"), store.present()
        log = RawLog("topic", (0,))
        run = FinishedRun("toy", "run", now, now, 1, 0, True, {"at": "1"}, log, now, {})
        fields = FieldCounts(item_schema(contract("raw.wri_powerplants").latest))
        store.finish(run, {}, {}, fields, {}, afresh=False)
        with psycopg.connect(dsn, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(CheckpointError, match="This run was recorded as done, but"):
            store.end_attempt(Attempt(number, now, 1, 0, None, {}))


def test_what_an_error_said_is_kept_whatever_was_in_it(stack: LocalStack) -> None:
    with fresh_database(stack) as dsn, open_store(dsn) as store:
        number, now = store.begin_attempt("toy", "run"), store.present()
        message = "the columns are <html>\0"
        store.end_attempt(Attempt(number, now, 0, 0, "SourceError", {}, message))
        (run,) = store.runs("toy", 10)
        assert run.message == "the columns are <html>\ufffd"
