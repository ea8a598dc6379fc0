"""Each connector against the sandbox server, Kafka, the schema registry and PostgreSQL."""

import json
import re
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import stamina
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from producers.checkpoint import open_store
from producers.errors import (
    EXIT_CONFIGURATION,
    EXIT_SOURCE,
    AlreadyRunningError,
    AuthenticationError,
    CheckpointError,
    ConfigurationError,
    LossError,
    PartlyReadError,
    RateLimitedError,
    TruncatedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from producers.run import RunOptions
from producers.run_history import KILLED
from producers.sandbox.gem_made_up import LNG_UNITS, UNITS
from producers.sources.alsi_lng.connector import AlsiLngConnector
from producers.sources.gem_transmission.connector import GemTransmissionConnector
from producers.sources.reexplorer.connector import ReexplorerConnector
from producers.sources.reexplorer.project_files import PROJECTS
from producers.sources.reexplorer.streams import NLR_STREAMS
from producers.sources.wri_powerplants import WriPowerPlantsConnector
from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.core.errors import (
    BrokerError,
    RecordTooLargeError,
    RegistryError,
    TopicMismatchError,
)
from streams.core.payloads import LngInventory, RenewableResource
from streams.core.records import Mapped
from streams.core.redrive import REDRIVEN_FROM
from streams.kafka.topic_admin import delete_topics, end_offsets, ensure_topics
from streams.kafka.topic_reader import read_all
from streams.kafka.topic_writer import TopicWriter
from streams.local.stack import LocalStack
from streams.settings import settings
from streams.topics import MARKET_INFRASTRUCTURE, Topic, raw_topic
from tests.avro.examples import to_record
from tests.fault.runbook import Runbook, steps
from tests.producers.live import Live, fresh_database, live_producers
from tests.producers.sandbox_server import KEY, PLANTS, Sandbox, free_port, running_sandbox

pytestmark = pytest.mark.integration

ALSI = "alsi_lng"
GEM = "gem_transmission"
WRI = "wri_powerplants"
NLR = "reexplorer"
NLR_SERVICES = tuple(stream.name for stream in NLR_STREAMS)
POINTS = 6
OPEN_PHASES = 156
"""Planned and unfinished phases of the made-up tracker."""
FIRST_DAY, LAST_DAY = date(2012, 1, 1), date(2026, 5, 19)
DAYS = (LAST_DAY - FIRST_DAY).days + 1


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("no-real-data")) as running:
        yield running


@pytest.fixture
def live(stack: LocalStack, sandbox: Sandbox) -> Iterator[Live]:
    with live_producers(stack, sandbox) as running:
        yield running


