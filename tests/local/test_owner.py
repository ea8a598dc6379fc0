"""One living owner for each data directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.local.errors import DataDirectoryInUseError
from streams.local.owner import DataDirectoryLock


def test_a_second_owner_is_refused_and_told_the_first(tmp_path: Path) -> None:
    first = DataDirectoryLock(tmp_path)
    first.take()
    with pytest.raises(DataDirectoryInUseError, match=f"process {os.getpid()}.*DATA_DIR"):
        DataDirectoryLock(tmp_path).take()
    first.release()
    again = DataDirectoryLock(tmp_path)
    again.take()
    again.release()


@pytest.mark.processes
def test_a_killed_owner_owns_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; "
        "from streams.local.owner import DataDirectoryLock; "
        "DataDirectoryLock(Path(sys.argv[1])).take(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert (tmp_path / "owner.lock").exists()
    owner = DataDirectoryLock(tmp_path)
    owner.take()
    owner.release()
