"""`make run` as a user sees it: from nothing to rows in ClickHouse, again, interrupted, killed."""

import dataclasses
import gzip
import hashlib
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
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from producers.connectors import CONNECTORS
from streams.settings import PROJECT_ROOT
from streams.topology import pipeline
from tests.few_countries import cut_down_sources
from tests.free_ports import free_ports
from tests.real_files import real_data_dir

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEADLINE_SECONDS = 420.0
STOP_SECONDS = 10.0
_FEW_PLANTS = {"SANDBOX_PLANTS": "2000", "WRI_MINIMUM_ROWS": "1000"}
_PORTS = (
    "KAFKA_PORT",
    "KAFKA_CONTROLLER_PORT",
    "REGISTRY_PORT",
    "POSTGRES_PORT",
    "SANDBOX_PORT",
    "WORKER_PORT",
    "SINK_PORT",
    "API_PORT",
)


@dataclass(slots=True)
class Home:
    """One data directory with ports of its own, and the runs on it."""

    data_dir: Path
    variables: Mapping[str, str]
    umask: int = -1
    command: str = "run"
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start and return at once."""
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", self.command, *arguments],
            cwd=PROJECT_ROOT,
            env={**os.environ, **self.variables, "DATA_DIR": str(self.data_dir), "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            umask=self.umask,
        )
        self._started.append(process)
        return process

    def wait_for_line(self, process: subprocess.Popen[str], text: str) -> str:
        """Read a run's output until a line holds the text; returns what was read."""
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if text in line:
                return "".join(said)
        pytest.fail(f"the run ended without saying {text!r}:\n{''.join(said)}")

    def rows(self, query: str) -> list[list[Any]]:
        """Rows of a query to the sink of what runs here."""
        url = f"http://127.0.0.1:{self.variables['SINK_PORT']}/query"
        answer = httpx.post(url, content=query, params={"format": "json"}, timeout=60)
        return [list(row.values()) for row in answer.raise_for_status().json()]

    def environment(self) -> dict[str, str]:
        """What commands need to find the services of a run."""
        ports = self.variables
        return {
            **ports,
            "DATA_DIR": str(self.data_dir),
            "KAFKA_BOOTSTRAP": f"127.0.0.1:{ports['KAFKA_PORT']}",
            "SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{ports['REGISTRY_PORT']}/apis/ccompat/v7",
        }

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
    ports = free_ports()
    chosen = {name: str(next(ports)) for name in _PORTS}
    while str(int(chosen["WORKER_PORT"]) + 10) in chosen.values():  # of a second worker
        chosen["WORKER_PORT"] = str(next(ports))
    return Home(data_dir, chosen | {"SESSION_TIMEOUT_SECONDS": "4"} | variables)


