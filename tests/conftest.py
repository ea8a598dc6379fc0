"""Fixtures of the whole suite: the real local stack, started once for each run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.ports import StackPorts
from streams.local.stack import LocalStack
from tests.real_files import how_to_get, real_data_dir, scoring_script

FAST_CLEANER = {
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Full sizes are for `make soak`."""
    parser.addoption("--soak", action="store_true", help="run fault and fuzz tests in full size")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Kafka, registry and PostgreSQL on free ports, in a directory of their own."""
    with LocalStack(
        tmp_path_factory.mktemp("stack"), StackPorts.free(), kafka_properties=FAST_CLEANER
    ) as running:
        yield running


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only tests marked `real_data` may ask for the fixtures that can skip."""
    for item in items:
        uses = "real_data" in getattr(item, "fixturenames", ())
        if uses and item.get_closest_marker("real_data") is None:
            raise pytest.UsageError(f"{item.nodeid} uses real_data without the marker")


FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Measured figures, one sentence each; shown at the end of the run."""
    return pytestconfig.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the measured figures and how many tests were skipped, also when there were none."""
    for figure in config.stash.get(FIGURES, []):
        terminalreporter.write_line(figure)
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped tests: {skipped}")
