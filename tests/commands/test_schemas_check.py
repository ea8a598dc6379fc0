"""`make schemas-check` finds nothing wrong only where there is something to check."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import EXIT_CONFIGURATION

pytestmark = pytest.mark.processes


def schemas_check(**variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "streams", "schemas-check"],
        env=os.environ | {"COLUMNS": "300"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("folder", ["empty", "missing", "contracts without versions"])
def test_a_folder_without_contracts_is_refused_with_what_to_set(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "contracts without versions/market.infrastructure").mkdir(parents=True)
    ended = schemas_check(AVRO_DIR=str(tmp_path / folder))
    assert ended.returncode == EXIT_CONFIGURATION
    (sentence,) = ended.stdout.splitlines()
    assert sentence.startswith(f"AVRO_DIR names {tmp_path / folder}, which holds no contracts")
    assert "set it to" in sentence


def test_our_own_contracts_are_as_frozen() -> None:
    ended = schemas_check()
    assert ended.returncode == 0, ended.stdout
    assert "as frozen" in ended.stdout
