"""The limit of open files, which shells of some systems set lower than a worker needs."""

import subprocess
import sys

import pytest

from streams.settings import EXIT_CONFIGURATION

pytestmark = pytest.mark.processes

PIPELINE = ("-m", "faust", "-A", "streams.app", "worker")


def started(arguments: tuple[str, ...], soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, *arguments)
    return subprocess.run(
        ["sh", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$0" "$@"', *command],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_process_raises_a_low_limit_for_itself_and_its_children() -> None:
    code = (
        "from streams.__main__ import prepare; prepare(); "
        "import subprocess; subprocess.run(['sh', '-c', 'ulimit -Sn'])"
    )
    assert int(started(("-c", code), 256, 2048).stdout) == 2048


def test_a_limit_that_cannot_be_raised_enough_is_said_before_anything_is_opened() -> None:
    refused = started(PIPELINE, 200, 300)
    assert refused.returncode == EXIT_CONFIGURATION
    assert "needs 1024 open files and may have 300: raise the hard limit" in refused.stderr
    assert "Traceback" not in refused.stderr
