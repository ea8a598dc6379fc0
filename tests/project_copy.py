"""A copy of the project that something is added to, as a page says block by block."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from streams.settings import PROJECT_ROOT

REGISTRY = "producers/connectors.py"

_BLOCK = re.compile(r"^```(?P<kind>\w*)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)


def copy_project(copy: Path) -> Path:
    """The folders a source has its parts in, compiled modules and all: they keep their times."""
    for folder in ("avro", "producers", "streams"):
        shutil.copytree(PROJECT_ROOT / folder, copy / folder)
    return copy


def blocks(page: str) -> list[dict[str, str]]:
    """Code blocks of a page: kind, file name or None, text."""
    return [match.groupdict() for match in _BLOCK.finditer(page)]


def write_file(copy: Path, block: dict[str, str]) -> None:
    """Write the file of a block; it must be new."""
    path = copy / block["file"]
    assert not path.exists(), f"{path} is there already"
    path.parent.mkdir(exist_ok=True)
    path.write_text(block["text"], encoding="utf-8")


def change_file(copy: Path, block: dict[str, str]) -> None:
    """Make the changes of a block in diff form; what a change begins from must be there once."""
    path = copy / block["file"]
    text = path.read_text(encoding="utf-8")
    for change in block["text"].split("@@\n"):
        lines = change.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        assert text.count(before) == 1, f"{block['file']} does not have once:\n{before}"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


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
