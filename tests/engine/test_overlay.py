"""The overlay: a batch sees its own changes, the store sees none before the commit."""

from streams.engine.overlay import Overlay

STORED = {b"a": b"1", b"b": b"2"}


def test_reads_fall_through_until_the_batch_writes() -> None:
    overlay = Overlay(STORED.get)
    assert overlay.get(b"a") == b"1"
    overlay.put(b"a", b"9")
    assert overlay.get(b"a") == b"9"
    assert STORED[b"a"] == b"1"


def test_deleted_key_stays_deleted_although_the_store_has_it() -> None:
    overlay = Overlay(STORED.get)
    overlay.delete(b"b")
    assert overlay.get(b"b") is None
    assert overlay.changes == {b"b": None}


def test_last_change_of_a_key_is_the_one_that_counts() -> None:
    overlay = Overlay(STORED.get)
    overlay.delete(b"a")
    overlay.put(b"a", b"7")
    assert overlay.changes == {b"a": b"7"}
