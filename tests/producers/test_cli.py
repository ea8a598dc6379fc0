"""The command line, as a person or a CronJob sees it. Needs no broker."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from stamina.instrumentation import RetryDetails

from producers.__main__ import _log_retry, _repeat
from producers.errors import UnreachableError
from producers.run import RunOptions
from tests.producers.sandbox_server import Sandbox, free_port

pytestmark = pytest.mark.processes

GEM = {
    "GEM_STREAMS": "power_units",
    "GEM_ASSET_TYPES": "none",
    "GEM_GEOTHERMAL_FILE": "none",
    "GEM_AFRICA_FILE": "none",
}


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: text for name, text in os.environ.items() if name != "ALSI_API_KEY"}
    return subprocess.run(
        [sys.executable, "-m", "producers", *arguments],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_sources_are_listed_with_their_streams_and_files() -> None:
    listed = run("list")
    assert listed.returncode == 0
    for text in ("alsi_lng", "wri_powerplants", "lng_inventory", "power_plant", "alsi_lng.yaml"):
        assert text in listed.stdout


def test_a_dry_run_shows_raw_normalized_and_verdict_and_needs_no_broker(sandbox: Sandbox) -> None:
    nowhere = {
        "KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "POSTGRES_DSN": f"postgresql://127.0.0.1:{free_port()}/none",
    }
    shown = run("alsi_lng", "--dry-run", "--limit", "2", **sandbox.environment(), **nowhere)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("raw {") == 2
    assert shown.stdout.count("normalized {") == 2
    assert shown.stdout.count("verdict accepted") == 2
    assert '"gasDayStart": "2026-05-19"' in shown.stdout


def test_a_dry_run_shows_the_rule_that_rejects(tmp_path: Path) -> None:
    golden = Path(__file__).parent.parent / "golden" / "wri_powerplants"
    location = str(golden / "rows_that_cannot_be_read.csv")
    shown = run("wri_powerplants", "--dry-run", WRI_LOCATION=location, WRI_MINIMUM_ROWS="0")
    assert "verdict rejected by position_out_of_range: latitude is '330310.39'" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        (["alsi_lng"], {}, 2, "ALSI_API_KEY"),
        (["nosuch"], {}, 2, "nosuch"),
        (["checkpoints", "nosuch"], {}, 2, "known"),
        (["alsi_lng", "--every", "6x"], {}, 2, "6h"),
        (["alsi_lng", "--every", "0h"], {}, 2, "6h"),
        (["alsi_lng", "--every", "schedule"], {"ALSI_API_KEY": "k", "ALSI_SCHEDULE": "x"}, 2, "6h"),
        (["alsi_lng", "--every", "6h", "--once"], {}, 2, "exclude"),
        (["alsi_lng", "--since", "2024-02-02", "--until", "2024-02-01"], {}, 2, "after"),
        (["alsi_lng", "--since", "yesterday"], {}, 2, "yesterday"),
        (["wri_powerplants", "--since", "2024-02-02"], {}, 2, "without days"),
        (["reexplorer", "--until", "2024-02-02"], {}, 2, "without days"),
        (["wri_powerplants", "--dry-run"], {"WRI_LOCATION": "/no/file"}, 3, "/no/file"),
        (["gem_transmission", "--dry-run"], {**GEM, "GEM_POWER_FILE": "/no/file"}, 3, "/no/file"),
        (["checkpoints", "alsi_lng"], {"POSTGRES_DSN": "postgresql://127.0.0.1:1/x"}, 5, "reached"),
        (
            ["alsi_lng"],
            {"ALSI_API_KEY": "k", "POSTGRES_DSN": "postgresql://127.0.0.1:1/x"},
            5,
            "checkpoints",
        ),
    ],
)
def test_a_failure_is_one_sentence_and_an_exit_code(
    arguments: list[str], variables: Mapping[str, str], code: int, message: str
) -> None:
    ended = run(*arguments, **variables)
    assert ended.returncode == code, ended.stderr
    assert message in ended.stderr
    assert len(re.findall(r"\bERROR\b", ended.stderr)) <= 1
    assert "Traceback" not in ended.stderr


def test_a_dry_run_refuses_the_file_that_a_run_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    rows = [f"{number},Plant {number},coal,operating" for number in range(200)]
    path.write_text("\n".join(["key,plant_name,fuel,status", *rows]), encoding="utf-8")
    ended = run("gem_transmission", "--dry-run", **GEM, GEM_POWER_FILE=str(path))
    assert ended.returncode == 3, ended.stderr
    assert "another form" in ended.stderr
    assert ended.stdout == ""


def test_polling_again_and_again_survives_what_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[BaseException] = [TypeError("unforeseen"), UnreachableError("down"), SystemExit(143)]
    runs: list[str] = []

    def end(name: str, options: RunOptions) -> None:
        runs.append(name)
        raise ends.pop(0)

    monkeypatch.setattr("producers.__main__._poll", end)
    with pytest.raises(SystemExit):
        _repeat("alsi_lng", RunOptions(), timedelta())
    assert runs == ["alsi_lng"] * 3
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == [
        "alsi_lng: this run failed",
        "down",
    ]


def test_a_broker_that_does_not_answer_is_said_in_words(caplog: pytest.LogCaptureFixture) -> None:
    error = KafkaException(KafkaError(KafkaError._TIMED_OUT, "no controller"))
    _log_retry(RetryDetails("poll", (), {}, 1, 0.1, 0.0, error))
    assert caplog.messages == ["Kafka: no controller; trying again in 0.1 s"]


def test_debug_shows_requests_without_the_key(sandbox: Sandbox) -> None:
    shown = run("alsi_lng", "--dry-run", "--limit", "1", **sandbox.environment(), LOG_LEVEL="DEBUG")
    assert "GET" in shown.stderr
    assert "/alsi/api" in shown.stderr
    assert sandbox.environment()["ALSI_API_KEY"] not in shown.stderr + shown.stdout


def test_importing_the_connectors_loads_neither_web_server_nor_kafka_client() -> None:
    """The normalize stage imports them in every worker."""
    code = (
        "import sys, producers.connectors; "
        "print([m for m in ('confluent_kafka', 'uvicorn', 'starlette', 'psycopg') "
        "if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert loaded.stdout.strip() == "[]"
