"""The local store: changes and position go together, and survive a reopening."""

from pathlib import Path

from streams.engine.store import APPLIED_KEY, PartitionStore, Position

HERE = Position("uuid", 10, 1_700_000_000.0)


def test_changes_and_position_are_there_after_reopening(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1", b"b": b"2", APPLIED_KEY: b"x"}, HERE)
    store.write({b"b": None}, Position("uuid", 11, 1_700_000_001.0))
    store.close()
    again = PartitionStore(tmp_path / "0")
    assert again.get(b"a") == b"1"
    assert again.get(b"b") is None
    assert again.position() == Position("uuid", 11, 1_700_000_001.0)


def test_bookkeeping_is_not_among_the_entries(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1", APPLIED_KEY: b"x"}, HERE)
    assert list(store.items()) == [(b"a", b"1")]


def test_discarded_store_is_empty_and_usable(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1"}, HERE)
    store.discard()
    assert store.position() is None
    assert store.get(b"a") is None
    store.write({b"c": b"3"}, HERE)
    assert store.get(b"c") == b"3"
