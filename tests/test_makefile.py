"""The environment that `make` installs into, on machines where an earlier try went wrong."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.settings import PROJECT_ROOT

pytestmark = pytest.mark.processes

# A Python whose environments take no second to make: their pip only says what it was asked.
PYTHON = """#!/bin/sh
case "$*" in
  "-m venv"*) ;;
  *ensurepip*) test -z "$NO_ENSUREPIP"; exit ;;
  *) exec {python} "$@" ;;
esac
shift 2
{python} -m venv --without-pip "$@" || exit 1
pip=$(echo .venv/lib/python*/site-packages)/pip
mkdir "$pip" && echo 'import sys; print("pip", sys.argv)' > "$pip/__main__.py"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone, as far as the target `setup` needs it."""
    shutil.copy(PROJECT_ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    python = tmp_path / "python"
    python.write_text(PYTHON.format(python=Path(sys.executable).resolve()))
    python.chmod(0o755)
    return tmp_path


def setup(clone: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "setup", "PYTHON=./python"],
        cwd=clone,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def never_finished(clone: Path) -> None:
    (clone / ".venv" / "run.stamp").unlink()


def without_pip(clone: Path) -> None:
    """As it is left where the package of ensurepip is missing."""
    never_finished(clone)
    (pip,) = clone.glob(".venv/lib/python*/site-packages/pip")
    shutil.rmtree(pip)


def python_is_gone(clone: Path) -> None:
    """As it is left by an upgrade of the system."""
    for link in (clone / ".venv" / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/no/such/python")


@pytest.mark.parametrize("damage", [never_finished, without_pip, python_is_gone])
def test_an_environment_that_is_not_whole_is_made_again(
    clone: Path, damage: Callable[[Path], None]
) -> None:
    assert setup(clone).returncode == 0
    left = clone / ".venv" / "left"
    left.touch()
    damage(clone)
    made = setup(clone)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "--require-hashes" in made.stdout
    assert not left.exists()
    assert setup(clone).stdout.count("pip") == 0


def test_a_changed_lock_is_installed_into_the_environment_there_is(clone: Path) -> None:
    setup(clone)
    left = clone / ".venv" / "left"
    left.touch()
    os.utime(clone / "requirements.lock", (2**31, 2**31))
    assert "--require-hashes" in setup(clone).stdout
    assert left.exists()


def test_a_python_without_ensurepip_is_named_and_leaves_nothing_behind(clone: Path) -> None:
    refused = setup(clone, NO_ENSUREPIP="yes")
    assert refused.returncode == 2
    assert "python3-venv" in refused.stdout
    assert not (clone / ".venv").exists()
    assert setup(clone).returncode == 0