@pytest.fixture(autouse=True)
def _without_waiting() -> Iterator[None]:
    """Retries in this process follow at once, as many as configured."""
    with stamina.set_testing(True, attempts=1000, cap=True):
        yield


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and output of a process that ends by itself."""
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


class TestALSILNGConnector:
    def test_the_first_run_publishes_every_gas_day_since_2012(self, live: Live) -> None:
        summary = live.poll(ALSI)
        published = live.published(ALSI)
        assert (summary.polled, summary.published, summary.delisted) == (DAYS, DAYS, 0)
        expected = {f"eu/{FIRST_DAY + timedelta(days=index)}" for index in range(DAYS)}
        assert {one.key for one in published} == expected
        assert len(published) == DAYS
        assert {one.record.run_id for one in published} == {summary.run_id}
        assert all(one.key == one.record.record_id for one in published)

    def test_every_record_becomes_an_inventory(self, live: Live) -> None:
        live.poll(ALSI, RunOptions(since=date(2023, 12, 1)))
        for one in live.published(ALSI):
            mapped = AlsiLngConnector.map_to_schema(one.record)
            assert isinstance(mapped, Mapped)
            assert isinstance(mapped.payload, LngInventory)
            full = mapped.payload.fullness_pct
            assert (full is not None) == (mapped.payload.gas_day >= date(2024, 1, 1))

    def test_countries_and_terminals_become_inventories_and_terminals(self, live: Live) -> None:
        detailed = live.with_variables(
            ALSI_GRANULARITY="terminal,country", ALSI_DETAIL_BACKFILL_DAYS="3"
        )
        detailed.poll(ALSI)
        found: dict[str, list[str]] = {}
        for one in live.published(ALSI):
            mapped = AlsiLngConnector.map_to_schema(one.record)
            assert isinstance(mapped, Mapped)
            found.setdefault(one.record.stream, []).append(mapped.entity_id)
        assert len(set(found["country"])) == 12, "a listed country does not report"
        assert len(found["country"]) == 12 * 3
        assert len(set(found["terminal"])) == 35, "one never reported, two stopped"
        assert len(found["terminals"]) == 38
        assert len(set(found["terminals"])) == 37, "one facility has had two operators"
        facilities = {series.split("/")[0] for series in found["terminal"]}
        assert facilities < set(found["terminals"])
        again = detailed.poll(ALSI)
        assert again.polled == (12 + 35) * 31 + 38

    def test_a_terminal_that_leaves_the_listing_is_delisted_and_its_days_are_not(
        self, live: Live
    ) -> None:
        terminals = live.with_variables(ALSI_GRANULARITY="terminal", ALSI_DETAIL_BACKFILL_DAYS="2")
        terminals.poll(ALSI)
        live.sandbox.control("alsi", unlist=["37W000000000110L"])
        assert terminals.poll(ALSI, RunOptions(since=LAST_DAY)).delisted == 0
        assert terminals.poll(ALSI).delisted == 1
        assert terminals.poll(ALSI).delisted == 0
        gone = [one for one in live.published(ALSI) if one.record.event == "no_longer_listed"]
        assert [(one.key, one.record.stream) for one in gone] == [
            ("37W000000000110L/21X000000001403J", "terminals")
        ]

    def test_a_later_run_brings_the_revisions_of_the_look_back_days(self, live: Live) -> None:
        live.poll(ALSI)
        live.sandbox.control("revise", days=10)
        summary = live.poll(ALSI)
        assert summary.polled == 31
        history: dict[str, list[tuple[object, object, int]]] = {}
        for one in live.published(ALSI):
            assert one.record.item is not None
            seen = (one.record.item["inventory"], one.record.source_updated_at, one.partition)
            history.setdefault(one.key, []).append(seen)
        again = {key: seen for key, seen in history.items() if len(seen) == 2}
        changed = {key for key, (old, new) in again.items() if old[0] != new[0]}
        assert again.keys() == changed
        assert summary.already_published == 21
        assert changed == {f"eu/{LAST_DAY - timedelta(days=index)}" for index in range(10)}
        for old, new in again.values():
            assert str(old[1]) <= str(new[1])
            assert old[2] == new[2], "one key stays on one partition, in order"

    def test_a_run_with_its_own_range_does_not_hide_the_gap_before_it(self, live: Live) -> None:
        live.poll(ALSI, RunOptions(since=date(2026, 5, 1)))
        assert live.poll(ALSI).polled == DAYS

    def test_a_refused_key_publishes_nothing_and_leaves_no_checkpoint(self, live: Live) -> None:
        with pytest.raises(AuthenticationError, match="ALSI_API_KEY"):
            live.with_variables(ALSI_API_KEY="wrong").poll(ALSI)
        assert (live.count(ALSI), live.history(ALSI)) == (0, [])

    def test_a_key_that_was_rotated_is_used_by_the_next_poll(
        self, live: Live, tmp_path: Path
    ) -> None:
        live = live.with_variables(ALSI_API_KEY="revoked", ALSI_BACKFILL_FROM="2026-05-01")
        with pytest.raises(AuthenticationError, match="ALSI_API_KEY"):
            live.poll(ALSI)
        runbook = Runbook(tmp_path / "clone", live.environment)
        (kubectl,) = (
            one.command for one in steps("Rotating a key") if one.command.startswith("kubectl")
        )
        assert "infrastructure-sources" in kubectl
        runbook.follow("Rotating a key", {kubectl: lambda: runbook.set(ALSI_API_KEY=KEY)})
        assert len(live.history(ALSI)) == 1

    def test_above_the_limit_the_run_ends_and_leaves_no_checkpoint(
        self, stack: LocalStack, tmp_path: Path
    ) -> None:
        with (
            running_sandbox(tmp_path, requests_per_minute=3) as limited,
            live_producers(stack, limited) as live,
        ):
            config = tmp_path / "alsi_lng.yaml"
            config.write_text(
                f"base_url: {limited.url}/alsi/api\napi_key: ${{ALSI_API_KEY}}\n"
                "http: {attempts: 2, pause_seconds: 0.1, requests_per_minute: 60000}\n"
            )
            with pytest.raises(RateLimitedError, match="HTTP 429"):
                live.with_variables(CONFIG_PATH=str(config)).poll(ALSI)
            assert live.history(ALSI) == []

    def test_killed_in_the_middle_the_next_run_reads_all_again(self, live: Live) -> None:
        slow = live.with_variables(ALSI_REQUESTS_PER_MINUTE="120")
        process = slow.start(ALSI)
        live.wait_for(lambda: live.count(ALSI) >= 600, "600 deliveries")
        process.kill()
        ended(process)
        assert live.history(ALSI) == []
        with open_store(live.environment["POSTGRES_DSN"]) as store:
            (killed,) = store.health()
        assert (killed.succeeded, killed.errors) == (False, {KILLED: 1})
        before = live.count(ALSI)
        assert 600 <= before < DAYS

        assert live.poll(ALSI).polled == DAYS
        assert [run.items for run in live.history(ALSI)] == [DAYS]
        contents: dict[str, list[object]] = {}
        for one in live.published(ALSI):
            contents.setdefault(one.key, []).append(AlsiLngConnector.map_to_schema(one.record))
        assert len(contents) == DAYS
        assert Counter(len(seen) for seen in contents.values()) == {2: before, 1: DAYS - before}
        assert all(seen[0] == seen[-1] for seen in contents.values()), "nothing changes downstream"

    def test_ctrl_c_ends_at_once_with_nothing_recorded(self, live: Live) -> None:
        process = live.with_variables(ALSI_REQUESTS_PER_MINUTE="60").start(ALSI)
        live.wait_for(lambda: live.count(ALSI) >= 300, "300 deliveries")
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, output = ended(process)
        assert time.monotonic() - asked < 3
        assert (code, live.history(ALSI)) == (130, [])
        assert "Traceback" not in output

    def test_the_history_is_shown_newest_first(self, live: Live) -> None:
        live.poll(ALSI)
        live.poll(ALSI)
        code, output = ended(live.start("checkpoints", ALSI))
        rows = [line for line in output.splitlines() if "newest_gas_day/eu=2026-05-19" in line]
        assert code == 0
        assert [re.findall(r"(\d[\d,]*) +│ 0 ", row)[0] for row in rows] == ["31", "5,253"]

    def test_only_what_was_read_looks_finished(self, live: Live) -> None:
        """Each run as a person sees it: what it came to, and whether the checkpoint moved."""

        def newest() -> str:
            code, output = ended(live.start("checkpoints", WRI, "--limit", "1"))
            assert code == 0
            return " ".join(output.split())

        nowhere = live.with_variables(WRI_LOCATION="/nowhere.csv")
        assert ended(nowhere.start(WRI))[0] == EXIT_SOURCE
        assert "failed: UnreachableError" in newest()
        assert "stays" in newest()
        wrong = live.with_variables(WRI_MINIMUM_ROWS="many")
        assert ended(wrong.start(WRI))[0] == EXIT_CONFIGURATION
        assert "failed: ConfigurationError" in newest()
        live.poll(WRI)
        assert "a whole release" in newest()
        live.poll(WRI)
        assert "nothing new" in newest()
        ids = [item.key for item in live.published(WRI)]
        live.sandbox.control("wri", drop=ids[: PLANTS // 3])
        assert ended(live.start(WRI))[0] == EXIT_SOURCE
        assert "failed: TruncatedError" in newest()
        assert "--accept-loss" in newest()

    def test_a_run_that_is_active_and_one_that_was_killed_are_told_apart(self, live: Live) -> None:
        with open_store(live.environment["POSTGRES_DSN"]) as store:
            store.lock(WRI)
            store.begin_attempt(WRI, "run")
            _, active = ended(live.start("checkpoints", WRI))
        _, killed = ended(live.start("checkpoints", WRI))
        assert ("runs now" in active, "killed" in active) == (True, False)
        assert ("runs now" in killed, "killed; nothing is recorded" in killed) == (False, True)

    def test_a_source_that_was_read_in_part_says_which_part_was_not(self, live: Live) -> None:
        away = live.with_variables(GEM_LNG_FILE="/nowhere.csv")
        assert ended(away.start(GEM))[0] == EXIT_SOURCE
        _, output = ended(live.start("checkpoints", GEM))
        said = " ".join(output.split())
        assert "read in part: PartlyReadError" in said
        assert "could not read lng_terminals" in said

    @pytest.mark.parametrize("every", ["1s", "schedule"])
    def test_every_repeats_until_it_is_stopped(self, live: Live, every: str) -> None:
        few = live.with_variables(ALSI_SCHEDULE="1s", ALSI_BACKFILL_FROM="2026-05-01")
        process = few.start(ALSI, "--every", every)
        live.wait_for(lambda: len(live.history(ALSI)) >= 3, "three runs")
        process.terminate()
        code, output = ended(process)
        assert code == 143
        assert "Traceback" not in output


class TestWRIPowerPlantsConnector:
    def test_the_first_run_publishes_every_plant_once(self, live: Live) -> None:
        summary = live.poll(WRI)
        published = live.published(WRI)
        assert (summary.polled, summary.published) == (PLANTS, PLANTS)
        assert Counter(Counter(one.key for one in published).values()) == {1: PLANTS}
        assert all(
            isinstance(WriPowerPlantsConnector.map_to_schema(one.record), Mapped)
            for one in published
        )
        assert {one.partition for one in published} == {0, 1, 2, 3}

    def test_an_unchanged_release_publishes_nothing(self, live: Live) -> None:
        live.poll(WRI)
        summary = live.poll(WRI)
        assert summary.unchanged
        assert (summary.polled, summary.published) == (0, 0)
        assert live.count(WRI) == PLANTS
        assert [run.items for run in live.history(WRI)] == [0, PLANTS]

    def test_a_new_release_delists_what_is_gone_exactly_once(self, live: Live) -> None:
        live.poll(WRI)
        gone, changed, moved = "SBX0000003", "SBX0000004", "SBX0000005"
        live.sandbox.control("wri", drop=[gone], change=[changed], move=[moved])
        summary = live.poll(WRI)
        assert (summary.polled, summary.delisted) == (PLANTS - 1, 1)
        assert live.poll(WRI).published == 0
        assert (summary.published, summary.already_published) == (3, PLANTS - 3)
        assert [run.already_published for run in live.history(WRI)] == [0, PLANTS - 3, 0]

        history: dict[str, list[tuple[str, object, object]]] = {}
        for one in live.published(WRI):
            item = one.record.item or {}
            seen = (one.record.event, item.get("capacity_mw"), item.get("country"))
            history.setdefault(one.key, []).append(seen)
        assert [event for event, _, _ in history[gone]] == ["observed", "no_longer_listed"]
        assert history[changed][0][1] != history[changed][1][1]
        assert history[moved][1][2] == "NZL"
        assert {
            len(seen) for key, seen in history.items() if key not in (gone, changed, moved)
        } == {1}

    @pytest.mark.parametrize("recorded", [True, False], ids=["after_a_run", "on_the_first_run"])
    def test_a_lost_run_leaves_nothing_when_the_source_goes_back(
        self, live: Live, recorded: bool
    ) -> None:
        """What it published was never recorded, and the source is as it was: byte by byte."""
        only_then, changed = "SBX0000003", "SBX0000004"
        live.sandbox.control("wri", drop=[only_then])
        if recorded:
            live.poll(WRI)
        live.sandbox.control("reset")
        live.sandbox.control("wri", change=[changed])
        lose_a_run(live)
        live.sandbox.control("reset")
        live.sandbox.control("wri", drop=[only_then])
        summary = live.poll(WRI)
        # Its digests were lost with it: the changed row, or, where nothing was recorded, every row.
        assert summary.delisted == 1
        assert summary.published == 1 + (1 if recorded else PLANTS - 1)
        newest = {one.key: one.record for one in live.published(WRI)}
        assert newest[only_then].event == "no_longer_listed"
        said = [one.record.item for one in live.published(WRI) if one.key == changed]
        capacities = [item["capacity_mw"] for item in said if item is not None]
        assert len(set(capacities)) == 2
        assert capacities[-1] != capacities[-2]
        again = live.poll(WRI)
        assert (again.unchanged, again.published) == (True, 0)

    def test_zero_bytes_of_a_damaged_file_stop_nothing(self, live: Live, tmp_path: Path) -> None:
        """PostgreSQL has no place for them in a text."""
        file = tmp_path / "plants.csv"
        local = live.with_variables(WRI_LOCATION=str(file), WRI_MINIMUM_ROWS="0")
        heading = "gppd_idnr,name,country,capacity_mw,latitude,longitude,primary_fuel"
        rows = [f"TOY{number},Toy,NOR,1,61.1,8.5,Hydro,said" for number in range(8)]
        damaged = [heading + ",no\0te", *rows[:-1], rows[-1].replace("TOY7", "TO\0Y7")]
        file.write_text("\n".join(damaged) + "\n")
        assert local.poll(WRI).published == 8
        assert local.poll(WRI).unchanged
        file.write_text("\n".join(damaged[:-1]) + "\n")
        assert (summary := local.poll(WRI)).delisted == summary.published == 1
        events: dict[str, list[str]] = {}
        for one in live.published(WRI):
            events.setdefault(one.key, []).append(one.record.event)
        assert events == {f"TOY{number}": ["observed"] for number in range(7)} | {
            "TO\ufffdY7": ["observed", "no_longer_listed"]
        }

    def test_a_lost_run_counts_until_its_stream_is_read_whole(self, live: Live) -> None:
        only_then = "SBX0000003"
        live.sandbox.control("wri", drop=[only_then])
        live.poll(WRI)
        live.sandbox.control("reset")
        lose_a_run(live)
        live.sandbox.control("wri", drop=[only_then])
        assert live.poll(WRI, RunOptions(limit=5)).delisted == 0
        assert live.poll(WRI).delisted == 1
        assert live.poll(WRI).unchanged

    def test_a_redriven_copy_is_nothing_that_a_lost_run_has_left(self, live: Live) -> None:
        live.poll(WRI)
        topic, bootstrap = raw_topic(WRI).name, live.environment["KAFKA_BOOTSTRAP"]
        original = next(record for record in read_all(bootstrap, topic))
        producer = Producer({"bootstrap.servers": bootstrap})
        producer.produce(
            topic,
            original.value,
            original.key,
            original.partition,
            headers=[(REDRIVEN_FROM, f"{topic}:{original.partition}:{original.offset}")],
        )
        assert producer.flush(30) == 0
        summary = live.poll(WRI)
        assert (summary.unchanged, summary.published) == (True, 0)

    def test_what_a_backup_brought_back_is_withdrawn_when_it_is_gone(
        self, live: Live, stack: LocalStack
    ) -> None:
        """The raw topic is full, and no run was ever recorded."""
        live.poll(WRI)
        live.sandbox.control("wri", drop=["SBX0000003"])
        with fresh_database(stack) as dsn:
            assert live.with_variables(POSTGRES_DSN=dsn).poll(WRI).delisted == 1

    def test_a_plant_that_is_listed_again_can_be_delisted_again(self, live: Live) -> None:
        live.poll(WRI)
        live.sandbox.control("wri", drop=["SBX0000003"])
        assert live.poll(WRI).delisted == 1
        live.sandbox.control("reset")
        back = live.poll(WRI)
        assert (back.delisted, back.published, back.already_published) == (0, 1, PLANTS - 1)
        live.sandbox.control("wri", drop=["SBX0000003"])
        assert live.poll(WRI).delisted == 1

    def test_a_release_cut_short_delists_nothing(self, live: Live) -> None:
        live.poll(WRI)
        live.sandbox.control("wri", drop=[f"SBX{index:07d}" for index in range(PLANTS // 2)])
        with pytest.raises(TruncatedError, match="cut short"):
            live.poll(WRI)
        assert live.count(WRI) == PLANTS
        assert len(live.history(WRI)) == 1

    def test_a_release_that_lost_more_than_a_fifth_waits_for_a_person(
        self, live: Live, tmp_path: Path
    ) -> None:
        """Also at another address, of which no checkpoint knows how long it was."""
        release = tmp_path / "plants.csv"
        local = live.with_variables(WRI_LOCATION=str(release), WRI_MINIMUM_ROWS="0")
        write_plants(release, url={})
        live.poll(WRI)
        forget = "UPDATE producers.checkpoints SET checkpoint = '{}'"
        with psycopg.connect(live.environment["POSTGRES_DSN"], autocommit=True) as connection:
            connection.execute(forget)
        lost = rf"{PLANTS:,} of {PLANTS:,} records of stream plants.*SOURCE={WRI} ARGS=--accept"
        with pytest.raises(LossError, match=lost):
            local.poll(WRI)
        assert [run.delisted for run in live.history(WRI)] == [0]
        assert local.poll(WRI, RunOptions(accept_loss=True)).delisted == PLANTS

    def test_a_limited_run_delists_nothing_and_leaves_the_checkpoint(self, live: Live) -> None:
        assert live.poll(WRI, RunOptions(limit=10)).published == 10
        assert live.history(WRI)[0].checkpoint == {}
        assert live.poll(WRI).published == PLANTS - 10
        assert live.count(WRI) == PLANTS

    def test_two_runs_of_one_source_exclude_each_other(self, live: Live) -> None:
        seen: list[tuple[int, str]] = []

        def meanwhile(done: int, expected: int | None) -> None:
            if done == 1:
                with pytest.raises(AlreadyRunningError, match="Another run"):
                    live.poll(WRI)
                seen.append(ended(live.start(WRI)))
                assert live.poll(ALSI, RunOptions(limit=1)).published == 1

        assert live.poll(WRI, on_progress=meanwhile).published == PLANTS
        assert seen[0][0] == 4
        assert "Another run of wri_powerplants is active" in seen[0][1]
        assert live.count(WRI) == PLANTS

    def test_a_lost_database_records_nothing_and_the_next_run_repeats_the_delisting(
        self, live: Live
    ) -> None:
        live.poll(WRI)
        live.sandbox.control("wri", drop=["SBX0000003"])

        def lose_database(done: int, expected: int | None) -> None:
            if done == 100:
                end_other_connections(live)

        with pytest.raises(CheckpointError, match=r"producers\.listed_records.*run again"):
            live.poll(WRI, on_progress=lose_database)
        assert len(live.history(WRI)) == 1
        summary = live.poll(WRI)
        assert (summary.polled, summary.delisted) == (PLANTS - 1, 1)
        last = [one for one in live.published(WRI) if one.record.run_id == summary.run_id]
        assert [one.record.event for one in last] == ["no_longer_listed"]

    def test_missing_permissions_name_the_table_and_the_fix(
        self, stack: LocalStack, live: Live
    ) -> None:
        role = "reader_of_nothing"
        dsn = live.environment["POSTGRES_DSN"]
        with psycopg.connect(stack.postgres.superuser_dsn, autocommit=True) as admin:
            admin.execute(f"DROP ROLE IF EXISTS {role}")
            admin.execute(f"CREATE ROLE {role} LOGIN")
        try:
            stranger = live.with_variables(
                POSTGRES_DSN=psycopg.conninfo.make_conninfo(dsn, user=role)
            )
            for _ in ("without tables", "with tables of another role"):
                with pytest.raises(
                    CheckpointError, match=r"producers\.checkpoints.*GRANT"
                ) as error:
                    stranger.poll(ALSI, RunOptions(limit=1))
                assert "permission denied" in str(error.value)
                live.poll(ALSI, RunOptions(limit=1))
        finally:
            with psycopg.connect(stack.postgres.superuser_dsn, autocommit=True) as admin:
                admin.execute(f"DROP ROLE {role}")

    @pytest.mark.parametrize(
        ("variable", "address", "error", "message"),
        [
            (
                "POSTGRES_DSN",
                "postgresql://u:s3cret@127.0.0.1:{port}/db",
                CheckpointError,
                "POSTGRES_DSN",
            ),
            ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:{port}", RegistryError, "could not"),
            ("KAFKA_BOOTSTRAP", "127.0.0.1:{port}", BrokerError, "KAFKA_BOOTSTRAP"),
            ("WRI_LOCATION", "http://127.0.0.1:{port}/x.zip", UnreachableError, "refused"),
        ],
    )
    def test_a_service_that_is_away_is_named(
        self,
        live: Live,
        variable: str,
        address: str,
        error: type[Exception],
        message: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("streams.kafka.broker._REQUEST_SECONDS", 1.0)
        away = live.with_variables(**{variable: address.format(port=free_port())})
        with (
            stamina.set_testing(True, attempts=2),
            pytest.raises(error, match=message) as caught,
        ):
            away.poll(WRI)
        assert "s3cret" not in str(caught.value)
        assert live.history(WRI) == []

    def test_every_run_counts_in_the_health_of_the_source(self, live: Live) -> None:
        """Also one that ends before it has a schema or a broker."""
        nobody = f"127.0.0.1:{free_port()}"
        with pytest.raises(RegistryError):
            live.with_variables(SCHEMA_REGISTRY_URL=f"http://{nobody}").poll(WRI)
        for _ in range(2):
            with pytest.raises(UnreachableError):
                live.with_variables(WRI_LOCATION="/nowhere.csv").poll(WRI)
        with pytest.raises(ConfigurationError):
            live.with_variables(WRI_MINIMUM_ROWS="many").poll(WRI)
        with open_store(live.environment["POSTGRES_DSN"]) as store:
            (failing,) = store.health()
            assert (failing.source_id, failing.succeeded) == (WRI, False)
            assert failing.last_published_at is None
            began = datetime.now(UTC)
            live.sandbox.control("fault", path="/wri", fault="limited", retry_after="0", times=2)
            live.poll(WRI)
            (healed,) = store.health()
            assert healed.succeeded
            assert healed.last_published_at is not None
            assert healed.last_published_at >= began
            assert healed.rate_limit_hits == 2
            assert healed.errors == {
                "RegistryError": 1,
                "UnreachableError": 2,
                "ConfigurationError": 1,
            }
            live.poll(WRI)
            (idle,) = store.health()
            assert idle.last_published_at == healed.last_published_at, "an unchanged release"
            assert (idle.succeeded, idle.runs, idle.errors) == (True, 6, healed.errors)

    def test_a_missing_topic_is_named(self, live: Live) -> None:
        with pytest.raises(TopicMismatchError, match=r"raw\.undeclared.*make topics"):
            TopicWriter(live.environment["KAFKA_BOOTSTRAP"], ["raw.undeclared"])

    def test_what_a_topic_does_not_take_is_not_sent_and_the_rest_is(self, live: Live) -> None:
        topic = Topic("raw.narrow", config=(("max.message.bytes", "4000"),))
        ensure_topics(live.environment["KAFKA_BOOTSTRAP"], [topic], 1)
        with TopicWriter(live.environment["KAFKA_BOOTSTRAP"], [topic.name]) as writer:
            with pytest.raises(RecordTooLargeError, match=r"raw\.narrow.*max\.message\.bytes"):
                writer.send(topic.name, b"large", secrets.token_bytes(4000))
            for _ in range(20):
                writer.send(topic.name, b"small", secrets.token_bytes(3400))
            writer.finish()
            assert writer.confirmed == 20

    def test_an_item_above_the_limit_is_named_and_counted_and_stays_listed(
        self, live: Live, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        release = tmp_path / "plants.csv"
        local = live.with_variables(WRI_LOCATION=str(release), WRI_MINIMUM_ROWS="0")
        write_plants(release, url={})
        assert local.poll(WRI).published == 2
        write_plants(release, url={"P1": "x" * 60_000})
        with limited_topic(live, raw_topic(WRI).name, 50_000):
            summary = local.poll(WRI)
        assert (summary.polled, summary.published, summary.delisted) == (2, 0, 0)
        assert summary.already_published == 1
        assert summary.left_out == local.history(WRI)[0].left_out == {"too_large": 1}
        assert "P1 of stream plants is not published" in caplog.text
        assert "max.message.bytes" in caplog.text
        with open_store(live.environment["POSTGRES_DSN"]) as store:
            assert store.health()[0].left_out == {"too_large": 1}
        assert local.poll(WRI).unchanged
        assert local.poll(WRI, RunOptions(whole=True)).published == 2

    def test_a_recreated_topic_is_filled_again(
        self, live: Live, caplog: pytest.LogCaptureFixture
    ) -> None:
        live.poll(WRI)
        bootstrap, topic = live.environment["KAFKA_BOOTSTRAP"], raw_topic(WRI)
        delete_topics(bootstrap, [topic.name])
        ensure_topics(bootstrap, [topic], 1)
        assert live.poll(WRI).published == PLANTS
        assert "raw.wri_powerplants was recreated since the last run" in caplog.text
        assert sum(end_offsets(bootstrap, [topic.name]).values()) == PLANTS
        assert live.poll(WRI).unchanged

    def test_fetch_times_never_go_back_until_a_person_says_so(
        self, live: Live, caplog: pytest.LogCaptureFixture
    ) -> None:
        live.poll(WRI)
        ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        with psycopg.connect(live.environment["POSTGRES_DSN"], autocommit=True) as connection:
            connection.execute("UPDATE producers.checkpoints SET fetched_until = %s", (ahead,))
        live.sandbox.control("wri", change=["SBX0000004"])
        held = live.poll(WRI)
        assert "behind the last fetch" in caplog.text
        again = live.poll(WRI, RunOptions(whole=True))
        times: dict[str, set[datetime]] = {}
        for one in live.published(WRI):
            times.setdefault(one.record.run_id, set()).add(one.record.fetched_at)
        assert times[held.run_id] == {ahead}
        assert max(times[again.run_id]) < ahead - timedelta(days=29)

    def test_tables_of_an_earlier_version_are_brought_to_this_one(self, live: Live) -> None:
        live.poll(WRI)
        added = ("topic_id", "topic_ends", "fetched_until", "left_out", "already_published")
        with psycopg.connect(live.environment["POSTGRES_DSN"], autocommit=True) as connection:
            for column in added:
                connection.execute(f"ALTER TABLE producers.checkpoints DROP COLUMN {column}")
            connection.execute(
                "ALTER TABLE producers.attempts DROP COLUMN left_out, DROP COLUMN began_at, "
                "DROP COLUMN run_id, DROP COLUMN message, "
                "ALTER COLUMN ended_at SET NOT NULL"
            )
            connection.execute("DROP TABLE producers.published_records")
        assert live.poll(WRI).unchanged
        newest, before = live.history(WRI)
        assert (before.raw_log.topic_id, newest.raw_log.topic_id is None) == (None, False)
        assert before.fetched_until == before.finished_at
        with open_store(live.environment["POSTGRES_DSN"]) as store:
            runs = store.runs(WRI, 10)
        assert [run.finished for run in runs] == [newest, before], "each once, an old one, too"
        for plant, published in (("SBX0000004", PLANTS), ("SBX0000005", 1)):
            live.sandbox.control("wri", change=[plant])
            assert live.poll(WRI).published == published, (
                "what was published is known after one run"
            )

    @pytest.mark.real_data
    @pytest.mark.soak
    def test_the_real_release_flows_within_the_memory_limit(
        self, stack: LocalStack, real_data: Path
    ) -> None:
        with running_sandbox(real_data) as real, live_producers(stack, real) as live:
            code, output = ended(live.start_measured(WRI))
            assert code == 0, output
            assert int(output.splitlines()[-1]) < 300_000, "kilobytes"
            assert live.count(WRI) == 34_936
            assert live.poll(WRI).unchanged


class TestReexplorerConnector:
    def test_the_first_run_publishes_resources_and_projects_without_the_key(
        self, live: Live
    ) -> None:
        summary = live.poll(NLR)
        published = live.published(NLR)
        kinds = Counter(one.record.stream for one in published)
        assert kinds == {**dict.fromkeys(NLR_SERVICES, POINTS), PROJECTS: OPEN_PHASES}
        assert summary.published == len(published) == len({one.key for one in published})
        mapped = [ReexplorerConnector.map_to_schema(one.record) for one in published]
        assert all(isinstance(one, Mapped) for one in mapped)
        assert KEY not in repr(published)
        credits = {one.record.stream: one.record.licence for one in published}
        assert credits[PROJECTS] == "CC-BY-4.0"

    def test_a_point_outside_coverage_is_recorded_as_such(self, live: Live) -> None:
        live.poll(NLR)
        outside = Counter(
            one.key
            for one in live.published(NLR)
            if (mapped := ReexplorerConnector.map_to_schema(one.record))
            and isinstance(mapped, Mapped)
            and isinstance(mapped.payload, RenewableResource)
            and mapped.payload.coverage == "outside"
        )
        assert {f"{service}/south-pole" for service in NLR_SERVICES} <= outside.keys()
        assert "solar_resource/bhadla-india" in outside
        assert "pvwatts/bhadla-india" not in outside

    def test_an_unchanged_service_costs_one_request_each_and_publishes_nothing(
        self, live: Live
    ) -> None:
        live.poll(NLR)
        before = live.count(NLR)
        summary = live.with_variables(NLR_MAX_REQUESTS="5").poll(NLR)
        assert (summary.unchanged, summary.published) == (True, 0)
        assert live.count(NLR) == before

    def test_a_new_year_is_read_for_every_point_of_that_service_only(self, live: Live) -> None:
        live.poll(NLR)
        live.sandbox.control("nlr", last_year=2025)
        summary = live.poll(NLR)
        assert (summary.polled, summary.already_published) == (POINTS, 1), "one is outside coverage"
        new = [one for one in live.published(NLR) if one.record.run_id == summary.run_id]
        assert Counter(one.record.stream for one in new) == {"nsrdb_data_query": POINTS - 1}

    def test_used_up_the_next_run_goes_on_where_this_one_stopped(self, live: Live) -> None:
        live.sandbox.control("nlr", use_up=12)
        first = live.poll(NLR)
        assert OPEN_PHASES < first.published < OPEN_PHASES + 4 * POINTS
        assert live.history(NLR)[0].checkpoint["rate_limit"] == "0/1000"
        live.sandbox.control("reset")
        second = live.poll(NLR)
        assert first.published + second.published == OPEN_PHASES + 4 * POINTS
        assert set(Counter(one.key for one in live.published(NLR)).values()) == {1}

    def test_phases_that_run_or_are_gone_are_no_longer_listed(self, live: Live) -> None:
        live.poll(NLR)
        runs, gone = "G900000000000", "G900000000001"
        live.sandbox.control("trackers", operate=[runs], drop=[gone])
        summary = live.poll(NLR)
        assert (summary.polled, summary.delisted) == (OPEN_PHASES - 2, 2)
        events = {one.key: one.record.event for one in live.published(NLR)}
        assert {events[runs], events[gone]} == {"no_longer_listed"}
        assert live.poll(NLR).unchanged

    def test_a_refused_key_and_a_host_given_up_are_named(self, live: Live) -> None:
        alone = live.with_variables(RENEWABLE_PROJECTS_LOCATION="")
        with pytest.raises(AuthenticationError, match="NLR_API_KEY"):
            alone.with_variables(NLR_API_KEY="wrong").poll(NLR)
        live.sandbox.control("nlr", gone=True)
        with pytest.raises(UnexpectedAnswerError, match=r"https://developer\.nlr\.gov"):
            alone.poll(NLR)
        with pytest.raises(ConfigurationError, match=r"https://developer\.nlr\.gov"):
            alone.with_variables(NLR_BASE_URL="https://developer.nrel.gov").poll(NLR)
        assert live.history(NLR) == []

    def test_a_refused_key_does_not_lose_the_projects(self, live: Live) -> None:
        refused = live.with_variables(NLR_API_KEY="wrong")
        with pytest.raises(PartlyReadError, match="NLR_API_KEY"):
            refused.poll(NLR)
        assert live.count(NLR) == live.history(NLR)[0].items == OPEN_PHASES
        with pytest.raises(AuthenticationError, match="NLR_API_KEY"):
            refused.poll(NLR)
        assert live.poll(NLR).published == 4 * POINTS

    def test_plants_other_sources_gave_are_asked_about(self, live: Live) -> None:
        publish_plants(live)
        live.with_variables(NLR_POINTS_FROM_PLANTS="true").poll(NLR)
        keys = {one.key for one in live.published(NLR)}
        plant = {"solar_resource/36.12,-115.17", "pvwatts/36.12,-115.17"}
        assert plant | {"wind_toolkit_site_count/32.50,-100.40"} <= keys
        assert "pvwatts/32.50,-100.40" not in keys


def publish_plants(live: Live) -> None:
    """Canonical plants as the pipeline writes them: solar, wind, and one that was withdrawn."""
    bootstrap = live.environment["KAFKA_BOOTSTRAP"]
    delete_topics(bootstrap, [MARKET_INFRASTRUCTURE.name])
    ensure_topics(bootstrap, [MARKET_INFRASTRUCTURE], 1)
    agreed = contract(MARKET_INFRASTRUCTURE.contract_name)
    example = settings().avro_dir / "market.infrastructure" / "examples" / "valid"
    text = (example / "power_plant_of_one_source.json").read_text(encoding="utf-8")
    with Registry(live.environment["SCHEMA_REGISTRY_URL"]) as registry:
        registry.register(MARKET_INFRASTRUCTURE.subject(), agreed)
        encoder = registry.encoder(MARKET_INFRASTRUCTURE.subject(), agreed)
    producer = Producer({"bootstrap.servers": bootstrap})
    for identity, fuel, latitude, longitude, status in (
        ("a", "solar", 36.118, -115.17, "current"),
        ("b", "wind", 32.5, -100.4, "current"),
        ("c", "solar", 10.0, 10.0, "withdrawn"),
        ("d", "coal", 20.0, 20.0, "current"),
    ):
        record = to_record(agreed.parsed(), json.loads(text), complete=True)
        record |= {"record_id": identity, "status": status}
        record["power_plant"] |= {
            "primary_fuel": fuel,
            "latitude": latitude,
            "longitude": longitude,
        }
        producer.produce(MARKET_INFRASTRUCTURE.name, encoder.encode(record), identity.encode())
    assert producer.flush(30) == 0


def write_plants(path: Path, url: dict[str, str]) -> None:
    """A release of two plants; some have an address of their own."""
    rows = [
        f"DEU,Germany,Plant {name},{name},100,50.{name[-1]},9.5,Gas,{url.get(name, '')}"
        for name in ("P1", "P2")
    ]
    header = "country,country_long,name,gppd_idnr,capacity_mw,latitude,longitude,primary_fuel,url"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@contextmanager
def limited_topic(live: Live, topic: str, most_bytes: int) -> Iterator[None]:
    """A topic that takes smaller records for a while."""
    admin = AdminClient({"bootstrap.servers": live.environment["KAFKA_BOOTSTRAP"]})

    def alter(operation: AlterConfigOpType, value: str | None) -> None:
        entry = ConfigEntry("max.message.bytes", value, incremental_operation=operation)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result()

    alter(AlterConfigOpType.SET, str(most_bytes))
    try:
        yield
    finally:
        alter(AlterConfigOpType.DELETE, None)


def end_other_connections(live: Live) -> None:
    """What a restart of the database does to a running producer."""
    with psycopg.connect(live.environment["POSTGRES_DSN"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def lose_a_run(live: Live) -> None:
    """A run that publishes everything and records nothing: its database is gone at the end."""

    def lose_database(done: int, expected: int | None) -> None:
        if done == PLANTS:
            end_other_connections(live)

    with pytest.raises(CheckpointError):
        live.poll(WRI, on_progress=lose_database)


class TestGEMTransmissionConnector:
    def test_the_first_run_publishes_every_row_of_every_list(self, live: Live) -> None:
        summary = live.poll(GEM)
        published = live.published(GEM)
        assert summary.published == len(published) == summary.polled
        assert Counter(one.record.stream for one in published) == {
            "power_units": UNITS,
            "lng_terminals": LNG_UNITS,
            "substations": 600,
            "transmission_lines": 599 + 8,
            "transmission_projects": 35,
        }
        assert len({one.key for one in published}) == len(published)
        assert {one.record.item["form"] for one in published if one.record.item} == {
            *("gem_api", "gem_tracker"),
            *("grid_bus", "grid_line", "grid_link", "grid_project"),
        }
        for one in published:
            assert isinstance(GemTransmissionConnector.map_to_schema(one.record), Mapped)

    def test_a_second_run_finds_nothing_new(self, live: Live) -> None:
        live.poll(GEM)
        second = live.poll(GEM)
        assert (second.polled, second.published, second.unchanged) == (0, 0, True)

    def test_a_unit_that_is_gone_is_no_longer_listed_and_only_its_stream_is_read_again(
        self, live: Live
    ) -> None:
        live.poll(GEM)
        before = live.count(GEM)
        live.sandbox.control("gem", drop=["G900000000100"], change=["G900000000101"])
        second = live.poll(GEM)
        assert (second.polled, second.delisted) == (UNITS - 1, 1)
        later = live.published(GEM)
        assert len(later) == before + 2
        gone = [one for one in later if one.record.event == "no_longer_listed"]
        assert [(one.key, one.record.stream) for one in gone] == [("G900000000100", "power_units")]
        assert gone[0].record.attribution == "Global Energy Monitor"

    def test_a_stream_that_fails_delists_nothing_and_the_others_are_recorded(
        self, live: Live
    ) -> None:
        live.poll(GEM)
        live.sandbox.control("gem", drop=["10000"])
        broken = live.with_variables(GEM_LNG_FILE=f"{live.sandbox.url}/gem/files/moved.csv.gz")
        with pytest.raises(PartlyReadError, match=r"lng_terminals: .*404"):
            broken.poll(GEM)
        assert live.history(GEM)[0].delisted == 3
        gone = {one.key for one in live.published(GEM) if one.record.event == "no_longer_listed"}
        upgrades = {f"project:tyndp2020_upgraded_{work}:10000" for work in ("lines", "links")}
        assert gone == {"line:10000"} | upgrades
        assert live.poll(GEM).unchanged

    def test_a_stream_that_lost_more_than_a_fifth_keeps_its_records_and_the_others_go_on(
        self, live: Live, tmp_path: Path
    ) -> None:
        live.poll(GEM)
        before = live.history(GEM)[0].checkpoint
        few = tmp_path / "few.csv"
        header = "combo_id,name,status,country,lat,lng,capacity_text,facility_type"
        few.write_text(f"{header}\nT900001,Toy,operating,India,20.8,87.0,5 MTPA,import\n")
        live.sandbox.control("gem", drop=["G900000000100"])
        moved = live.with_variables(GEM_LNG_FILE=str(few), GEM_LNG_MINIMUM_ROWS="1")
        with pytest.raises(PartlyReadError, match=r"records of stream lng_terminals are not"):
            moved.poll(GEM)
        newest = live.history(GEM)[0]
        assert newest.delisted == 1
        assert newest.checkpoint["lng_terminals"] == before["lng_terminals"]
        gone = [one.key for one in live.published(GEM) if one.record.event == "no_longer_listed"]
        assert gone == ["G900000000100"]
        assert moved.poll(GEM, RunOptions(accept_loss=True)).delisted > LNG_UNITS * 0.9

    def test_a_limited_run_delists_nothing_of_the_stream_it_stopped_in(self, live: Live) -> None:
        live.poll(GEM)
        live.sandbox.control("gem", drop=["T900001", "G900000000100"])
        limited = live.poll(GEM, RunOptions(limit=LNG_UNITS + 5))
        assert (limited.polled, limited.delisted) == (LNG_UNITS + 5, 1)
        assert live.poll(GEM).delisted == 1

    @pytest.mark.real_data
    @pytest.mark.soak
    def test_the_real_lists_flow_within_the_memory_limit(
        self, stack: LocalStack, real_data: Path
    ) -> None:
        with running_sandbox(real_data) as real, live_producers(stack, real) as live:
            code, output = ended(live.start_measured(GEM))
            assert code == 0, output
            assert int(output.splitlines()[-1]) < 300_000, "kilobytes"
            assert live.count(GEM) == 37_698 + 1_291 + 11_213 + 8_807 + 250

    def test_an_unknown_asset_type_is_named(self, live: Live) -> None:
        wrong = live.with_variables(GEM_ASSET_TYPES="coal-plant cole-plant")
        with pytest.raises(PartlyReadError, match="'cole-plant'"):
            wrong.poll(GEM)
