"""`make run` as a user sees it: from nothing to rows in ClickHouse, again, interrupted, killed."""

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import sample

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from producers.connectors import CONNECTORS
from streams.local.ports import is_free
from streams.settings import PROJECT_ROOT
from streams.topology import pipeline
from tests.real_files import real_data_dir

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEADLINE_SECONDS = 240.0
STOP_SECONDS = 10.0
_PORTS = (
    "KAFKA_PORT",
    "KAFKA_CONTROLLER_PORT",
    "REGISTRY_PORT",
    "POSTGRES_PORT",
    "SANDBOX_PORT",
    "WORKER_PORT",
    "SINK_PORT",
)


@dataclass(slots=True)
class Home:
    """One data directory with ports of its own, and the runs on it."""

    data_dir: Path
    variables: Mapping[str, str]
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start and return at once."""
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "run", *arguments],
            cwd=PROJECT_ROOT,
            env={**os.environ, **self.variables, "DATA_DIR": str(self.data_dir), "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def wait_for_line(self, process: subprocess.Popen[str], text: str) -> None:
        """Read a run's output until a line holds the text."""
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if text in line:
                return
        pytest.fail(f"the run ended without saying {text!r}:\n{''.join(said)}")

    def rows(self, *queries: str) -> list[list[list[str]]]:
        """Rows of each query to ClickHouse as texts, while nothing else has its directory open."""
        code = (
            "import json, sys, clickhouse_connect\n"
            "client = clickhouse_connect.get_client(dsn=sys.argv[1])\n"
            "answers = [client.query(query).result_rows for query in sys.argv[2:]]\n"
            "print(json.dumps([[[str(cell) for cell in row] for row in it] for it in answers]))\n"
        )
        dsn = f"chdb://{self.data_dir / 'clickhouse'}"
        printed = subprocess.check_output([sys.executable, "-c", code, dsn, *queries], text=True)
        answers: list[list[list[str]]] = json.loads(printed)
        return answers

    def processes(self) -> list[int]:
        """Processes that still use the data directory."""
        return [
            process.pid
            for process in psutil.process_iter(["cmdline", "environ", "cwd"])
            if str(self.data_dir) in " ".join(process.info["cmdline"] or [])
            or (process.info["environ"] or {}).get("DATA_DIR") == str(self.data_dir)
            or str(process.info["cwd"] or "").startswith(str(self.data_dir))
        ]

    def end(self) -> None:
        """Kill what a failed test left."""
        for process in self._started:
            process.kill()
            process.communicate()