@pytest.fixture(scope="module")
def source_files(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The real files, of a few countries only but in full size; no folder where there are none."""
    folder = real_data_dir()
    if not folder.is_dir() or pytestconfig.getoption("--soak"):
        return folder
    return cut_down_sources(folder, tmp_path_factory.mktemp("source files"))


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, source_files: Path, pytestconfig: pytest.Config
) -> Iterator[Home]:
    """A home that the tests of this module use one after the other, on an awkward machine.

    A proxy that must not be asked about this machine, closed to other users, the C locale, a path
    beyond ASCII.
    """
    few = {} if pytestconfig.getoption("--soak") else _FEW_PLANTS
    home = home_of_its_own(
        tmp_path_factory.mktemp("home") / "Übertragungsnetz",
        LC_ALL="C",
        HTTP_PROXY="http://127.0.0.1:1",
        NO_PROXY="[fd00::1],fd00::/8",
        SANDBOX_DATA_DIR=str(source_files),
        **few,
    )
    home.umask = 0o077
    yield home
    home.end()


@pytest.fixture
def unused_home(tmp_path: Path) -> Home:
    """A home where nothing ever ran."""
    return home_of_its_own(tmp_path / "unused")


def numbers(output: str, row: str) -> list[int]:
    """Figures of one row of the audit."""
    (line,) = [line for line in output.splitlines() if f"│ {row} " in line]
    return [int(text.replace(",", "")) for text in re.findall(r"[\d,]+", line.split(row)[1])]


def words(line: str) -> list[str]:
    """Words of a printed line, without figures, the directory and what real files leave out."""
    line = re.sub(r"(stack in) .*", r"\1", line)
    return re.findall("[A-Za-z_]+", re.sub(r", [\d,]+ left out", "", line))


@pytest.fixture(scope="module")
def started(home: Home) -> tuple[subprocess.Popen[str], str]:
    """The first run to the end of its audit, with what it has said; one before it was killed."""
    killed = home.start()
    home.wait_for_line(killed, "the pipeline worker:")
    killed.kill()
    killed.communicate(timeout=DEADLINE_SECONDS)
    running = home.start("--workers", "2")
    return running, home.wait_for_line(running, "curl ")


@pytest.fixture(scope="module")
def said(started: tuple[subprocess.Popen[str], str]) -> str:
    """What the first run says; it runs on meanwhile."""
    return started[1]


def test_a_first_run_after_a_killed_one_accounts_for_every_record(said: str) -> None:
    assert "Every record is accounted for." in said
    assert "the pipeline worker 2: " in said
    raw = numbers(said, "raw records")
    assert numbers(said, "polled in this run") == raw
    rejected = numbers(said, "outcome rejected")
    changed = numbers(said, "outcome changed")
    assert [one + other for one, other in zip(changed, rejected, strict=True)] == raw
    assert min(numbers(said, "canonical records")) > 50
    assert min(raw) > 50


def test_the_readme_shows_what_a_run_prints(said: str) -> None:
    """Its words, line by line; figures depend on the machine and on the data."""
    recorded = (Path(__file__).parent / "first_run.txt").read_text(encoding="utf-8").splitlines()
    printed = [words(line) for line in said.splitlines()]
    assert [line for line in recorded if words(line) not in printed] == []


@pytest.mark.usefixtures("said")
def test_the_readme_shows_a_query_that_is_answered(home: Home) -> None:
    recorded = (Path(__file__).parent / "first_query.txt").read_text(encoding="utf-8")
    query = re.search(r'QUERY="(.*?)"\n', recorded, re.S)
    assert query
    answer = ask(home, query[1], format_="table").stdout.splitlines()
    shown = recorded[query.end() :].splitlines()
    assert words(answer[0]) == words(shown[0])
    assert len(answer) == len(shown)


@dataclass(frozen=True, slots=True)
class OfPlants:
    """What the files say about plants.

    Attributes:
        resource_records: Raw records of the resource at plants, and of planned phases.
        of_both: Least number of plants that GEM and WRI both list.
        of_units: Least number of plants of several units.
        flags: Records by flag.
    """

    resource_records: int
    of_both: int
    of_units: int
    flags: dict[str, int]


OF_ALL_COUNTRIES = OfPlants(
    375, 5_000, 3_000, {"generation_above_capacity": 103, "position_swapped": 3}
)
OF_FEW_COUNTRIES = OfPlants(74, 300, 300, {"generation_above_capacity": 6})


@pytest.fixture
def of_plants(pytestconfig: pytest.Config) -> OfPlants:
    return OF_ALL_COUNTRIES if pytestconfig.getoption("--soak") else OF_FEW_COUNTRIES


def rows_of(folder: Path, *names: str) -> int:
    """Rows of CSV files below their headings; none has a line break in a cell."""
    return sum(
        (gzip.decompress if name.endswith(".gz") else bytes)((folder / name).read_bytes())
        .rstrip(b"\n")
        .count(b"\n")
        for name in names
    )


@pytest.mark.real_data
def test_real_files_flow_through_whole(
    real_data: Path,
    source_files: Path,
    said: str,
    of_plants: OfPlants,
) -> None:
    power, lng = "gem/gem_units_complete.csv.gz", "gem/gem_lng_units_complete.csv.gz"
    grid = source_files / "transmission/entsoegridkit"
    projects = source_files / "transmission/projects"
    substations = rows_of(grid, "buses.csv")
    lines = rows_of(grid, "lines.csv", "links.csv")
    planned = rows_of(projects, *(path.name for path in projects.iterdir()))
    listed = rows_of(source_files, power, lng) + substations + lines + planned
    plants = rows_of(source_files, "wri/global_power_plant_database.csv")
    # The EU since 2012; 60 days of 12 countries and of 35 terminals; 38 terminals listed.
    assert numbers(said, "raw records") == [
        5_253 + 47 * 60 + 38,
        listed,
        of_plants.resource_records,
        plants,
    ]
    found = dict(re.findall(r"ClickHouse, current (\w+): ([\d,]+)", said))
    as_listed = {
        "lng_inventory": "8,073",
        "renewable_resource": "24",
        "substation": f"{substations:,}",
        "transmission_line": f"{lines:,}",
        "transmission_project": f"{planned:,}",
    }
    assert found.items() >= as_listed.items()


@pytest.mark.real_data
def test_plants_and_terminals_of_several_sources_become_one(
    home: Home, real_data: Path, said: str, of_plants: OfPlants
) -> None:
    """Units of one plant, and what two sources say about one plant or terminal."""
    assert numbers(said, "outcome rejected") == [0, 0, 0, 0]
    of_both = "countIf(hasAll(source_ids, ['gem_transmission', '{}']))"
    ((plants, several),) = home.rows(
        f"SELECT {of_both.format('wri_powerplants')} AS of_both, "
        "countIf(length(units) > 1) AS several FROM power_plants"
    )
    ((terminals,),) = home.rows(
        f"SELECT {of_both.format('alsi_lng_inventory')} AS of_both FROM lng_terminals"
    )
    assert int(plants) > of_plants.of_both
    assert 25 < int(terminals) <= 38
    assert int(several) > of_plants.of_units


@pytest.mark.real_data
@pytest.mark.usefixtures("said")
def test_flags_of_every_stage_reach_the_tables(
    home: Home, real_data: Path, of_plants: OfPlants
) -> None:
    """Of the record itself, of its neighbours, across scopes; and what is derived of them."""
    eu = "FROM lng_inventory WHERE scope = 'eu'"
    plants = home.rows(
        "SELECT arrayJoin(flags) AS flag, count() AS records FROM power_plants GROUP BY 1"
    )
    of_days = home.rows(f"SELECT arrayJoin(flags) AS flag, count() AS records {eu} GROUP BY 1")
    unloadings = home.rows(f"SELECT count(ship_unloading_gwh) AS days {eu}")
    outcomes = home.rows(
        "SELECT count() AS records FROM record_outcomes WHERE has(flags, 'energy_against_volume')"
    )
    assert counts(plants).items() >= of_plants.flags.items()
    expected = {"energy_against_volume": 1620, "inventory_jump": 10, "next_day_overdue": 1}
    assert counts(of_days).items() >= expected.items()
    assert unloadings == [[5252]]
    assert outcomes == [[1620]]


def counts(rows: list[list[Any]]) -> dict[str, int]:
    return {name: int(count) for name, count in rows}


_SCORES = """
SELECT count() AS windows, uniqExact(source_id) AS sources, countIf(
    stream.record_count != query.record_count OR stream.failed_count != query.failed_count
    OR abs(stream.score - query.score) > 1e-9
) AS differing
FROM quality_scores AS stream
FULL JOIN quality_recomputed AS query USING (source_id, window_start, dimension)"""


@pytest.mark.usefixtures("said")
def test_scores_of_the_stream_are_those_of_the_query(home: Home) -> None:
    ((windows, sources, differing),) = home.rows(_SCORES)
    ((failed,),) = home.rows("SELECT count() AS failed FROM quality_scores WHERE failed_count > 0")
    assert int(windows) >= 4 * 6
    assert (int(sources), int(differing)) == (4, 0)
    assert int(failed) > 4


SOURCES = {"alsi_lng_inventory", "gem_transmission", "reexplorer", "wri_powerplants"}


def samples(asked: str, *ports: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of some workers, by name and labels, once one of them has what is asked for.

    What is about the whole deployment one worker says, whichever that is.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    text = ""
    while f"{asked}{{" not in text:
        assert time.monotonic() < deadline, text
        pages = [httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text for port in ports]
        text = "".join(pages)
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                name = sample.name, frozenset(sample.labels.items())
                found[name] = max(sample.value, found.get(name, sample.value))
    return found


@pytest.mark.usefixtures("said")
def test_what_dashboards_and_alerts_ask_for_is_there(home: Home) -> None:
    first, sink_port = int(home.variables["WORKER_PORT"]), int(home.variables["SINK_PORT"])
    worker = samples("consumer_lag_records", first, first + 10)
    sink = samples("infrastructure_assets_total", sink_port)

    def by_source(name: str) -> dict[str, float]:
        return {
            dict(labels)["source_id"]: one for (at, labels), one in worker.items() if at == name
        }

    assert by_source("connector_up") == dict.fromkeys(SOURCES, 1)
    assert set(by_source("connector_last_event_time")) == SOURCES
    assert by_source("connector_api_rate_limit_hits") == dict.fromkeys(SOURCES, 0)
    assert set(by_source("connector_records_processed")) == SOURCES
    assert min(by_source("connector_records_processed").values()) > 0
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


@pytest.mark.usefixtures("said")
def test_queries_are_answered_through_the_sink(home: Home) -> None:
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
    assert without_sink.returncode == 3
    assert "SINK_PORT=<port>" in without_sink.stderr


@pytest.mark.usefixtures("said")
def test_a_gas_day_is_followed(home: Home) -> None:
    """By terminal and day: from the poll to the row that the sink has loaded."""
    newest = "SELECT max(gas_day) FROM lng_inventory_days WHERE series_id = 'ES_BARCELONA'"
    day = ask(home, newest).stdout.splitlines()[1].strip('"')
    printed = subprocess.run(
        [sys.executable, "-m", "streams", "trace", "ES_BARCELONA", "--day", day, "--json"],
        env={**os.environ, **home.environment()},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert printed.returncode == 0, printed.stderr
    followed = json.loads(printed.stdout)
    (raw,) = followed["raw"]
    stages = [step["stage"] for step in raw["steps"]]
    assert stages[:2] == ["polled", "raw"]
    assert {"normalized", "outcome"} <= set(stages)
    times = [step["time"] for step in raw["steps"]]
    assert times == sorted(times)
    (canonical,) = followed["canonical"]
    published, stored = (
        {step["detail"]["version"] for step in canonical["steps"] if step["stage"] == stage}
        for stage in ("canonical", "ClickHouse")
    )
    assert published == stored
    assert followed["notes"] == []


def exported(home: Home, name: str) -> dict[str, bytes]:
    """What `make export` writes; its dictionary says so."""
    folder = home.data_dir.parent / name
    ended = subprocess.run(
        [sys.executable, "-m", "streams", "export", str(folder)],
        env={**os.environ, **home.environment()},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    package = json.loads(files["datapackage.json"])
    assert {one["path"] for one in package["resources"]} == files.keys() - {"datapackage.json"}
    assert [one["hash"] for one in package["resources"]] == [
        f"sha256:{hashlib.sha256(files[one['path']]).hexdigest()}" for one in package["resources"]
    ]
    return files


@pytest.mark.usefixtures("said")
def test_only_this_machine_is_answered(home: Home) -> None:
    url = f"http://127.0.0.1:{home.variables['SINK_PORT']}/query"
    other_name = httpx.post(url, content="SELECT 1", headers={"Host": "site.example"})
    assert (other_name.status_code, "CLICKHOUSE_DSN" in other_name.text) == (403, True)
    assert httpx.post(url, content="SELECT 1", params={"format": "xml"}).status_code == 400
    assert httpx.get(url).status_code == httpx.codes.METHOD_NOT_ALLOWED
    view = f"http://127.0.0.1:{home.variables['SINK_PORT']}/views/power_plants"
    assert httpx.get(view, headers={"Host": "site.example"}).status_code == 403
    assert httpx.get(f"{view}_of_mine").status_code == 404
    assert json.loads(httpx.post(url, content="SELECT 1 AS a", params={"format": "json"}).text) == [
        {"a": 1}
    ]


@pytest.mark.usefixtures("said")
def test_the_api_answers_from_the_process_of_the_sink(home: Home) -> None:
    url = f"http://127.0.0.1:{home.variables['API_PORT']}"
    assert httpx.get(f"{url}/ready").json()["ready"]
    resources = f"{url}/infrastructure/api/v1/infrastructure"
    answer = httpx.get(f"{resources}/power-plants", params={"limit": 1, "total": "true"}).json()
    assert answer["total"] > 1000
    (plant,) = answer["data"]
    why = httpx.get(f"{resources}/assets/{plant['record_id']}/why", params={"field": "name"})
    assert why.json()["value"] == plant["name"]
    pipeline = httpx.get(f"{resources}/pipeline", timeout=30).json()
    assert (pipeline["unavailable"], pipeline["paused"]) == ({}, {})
    assert sum(partition["records"] for partition in pipeline["lag"]) == 0
    sources = httpx.get(f"{resources}/sources", timeout=30).json()["data"]
    assert {source["source_id"] for source in sources} == SOURCES
    assert all(source["up"] and source["next_run_at"] for source in sources)


@pytest.mark.usefixtures("said")
def test_the_page_shows_the_running_pipeline_and_a_record_on_its_way(home: Home) -> None:
    url = f"http://127.0.0.1:{home.variables['API_PORT']}"
    now = httpx.get(f"{url}/pipeline", timeout=30).text
    assert "is not known at the moment" not in now
    assert all(f">{stage.name}</text>" in now for stage in pipeline(CONNECTORS))
    plants = f"{url}/infrastructure/api/v1/infrastructure/power-plants"
    (plant,) = httpx.get(plants, params={"limit": 1}).json()["data"]
    asset = httpx.get(f"{url}/assets/{plant['record_id']}", timeout=30).text
    place = re.search(r'href="/records/(raw\.\w+/\d+/\d+)"', asset)
    assert place
    assert "only in Kafka" not in asset
    followed = httpx.get(f"{url}/pipeline", params={"trace": place[1]}, timeout=60).text
    assert "could not be followed" not in followed
    assert f"/assets/{plant['record_id']}" in followed
    assert "polled" in followed


@pytest.mark.usefixtures("said")
def test_logs_name_agents_and_no_requests(home: Home) -> None:
    logs = {name: (home.data_dir / f"logs/{name}.log").read_text() for name in ("pipeline", "sink")}
    for stage in pipeline(CONNECTORS):
        assert f"Agent: {stage.name}]" in logs["pipeline"]
    assert "Agent: load-market.infrastructure]" in logs["sink"]
    for log in logs.values():
        assert "_reader" not in log
        assert "HTTP Request" not in log


@pytest.fixture(scope="module")
def interrupted(
    home: Home, started: tuple[subprocess.Popen[str], str]
) -> tuple[dict[str, bytes], float]:
    """What was exported while the first run went on, and how long its end took after Ctrl-C."""
    running, _ = started
    through_the_sink = exported(home, "through the sink")
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=DEADLINE_SECONDS)
    seconds = time.monotonic() - began
    assert running.returncode == 0
    return through_the_sink, seconds


def test_an_interrupted_run_ends_soon_and_its_data_can_be_asked(
    home: Home, interrupted: tuple[dict[str, bytes], float]
) -> None:
    through_the_sink, seconds = interrupted
    assert seconds < STOP_SECONDS
    assert home.processes() == []
    assert ask(home, "SELECT 1 AS a").stdout.split() == ['"a"', "1"]
    # Loaded or merged since: the bytes are the same.
    assert exported(home, "by the command") == through_the_sink


@pytest.mark.usefixtures("interrupted")
def test_a_second_run_publishes_nothing_new(home: Home, said: str) -> None:
    second = home.run("--once")
    assert second.returncode == 0, second.stdout
    for name in ("gem_transmission", "wri_powerplants", "reexplorer"):
        assert f"{name}: unchanged since the last run" in second.stdout
    alsi_polled = numbers(second.stdout, "polled in this run")[0]
    assert alsi_polled > 0
    assert f"{alsi_polled:,} items, {alsi_polled:,} as before" in second.stdout
    assert numbers(second.stdout, "outcome unchanged")[0] == 0
    assert numbers(second.stdout, "raw records") == numbers(said, "raw records")
    assert numbers(second.stdout, "outcome changed") == numbers(said, "outcome changed")
    assert home.processes() == []


def test_a_query_before_there_are_data_says_how_to_get_some(unused_home: Home) -> None:
    refused = ask(unused_home, "SELECT 1")
    assert refused.returncode == 3
    assert "make run" in refused.stderr
    assert not unused_home.data_dir.exists()


def test_port_in_use_is_said_in_one_sentence(unused_home: Home) -> None:
    home = unused_home
    with socket.create_server(("127.0.0.1", int(home.variables["REGISTRY_PORT"]))):
        refused = home.run("--once")
    assert refused.returncode == 3
    said = " ".join(refused.stdout.split())
    assert f"Port {home.variables['REGISTRY_PORT']}" in said
    assert "REGISTRY_PORT=<port>" in said
    assert home.processes() == []
