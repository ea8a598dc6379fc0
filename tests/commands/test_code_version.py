"""A record of a replay names the commit it was made with."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import PROJECT_ROOT
from tests.project_copy import copy_project

pytestmark = pytest.mark.processes

PRINTED = "from streams.commands.code_version import code_version; print(code_version())"


def version_in(project: Path) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", PRINTED],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def git(project: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@localhost")
    subprocess.run(["git", "-C", project, *identity, *arguments], check=True, capture_output=True)


def test_of_a_clone_it_has_the_commit_and_of_a_copy_the_version_alone(tmp_path: Path) -> None:
    copy = copy_project(tmp_path / "clone")
    assert copy != PROJECT_ROOT
    assert re.fullmatch(r"\d+\.\d+\.\d+", version_in(copy))
    git(copy, "init", "-q")
    git(copy, "add", "avro")
    git(copy, "commit", "-q", "-m", "A commit.")
    assert re.fullmatch(r"\d+\.\d+\.\d+\+g[0-9a-f]{12}", version_in(copy))
    contract = next((copy / "avro").rglob("*.avsc"))
    contract.write_text(contract.read_text() + "\n")
    assert version_in(copy).endswith(".dirty")
