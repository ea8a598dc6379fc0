"""Fixtures of the whole suite, and in which order its modules run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from streams.open_files import raise_open_files
from tests import browser, kustomize, prometheus
from tests.real_files import how_to_get, real_data_dir, scoring_script

pytest_plugins = ["tests.reporting"]

FAST_CLEANER = {
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Full sizes are for `make soak`."""
    parser.addoption("--soak", action="store_true", help="run fault and fuzz tests in full size")


_OF_MAKE = ("ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")


def pytest_configure() -> None:
    """Shells of macOS allow fewer open files than the tests' own connections take.

    What the `make` that runs the tests was told is not for the commands that they type.
    """
    raise_open_files(1024)
    for name in _OF_MAKE:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Kafka, registry and PostgreSQL on free ports, in a directory of their own; one a process."""
    with LocalStack(
        tmp_path_factory.mktemp("stack"), StackPorts.free(), kafka_properties=FAST_CLEANER
    ) as running:
        yield running


@pytest.fixture(scope="session")
def kills(pytestconfig: pytest.Config) -> int:
    """How often a test kills at random moments."""
    return 10 if pytestconfig.getoption("--soak") else 3


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real files; tests that need it are marked `real_data` and skip without it."""
    folder = real_data_dir()
    if not folder.is_dir():
        pytest.skip(how_to_get(folder))
    return folder


@pytest.fixture(scope="session")
def scoring(real_data: Path) -> Path:
    """The script that scores members against the published pairs; skips without it."""
    script = scoring_script()
    if not script.is_file():
        pytest.skip(how_to_get(script))
    return script


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Chromium; tests that need it are marked `browser` and skip without it."""
    path = browser.chromium()
    if path is None:
        assert not browser.required(), browser.HOW_TO_GET
        pytest.skip(browser.HOW_TO_GET)
    return path


def _prometheus_tool(name: str) -> str:
    path = prometheus.tool(name)
    if path is None:
        assert not prometheus.required(), prometheus.HOW_TO_GET
        pytest.skip(prometheus.HOW_TO_GET)
    return path


@pytest.fixture(scope="session")
def promtool_path() -> str:
    """The tool that checks and tests rules; marked `prometheus`, skips without it."""
    return _prometheus_tool("promtool")


@pytest.fixture(scope="session")
def prometheus_path() -> str:
    """The server; tests that need it are marked `prometheus` and skip without it."""
    return _prometheus_tool("prometheus")


@pytest.fixture(scope="session")
def kustomize_build() -> list[str]:
    """What renders manifests; tests that need it are marked `kustomize` and skip without it."""
    command = kustomize.build_command()
    if command is None:
        assert not kustomize.required(), kustomize.HOW_TO_GET
        pytest.skip(kustomize.HOW_TO_GET)
    return command


_MAY_SKIP = {
    "kustomize_build": "kustomize",
    "real_data": "real_data",
    "browser_path": "browser",
    "promtool_path": "prometheus",
    "prometheus_path": "prometheus",
}
"""Marker of the tests that may ask for a fixture that can skip."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only tests with its marker may ask for a fixture that can skip; `soak` is for soaking.

    Modules with real processes come first: they take longest, and where two processes share the
    modules (`--dist loadfile`) the short ones fill the rest.
    """
    for item in items:
        for fixture, marker in _MAY_SKIP.items():
            uses = fixture in getattr(item, "fixturenames", ())
            if uses and item.get_closest_marker(marker) is None:
                raise pytest.UsageError(f"{item.nodeid} uses {fixture} without {marker}")
    if not config.getoption("--soak"):
        items[:] = [item for item in items if item.get_closest_marker("soak") is None]
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)
