"""Processes of the product as files for containers declare them, checked against the code."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from producers.__main__ import app as producers_cli
from producers.config import CONFIG_FOLDER, REFERENCE
from producers.sandbox.settings import SandboxSettings
from streams.__main__ import app as streams_cli
from streams.settings import PROJECT_ROOT, Settings

K8S = PROJECT_ROOT / "k8s"
PRODUCT_IMAGE = "infrastructure-streams"


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the product's own image, `${VAR:-default}` replaced by the default."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    def programs(self) -> Iterator[list[str]]:
        """Each program it runs with its arguments; those of a shell line one by one."""
        if self.command[:2] == ("sh", "-c"):
            for line in self.command[2].split("&&"):
                yield shlex.split(line)
        else:
            yield list(self.command)


def settings_names() -> set[str]:
    """Every variable that some process reads."""
    names = {name.upper() for name in Settings.model_fields} | {"CONFIG_PATH"}
    names |= {f"SANDBOX_{name.upper()}" for name in SandboxSettings.model_fields}
    for file in CONFIG_FOLDER.glob("*.yaml"):
        names |= {match["name"] for match in REFERENCE.finditer(file.read_text())}
    return names


def assert_commands_exist(service: Service) -> None:
    """Every program of a service is one of ours, with options it knows."""
    commands = {
        "streams": {_command_name(c.name, c.callback) for c in streams_cli.registered_commands},
        "producers": {_command_name(c.name, c.callback) for c in producers_cli.registered_commands},
    }
    for program in service.programs():
        match program:
            case ["python", "-m", package, command]:
                assert command in commands[package]
            case ["faust", "-A", _, "worker", *options]:
                _assert_worker_starts_up_to_help(service, program[: -len(options)], options)
            case _:
                pytest.fail(f"unknown program: {program}")


def _command_name(name: str | None, callback: object) -> str:
    return name or str(getattr(callback, "__name__", ""))


def _assert_worker_starts_up_to_help(
    service: Service, worker: list[str], options: list[str]
) -> None:
    """The app can be imported with the service's variables, and the worker knows the options."""
    answer = subprocess.run(
        [sys.executable, "-m", *worker, "--help"],
        env={**os.environ, **service.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    for option in options:
        if option.startswith("-"):
            assert re.search(rf"(^|[\s,]){re.escape(option)}[\s,]", answer.stdout), option
