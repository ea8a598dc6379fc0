"""Several stacks that start at once on a new machine run PostgreSQL as one user."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.processes

NAME = "infrastructure-test"
ASK = f"from streams.local.system_user import system_user; print(system_user({NAME!r}).uid)"


def _remove() -> None:
    if os.getuid() == 0:
        subprocess.run(["userdel", NAME], capture_output=True, check=False)


@pytest.fixture
def no_such_user() -> Iterator[None]:
    _remove()
    yield
    _remove()


@pytest.mark.usefixtures("no_such_user")
def test_all_who_ask_at_once_get_the_same_user() -> None:
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True)
        for _ in range(12)
    ]
    answers = {process.communicate(timeout=60)[0].strip() for process in asking}
    expected = pwd.getpwnam(NAME).pw_uid if os.getuid() == 0 else os.getuid()
    assert answers == {str(expected)}