def home_of_its_own(data_dir: Path, **variables: str) -> Home:
    ports = (port for port in sample(range(20_000, 32_000), 500) if is_free(port))
    chosen = {name: str(next(ports)) for name in _PORTS}
    return Home(data_dir, chosen | {"SESSION_TIMEOUT_SECONDS": "4"} | variables)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that the tests of this module use one after the other, as a user would."""
    home = home_of_its_own(tmp_path_factory.mktemp("home"), SANDBOX_DATA_DIR=str(real_data_dir()))
    yield home
    home.end()


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Home]:
    """A home with few made-up data, for tests of starting and stopping."""
    nothing = tmp_path / "no real files"
    nothing.mkdir()
    home = home_of_its_own(
        tmp_path / "home",
        SANDBOX_DATA_DIR=str(nothing),
        SANDBOX_PLANTS="2000",
        WRI_MINIMUM_ROWS="1000",
        ALSI_BACKFILL_FROM="2026-01-01",
    )
    yield home
    home.end()


def numbers(output: str, row: str) -> list[int]:
    """Figures of one row of the audit."""
    (line,) = [line for line in output.splitlines() if f"│ {row} " in line]
    return [int(text.replace(",", "")) for text in re.findall(r"[\d,]+", line.split(row)[1])]


def words(line: str) -> list[str]:
    """Words of a printed line, without figures and the directory of the run."""
    return re.findall("[A-Za-z_]+", re.sub(r"(stack in) .*", r"\1", line))


@pytest.fixture(scope="module")
def first(home: Home) -> subprocess.CompletedProcess[str]:
    """The first run of all."""
    return home.run("--once")


def test_first_run_accounts_for_every_record(
    home: Home, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stdout
    assert "Every record is accounted for." in first.stdout
    raw = numbers(first.stdout, "raw records")
    assert numbers(first.stdout, "polled in this run") == raw
    rejected = numbers(first.stdout, "outcome rejected")
    changed = numbers(first.stdout, "outcome changed")
    assert [one + other for one, other in zip(changed, rejected, strict=True)] == raw
    assert min(numbers(first.stdout, "canonical records")) > 100
    assert min(raw) > 100
    assert home.processes() == []


def test_the_readme_shows_what_a_run_prints(first: subprocess.CompletedProcess[str]) -> None:
    """Its words, line by line; figures depend on the machine and on the data."""
    recorded = (Path(__file__).parent / "first_run.txt").read_text(encoding="utf-8").splitlines()
    printed = [words(line) for line in first.stdout.splitlines()]
    assert [line for line in recorded[:-1] if words(line) not in printed] == []


def test_the_readme_shows_a_query_that_is_answered(
    home: Home, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stdout
    recorded = (Path(__file__).parent / "first_query.txt").read_text(encoding="utf-8")
    query = re.search(r'QUERY="(.*?)"\n', recorded, re.S)
    assert query
    answer = ask(home, query[1], format_="table").stdout.splitlines()
    shown = recorded[query.end() :].splitlines()
    assert words(answer[0]) == words(shown[0])
    assert len(answer) == len(shown)


@pytest.mark.real_data
def test_real_files_flow_through_whole(
    real_data: Path, first: subprocess.CompletedProcess[str]
) -> None:
    # The EU since 2012; 60 days of 12 countries and of 35 terminals; 38 terminals listed.
    assert numbers(first.stdout, "raw records") == [5_253 + 47 * 60 + 38, 59_259, 375, 34_936]
    assert numbers(first.stdout, "outcome rejected") == [0, 44, 0, 0]
    found = dict(re.findall(r"ClickHouse, current (\w+): ([\d,]+)", first.stdout))
    as_listed = {
        "lng_inventory": "8,073",
        "renewable_resource": "24",
        "substation": "8,807",
        "transmission_line": "11,213",
        "transmission_project": "250",
    }
    assert found.items() >= as_listed.items()


@pytest.mark.real_data
def test_plants_and_terminals_of_several_sources_become_one(
    home: Home, real_data: Path, first: subprocess.CompletedProcess[str]
) -> None:
    """Units of one plant, and what two sources say about one plant or terminal."""
    assert first.returncode == 0, first.stdout
    of_both = "hasAll(source_ids, ['gem_transmission', '{}'])"
    plants, terminals, several = home.rows(
        f"SELECT count() FROM power_plants WHERE {of_both.format('wri_powerplants')}",
        f"SELECT count() FROM lng_terminals WHERE {of_both.format('alsi_lng_inventory')}",
        "SELECT count() FROM power_plants WHERE length(units) > 1",
    )
    assert int(plants[0][0]) > 5_000
    assert 25 < int(terminals[0][0]) <= 38
    assert int(several[0][0]) > 3_000


@pytest.mark.real_data
def test_flags_of_every_stage_reach_the_tables(
    home: Home, real_data: Path, first: subprocess.CompletedProcess[str]
) -> None:
    """Of the record itself, of its neighbours, across scopes; and what is derived of them."""
    assert first.returncode == 0, first.stdout
    eu = "FROM lng_inventory WHERE scope = 'eu'"
    of_plants, of_days, unloadings, outcomes = home.rows(
        "SELECT arrayJoin(flags), count() FROM power_plants GROUP BY 1",
        f"SELECT arrayJoin(flags), count() {eu} GROUP BY 1",
        f"SELECT count(ship_unloading_gwh) {eu}",
        "SELECT count() FROM record_outcomes WHERE has(flags, 'energy_against_volume')",
    )
    plants, days = dict(of_plants), dict(of_days)
    assert (plants["generation_above_capacity"], plants["position_swapped"]) == ("87", "3")
    expected = {"energy_against_volume": "1620", "inventory_jump": "10", "next_day_overdue": "1"}
    assert days.items() >= expected.items()
    assert unloadings == [["5252"]]
    assert outcomes == [["1620"]]


_SCORES = """
SELECT count(), uniqExact(source_id), countIf(
    stream.record_count != query.record_count OR stream.failed_count != query.failed_count
    OR abs(stream.score - query.score) > 1e-9
)
FROM quality_scores AS stream
FULL JOIN quality_recomputed AS query USING (source_id, window_start, dimension)"""


def assert_scores_of_stream_and_query_agree(home: Home) -> None:
    failed_scores = "SELECT count() FROM quality_scores WHERE failed_count > 0"
    ((windows, sources, differing),), ((failed,),) = home.rows(_SCORES, failed_scores)
    assert int(windows) >= 4 * 6
    assert (sources, differing) == ("4", "0")
    assert int(failed) > 4


def test_scores_of_the_stream_are_those_of_the_query(
    home: Home, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stdout
    assert_scores_of_stream_and_query_agree(home)


def test_second_run_publishes_nothing_new(
    home: Home, first: subprocess.CompletedProcess[str]
) -> None:
    second = home.run("--once")
    assert second.returncode == 0, second.stdout
    assert "gem_transmission: unchanged since the last run" in second.stdout
    assert "wri_powerplants: unchanged since the last run" in second.stdout
    assert "reexplorer: unchanged since the last run" in second.stdout
    assert numbers(second.stdout, "outcome changed") == numbers(first.stdout, "outcome changed")
    alsi_polled = numbers(second.stdout, "polled in this run")[0]
    assert numbers(second.stdout, "outcome unchanged")[0] == alsi_polled
    assert_scores_of_stream_and_query_agree(home)


SOURCES = {"alsi_lng_inventory", "gem_transmission", "reexplorer", "wri_powerplants"}


def samples(home: Home, port: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a worker's metrics, by name and labels."""
    text = httpx.get(f"http://127.0.0.1:{home.variables[port]}/metrics", timeout=60).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def assert_metrics(home: Home) -> None:
    """What dashboards and alerts ask for is there, after a start on data of an earlier run too."""
    worker, sink = samples(home, "WORKER_PORT"), samples(home, "SINK_PORT")

    def by_source(name: str) -> dict[str, float]:
        return {
            dict(labels)["source_id"]: one for (at, labels), one in worker.items() if at == name
        }

    assert by_source("connector_up") == dict.fromkeys(SOURCES, 1)
    assert set(by_source("connector_last_event_time")) == SOURCES
    assert by_source("connector_api_rate_limit_hits") == dict.fromkeys(SOURCES, 0)
    assert set(by_source("connector_records_processed")) <= SOURCES
    assert all(0 < score <= 100 for score in by_source("connector_data_quality_score").values())
    assert set(by_source("connector_data_quality_score")) == SOURCES
    assert any(value > 0 for value in by_source("connector_validation_failures").values())
    lags = [value for (name, _), value in worker.items() if name == "consumer_lag_records"]
    assert len(lags) > 20
    assert sum(lags) == 0
    assets = {
        dict(labels)["type"]: value
        for (name, labels), value in sink.items()
        if name == "infrastructure_assets_total"
    }
    assert set(assets) >= {"power_plant", "lng_terminal", "substation"}
    assert min(assets.values()) > 0


