"""Fixtures of the whole suite, and in which order its modules run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from tests.real_files import how_to_get, real_data_dir, scoring_script

pytest_plugins = ["tests.reporting"]

FAST_CLEANER = {
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Full sizes are for `make soak`."""
    parser.addoption("--soak", action="store_true", help="run fault and fuzz tests in full size")


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only tests marked `real_data` may ask for the fixtures that can skip.

    Modules with real processes come first: they take longest, and where two processes share the
    modules (`--dist loadfile`) the short ones fill the rest.
    """
    for item in items:
        uses = "real_data" in getattr(item, "fixturenames", ())
        if uses and item.get_closest_marker("real_data") is None:
            raise pytest.UsageError(f"{item.nodeid} uses real_data without the marker")
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)
