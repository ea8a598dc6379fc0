"""What a run of the tests reports, when two processes share the modules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import PROJECT_ROOT

pytestmark = pytest.mark.processes

MODULE = """
import pytest

def test_it_measures(figures):
    figures.append("{folder}: 7 records/s")

@pytest.mark.skip
def test_of_another_day():
    pass
"""


def test_figures_of_every_process_and_durations_by_folder_are_shown(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.reporting"]\n')
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"test_{folder}.py").write_text(MODULE.format(folder=folder))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadfile"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for folder in ("one", "other"):
        assert f"{folder}: 7 records/s" in lines
        assert [line for line in lines if line.endswith(f"s 1 tests {folder}")] != [], lines
    assert "skipped tests: 2" in lines
