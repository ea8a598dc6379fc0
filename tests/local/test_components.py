"""Fetching the components from a real HTTP repository that misbehaves in every usual way."""

import gc
import logging
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.local.components import Components, fetch_components
from streams.local.errors import (
    ChecksumMismatchError,
    DiskTooFullError,
    DownloadFailedError,
    UnsuitableSystemError,
)
from streams.local.lock import read_lock, write_lock
from tests.local.conditions import wait_for
from tests.local.maven_server import KAFKA_PATH, REGISTRY_PATH, MavenServer, serving

# jgo leaves answers it does not use open; they are collected with the fixture, not in a later test.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MavenServer]:
    """A repository, named in the user's jgo settings as a mirror would be."""
    with serving() as running:
        settings = tmp_path / "jgo.conf"
        settings.write_text(f"[repositories]\ncentral = {running.url}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        yield running
    gc.collect()


@pytest.fixture
def lock(server: MavenServer, tmp_path: Path) -> Path:
    """The lock of what the repository serves at first."""
    return server.write_lock(tmp_path / "components.lock")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where the components go."""
    return tmp_path / "cache"


def assert_complete(components: Components, cache: Path) -> None:
    (jar,) = components.kafka_class_path
    assert jar.read_bytes() == b"jar" * 20_000
    assert components.registry_class_path[-1].name == "one.jar"
    assert components.registry_class_path[-1].read_bytes() == b"12345"
    assert components.java.is_file()
    assert not (cache / "incoming").exists()


def test_a_user_without_a_home_is_told_to_name_one(
    lock: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs as a number."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    with pytest.raises(UnsuitableSystemError, match="HOME=<path>"):
        fetch_components(cache, lock_file=lock)


def test_fetched_once_then_used_without_a_network(
    server: MavenServer, lock: Path, cache: Path
) -> None:
    assert_complete(fetch_components(cache, lock_file=lock), cache)
    assert sorted(server.requests) == [KAFKA_PATH, REGISTRY_PATH]
    server.files.clear()
    assert_complete(fetch_components(cache, lock_file=lock), cache)
    assert len(server.requests) == 2


@pytest.mark.processes
def test_a_run_killed_in_the_middle_is_completed_by_the_next(
    server: MavenServer, lock: Path, cache: Path
) -> None:
    """Half a file in its final place would be taken for a whole one."""
    server.stall.add(REGISTRY_PATH)
    program = (
        "import sys; from pathlib import Path; "
        "from streams.local.components import fetch_components; "
        "fetch_components(Path(sys.argv[1]), lock_file=Path(sys.argv[2]))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(cache), str(lock)]) as killed:
        assert server.stalled.wait(30)
        wait_for(lambda: any(cache.glob("incoming/**/*.tar.gz")))
        killed.send_signal(signal.SIGKILL)
    server.stall.clear()
    assert_complete(fetch_components(cache, lock_file=lock), cache)


def test_an_unpacking_cut_short_is_done_again_without_a_network(
    server: MavenServer, lock: Path, cache: Path
) -> None:
    components = fetch_components(cache, lock_file=lock)
    server.files.clear()
    shutil.rmtree(components.registry_class_path[-1].parents[1])
    assert_complete(fetch_components(cache, lock_file=lock), cache)


@pytest.mark.parametrize("path", [KAFKA_PATH, REGISTRY_PATH])
def test_another_file_than_the_locked_one_is_refused_and_not_kept(
    server: MavenServer, lock: Path, cache: Path, path: str
) -> None:
    released = server.files[path]
    server.files[path] = released[:-1] + b"!"
    with pytest.raises(ChecksumMismatchError) as failure:
        fetch_components(cache, lock_file=lock)
    name = path.rsplit("/", 1)[-1]
    assert name in str(failure.value)
    assert "not kept" in str(failure.value)
    assert not failure.value.path.exists()
    server.files[path] = released
    assert_complete(fetch_components(cache, lock_file=lock), cache)


def test_a_cached_file_that_was_changed_is_refused_by_name_and_fetched_again_when_deleted(
    lock: Path, cache: Path
) -> None:
    (jar,) = fetch_components(cache, lock_file=lock).kafka_class_path
    jar.write_bytes(b"changed")
    with pytest.raises(ChecksumMismatchError, match="delete that file") as failure:
        fetch_components(cache, lock_file=lock)
    assert str(jar) in str(failure.value)
    jar.unlink()
    assert_complete(fetch_components(cache, lock_file=lock), cache)


def test_a_changed_lock_is_compared_again(server: MavenServer, lock: Path, cache: Path) -> None:
    """What was right for the old lock must not pass for the new one."""
    fetch_components(cache, lock_file=lock)
    changed = tuple(replace(file, sha256="0" * 64) for file in read_lock(lock))
    write_lock(changed, lock)
    with pytest.raises(ChecksumMismatchError):
        fetch_components(cache, lock_file=lock)


def test_a_transfer_that_breaks_off_and_a_busy_server_are_tried_again(
    server: MavenServer, lock: Path, cache: Path
) -> None:
    server.break_off.add(REGISTRY_PATH)
    server.refuse.append(KAFKA_PATH)
    assert_complete(fetch_components(cache, lock_file=lock), cache)


def test_a_file_nobody_serves_is_named(server: MavenServer, lock: Path, cache: Path) -> None:
    del server.files[KAFKA_PATH]
    with pytest.raises(
        DownloadFailedError, match=r"broker-1\.0\.jar.*no Maven repository serves it"
    ):
        fetch_components(cache, lock_file=lock)


def test_no_connection_is_said_without_the_address_which_may_hold_a_password(
    lock: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "jgo.conf").write_text(
        "[repositories]\ncentral = http://user:secret-word@127.0.0.1:9\n"
    )
    with pytest.raises(DownloadFailedError, match="no connection to the server") as failure:
        fetch_components(cache, lock_file=lock)
    assert "secret-word" not in str(failure.value)


def test_too_little_room_is_said_before_anything_is_fetched(
    server: MavenServer, lock: Path, cache: Path
) -> None:
    write_lock(tuple(replace(file, size_bytes=10**17) for file in read_lock(lock)), lock)
    with pytest.raises(DiskTooFullError, match="PARTS_DIR"):
        fetch_components(cache, lock_file=lock)
    assert server.requests == []


@pytest.mark.processes
def test_two_processes_fetch_into_one_cache(server: MavenServer, lock: Path, cache: Path) -> None:
    """The second waits for the first, then finds everything."""
    program = (
        "import sys; from pathlib import Path; "
        "from streams.local.components import fetch_components; "
        "fetch_components(Path(sys.argv[1]), lock_file=Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(cache), str(lock)]
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert_complete(fetch_components(cache, lock_file=lock), cache)
    assert sorted(server.requests) == [KAFKA_PATH, REGISTRY_PATH]


def test_without_a_terminal_progress_is_log_lines(
    lock: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        fetch_components(cache, lock_file=lock)
    assert "fetching the local stack: 2 files" in caplog.text
    assert "fetched the local stack" in caplog.text