def ask(home: Home, query: str, *, format_: str = "csv") -> subprocess.CompletedProcess[str]:
    """What `make sql` runs."""
    return subprocess.run(
        [sys.executable, "-m", "streams", "sql", "--format", format_, query],
        env={**os.environ, **home.variables, "DATA_DIR": str(home.data_dir), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


def assert_queries_are_answered(home: Home, asked_of_the_sink: bool) -> None:
    """Through the sink's worker while it has the engine open, by the command itself otherwise."""
    plants = ask(home, "SELECT count() AS plants FROM power_plants")
    assert plants.returncode == 0, plants.stderr
    heading, count = plants.stdout.splitlines()
    assert heading == '"plants"'
    assert int(count) > 1000
    refused = ask(home, "DROP TABLE store_power_plants_versions")
    assert refused.returncode == 3
    assert refused.stdout == ""
    assert "Only one SELECT" in refused.stderr
    long = ask(home, "SELECT number FROM numbers(1000000)")
    assert "add LIMIT" in long.stderr
    assert ask(home, "").stdout.count("power_plants") >= 3
    elsewhere = dataclasses.replace(home, variables={**home.variables, "SINK_PORT": "1"})
    without_sink = ask(elsewhere, "SELECT 1")
    assert without_sink.returncode == (3 if asked_of_the_sink else 0)
    assert ("SINK_PORT=<port>" in without_sink.stderr) == asked_of_the_sink


def assert_only_this_machine_is_answered(home: Home) -> None:
    url = f"http://127.0.0.1:{home.variables['SINK_PORT']}/query"
    other_name = httpx.post(url, content="SELECT 1", headers={"Host": "site.example"})
    assert (other_name.status_code, "CLICKHOUSE_DSN" in other_name.text) == (403, True)
    assert httpx.post(url, content="SELECT 1", params={"format": "xml"}).status_code == 400
    assert httpx.get(url).status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert json.loads(httpx.post(url, content="SELECT 1 AS a", params={"format": "json"}).text) == [
        {"a": 1}
    ]


def assert_logs_name_agents_and_no_requests(home: Home) -> None:
    logs = {name: (home.data_dir / f"logs/{name}.log").read_text() for name in ("pipeline", "sink")}
    for stage in pipeline(CONNECTORS):
        assert f"Agent: {stage.name}]" in logs["pipeline"]
    assert "Agent: load-market.infrastructure]" in logs["sink"]
    for log in logs.values():
        assert "_reader" not in log
        assert "HTTP Request" not in log


def test_killed_run_can_be_started_again_and_interrupted(small_home: Home) -> None:
    home = small_home
    killed = home.start()
    home.wait_for_line(killed, "the pipeline worker:")
    killed.kill()
    killed.communicate(timeout=DEADLINE_SECONDS)
    again = home.start()
    home.wait_for_line(again, "Everything runs.")
    assert_metrics(home)
    assert_queries_are_answered(home, asked_of_the_sink=True)
    assert_only_this_machine_is_answered(home)
    assert_logs_name_agents_and_no_requests(home)
    began = time.monotonic()
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=DEADLINE_SECONDS)
    assert time.monotonic() - began < STOP_SECONDS
    assert again.returncode == 0
    assert home.processes() == []
    assert_queries_are_answered(home, asked_of_the_sink=False)


def test_a_query_before_there_are_data_says_how_to_get_some(small_home: Home) -> None:
    refused = ask(small_home, "SELECT 1")
    assert refused.returncode == 3
    assert "make run" in refused.stderr
    assert not small_home.data_dir.exists()


def test_port_in_use_is_said_in_one_sentence(small_home: Home) -> None:
    home = small_home
    with socket.create_server(("127.0.0.1", int(home.variables["REGISTRY_PORT"]))):
        refused = home.run("--once")
    assert refused.returncode == 3
    said = " ".join(refused.stdout.split())
    assert f"Port {home.variables['REGISTRY_PORT']}" in said
    assert "REGISTRY_PORT=<port>" in said
    assert home.processes() == []
