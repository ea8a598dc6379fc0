"""A wrong setting as a person meets it: one sentence and one exit code in every process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from producers.sandbox.settings import SandboxSettings
from streams.core.errors import SettingsError
from streams.local.ports import StackPorts
from streams.settings import EXIT_CONFIGURATION, EnvironmentSettings, Settings

pytestmark = pytest.mark.processes

STREAMS = ("-m", "streams")
PRODUCERS = ("-m", "producers")
PIPELINE = ("-m", "faust", "-A", "streams.app", "worker", "-l", "info")
SINK = ("-m", "faust", "-A", "streams.sink.app", "worker", "-l", "info")
PORT = "a whole number from 1 to 65535"


@pytest.mark.parametrize(
    ("arguments", "variable", "value", "allowed"),
    [
        ((*STREAMS, "topics"), "BATCH_RECORDS", "abc", "a whole number, 1 or more"),
        ((*STREAMS, "topics"), "LOG_LEVEL", "loud", "one of DEBUG, INFO, WARNING, ERROR"),
        ((*STREAMS, "run", "--once"), "REGISTRY_PORT", "x", PORT),
        ((*STREAMS, "run", "--once"), "SANDBOX_PORT", "99999", PORT),
        ((*STREAMS, "api"), "API_KEYS", "one:s3cret", "name:key:requests a minute"),
        ((*PRODUCERS, "alsi_lng"), "PAUSE_REJECTED_SHARE", "0", "a number above 0"),
        ((*PRODUCERS, "list"), "KAFKA_BOOTSTRAP", "kafka", "127.0.0.1:9092"),
        ((*PRODUCERS, "sandbox"), "SANDBOX_PLANTS", "many", "a whole number, 1 or more"),
        (PIPELINE, "WORKER_PORT", "x", PORT),
        (PIPELINE, "STAGES", "nosuch", "normalize-alsi_lng"),
        (PIPELINE, "TOLERANCES_FILE", "/no/file", "tolerances.yaml"),
        (PIPELINE, "AVRO_DIR", "/no/folder", "avro"),
        (SINK, "SINK_PORT", "0", PORT),
        (SINK, "CLICKHOUSE_DSN", "mysql://s3cret@host", "clickhouse://user@host:8123/default"),
        (SINK, "TOLERANCES_FILE", "/no/file", "tolerances.yaml"),
        ((*STREAMS, "topics"), "SSL_CERT_FILE", "/no/file", "certificates in PEM form"),
        ((*PRODUCERS, "alsi_lng"), "HTTPS_PROXY", "ftp://s3cret@proxy:21", "http://host:port"),
        (PIPELINE, "ALL_PROXY", "socks4://proxy:1080", "socks5://host:port"),
        (SINK, "NO_PROXY", "<local>", "10.0.0.0/8"),
        (PIPELINE, "KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "KAFKA_USERNAME and KAFKA_PASSWORD"),
        ((*PRODUCERS, "alsi_lng"), "SERVICES_CA_FILE", "/no/file", "certificates in PEM form"),
    ],
)
def test_every_process_ends_with_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], variable: str, value: str, allowed: str
) -> None:
    ended = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"DATA_DIR": str(tmp_path), "COLUMNS": "300", variable: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == EXIT_CONFIGURATION, said
    (sentence,) = [line for line in said.splitlines() if re.search(rf"\b{variable}\b", line)]
    assert allowed in sentence
    assert sentence.rstrip().endswith(".")
    assert "Traceback" not in said
    assert "s3cret" not in said


def test_the_variable_of_a_wrong_key_of_a_source_is_named(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, *PRODUCERS, "alsi_lng", "--dry-run"],
        env=os.environ | {"ALSI_API_KEY": "s3cret", "ALSI_REQUESTS_PER_MINUTE": "x"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == EXIT_CONFIGURATION
    assert "http.requests_per_minute (variable ALSI_REQUESTS_PER_MINUTE)" in ended.stderr
    assert "number" in ended.stderr
    assert "s3cret" not in ended.stderr


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_RECORDS", "abc")
    monkeypatch.setenv("SINK_PORT", "70000")
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert str(caught.value) == (
        "BATCH_RECORDS must be a whole number, 1 or more; "
        "SINK_PORT must be a whole number from 1 to 65535."
    )


@pytest.mark.parametrize("model", [Settings, SandboxSettings, StackPorts])
def test_every_variable_that_can_be_wrong_says_what_it_may_be(
    model: type[EnvironmentSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = model.model_config.get("env_prefix", "")
    for name in model.model_fields:
        with monkeypatch.context() as patch:
            patch.setenv(f"{prefix}{name.upper()}", "\N{SNOWMAN}")
            try:
                model()
            except SettingsError as error:
                said = str(error)
            else:
                continue  # every text is allowed
        allowed = r"(a (whole )?number( |, )|one of |written as ).+\."
        assert re.fullmatch(rf"{prefix}{name.upper()} must be {allowed}", said)
