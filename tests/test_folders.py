"""Folders that cannot be used: one sentence in every process, and another one to choose."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.core.errors import SettingsError
from streams.folders import writable_folder
from streams.settings import EXIT_CONFIGURATION

pytestmark = pytest.mark.processes

STREAMS = ("-m", "streams", "run")
SINK = ("-m", "faust", "-A", "streams.sink.app", "worker", "-l", "info")
CLOSED = Path("/sys" if sys.platform == "linux" else "/System")
"""Where not even root can write."""


def test_a_folder_is_made(tmp_path: Path) -> None:
    assert writable_folder(tmp_path / "one" / "other", "DATA_DIR").is_dir()


def test_what_cannot_be_a_folder_is_said_with_the_setting_to_change(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, reason in (
        (file, "is a file"),
        (file / "folder", "is below a file"),
        (CLOSED / "folder", "cannot be written into|can only be read"),
        (CLOSED, "cannot be written into|can only be read"),
    ):
        with pytest.raises(SettingsError, match=rf"^{path} .*({reason}).*: .*DATA_DIR=<path>\.$"):
            writable_folder(path, "DATA_DIR")


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (STREAMS, {"DATA_DIR": "{file}"}, "{file} is a file: .* DATA_DIR="),
        (STREAMS, {"HOME": "{file}"}, "{file}/.* is below a file: .* PARTS_DIR="),
        (SINK, {"DATA_DIR": f"{CLOSED}/folder"}, f"{CLOSED}/folder/.*: .* STATE_DIR or DATA_DIR="),
    ],
)
def test_a_process_whose_folder_cannot_be_used_says_so_at_once(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    unset = {"PARTS_DIR", "XDG_CACHE_HOME"}
    environment = {name: text for name, text in os.environ.items() if name not in unset}
    environment |= {"DATA_DIR": str(tmp_path), "COLUMNS": "300"}
    environment |= {name: text.format(file=file) for name, text in variables.items()}
    ended = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    shown = ended.stdout + ended.stderr
    assert ended.returncode == EXIT_CONFIGURATION, shown
    assert "Traceback" not in shown
    (sentence,) = [line for line in shown.splitlines() if "=<path>" in line]
    assert re.match(f"(Ended: )?{said.format(file=file)}", sentence)
