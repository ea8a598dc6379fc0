"""A copy of the project that a source is added to, as the page "Adding a source" says."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from streams.settings import PROJECT_ROOT

REGISTRY = "producers/connectors.py"


def copy_project(copy: Path) -> Path:
    """The folders a source has its parts in."""
    for folder in ("avro", "producers", "streams"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT_ROOT / folder, copy / folder, ignore=ignored)
    return copy


def register(copy: Path, text: str) -> None:
    """Put the import among the imports and the line into the table."""
    path = copy / REGISTRY
    added_import, added_line = text.strip("\n").split("\n\n")
    lines = path.read_text(encoding="utf-8").splitlines()
    imports = [line for line in lines if line.startswith("from ")]
    first = lines.index(imports[0])
    lines[first : first + len(imports)] = sorted([*imports, added_import])
    lines.insert(len(lines) - lines[::-1].index("}") - 1, added_line)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(copy: Path, command: str, variables: Mapping[str, str], timeout_seconds: float = 60) -> str:
    """Run `python …` there; its output. It must end well."""
    program, *arguments = command.split()
    assert program == "python"
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
