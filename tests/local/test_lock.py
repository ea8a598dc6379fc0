"""The committed lock."""

from pathlib import Path

import pytest

from streams.local.lock import KAFKA, KAFKA_LOGGING, REGISTRY, read_lock, write_lock


def test_the_committed_lock_holds_what_is_asked_for() -> None:
    """A version changed in the code but not in the lock would never be fetched."""
    coordinates = {file.coordinate for file in read_lock()}
    assert {KAFKA, KAFKA_LOGGING, REGISTRY} <= coordinates
    assert len(coordinates) == len(read_lock())


def test_every_file_has_a_whole_hash_and_no_address() -> None:
    for file in read_lock():
        assert len(file.sha256) == 64
        assert int(file.sha256, 16)
        assert file.size_bytes > 0
        assert "//" not in file.coordinate


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    write_lock(read_lock(), tmp_path / "lock")
    assert read_lock(tmp_path / "lock") == read_lock()


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(f"zookeeper org.example:a:1 5 {'0' * 64}\n")
    with pytest.raises(ValueError, match="zookeeper"):
        read_lock(path)
