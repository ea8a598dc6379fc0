"""What a run reports at its end: measured figures, durations by folder, skipped tests.

With several pytest workers each sends its figures to the process that started it.
"""

from collections import Counter, defaultdict
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Any

import pytest

_FIGURES = pytest.StashKey[list[str]]()
_FIGURES_OF_WORKER = "figures"


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Measured figures, one sentence each; shown at the end of the run."""
    return _figures(pytestconfig)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A pytest worker hands its figures over."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_FIGURES_OF_WORKER] = _figures(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the figures of a pytest worker that has ended; one that crashed has none."""
    output: dict[str, Any] = getattr(node, "workeroutput", {})
    _figures(node.config).extend(output.get(_FIGURES_OF_WORKER, []))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show figures, durations and how many tests were skipped, also when there were none."""
    for figure in _figures(config):
        terminalreporter.write_line(figure)
    tests, seconds = _by_folder(terminalreporter)
    terminalreporter.section("durations by folder")
    for folder, spent in sorted(seconds.items(), key=itemgetter(1), reverse=True):
        terminalreporter.write_line(f"{spent:7.1f} s {tests[folder]:6,} tests  {folder}")
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped tests: {skipped}")


def _by_folder(terminalreporter: pytest.TerminalReporter) -> tuple[Counter[str], dict[str, float]]:
    """Tests and seconds of each folder; a shared fixture counts where it was first used."""
    tests: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folder = str(PurePosixPath(report.nodeid.partition("::")[0]).parent)
                seconds[folder] += report.duration
                tests[folder] += report.when == "call"
    return tests, seconds


def _figures(config: pytest.Config) -> list[str]:
    return config.stash.setdefault(_FIGURES, [])
