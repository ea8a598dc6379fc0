"""The local store: changes and position go together, and damage is never read as content."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from streams.core.errors import DamagedStoreError, StateError
from streams.engine.store import APPLIED_KEY, PartitionStore, Position, open_store

ENTRIES = 9_000
_CHUNK = 3_000

Damage = Callable[[Path], object]


def at(next_offset: int) -> Position:
    return Position("changelog", "uuid", 0, next_offset, 1_700_000_000.0)


def filled(path: Path) -> Path:
    """A closed store of several files."""
    store = PartitionStore(path)
    random = Random(1)
    for first in range(0, ENTRIES, _CHUNK):
        keys = (b"%06d" % number for number in range(first, first + _CHUNK))
        store.write({key: random.randbytes(100) for key in keys}, at(first + _CHUNK))
        store.close()
        store = PartitionStore(path)
    store.close()
    return path


def whole(store: PartitionStore) -> bool:
    """Whether the store has every entry up to its position, and no other."""
    position = store.position()
    expected = 0 if position is None else position.next_offset
    return [key for key, _ in store.items()] == [b"%06d" % number for number in range(expected)]


def test_changes_and_position_are_there_after_reopening(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1", b"b": b"2", APPLIED_KEY: b"x"}, at(10))
    store.write({b"b": None}, at(11))
    store.close()
    again = PartitionStore(tmp_path / "0")
    assert again.get(b"a") == b"1"
    assert again.get(b"b") is None
    assert again.position() == at(11)


def test_bookkeeping_is_not_among_the_entries(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1", APPLIED_KEY: b"x"}, at(10))
    assert list(store.items()) == [(b"a", b"1")]


def test_discarded_store_is_empty_and_usable(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1"}, at(10))
    store.discard()
    assert store.position() is None
    assert store.get(b"a") is None
    store.write({b"c": b"3"}, at(10))
    assert store.get(b"c") == b"3"


@pytest.mark.processes
def test_what_a_killed_process_leaves_is_whole_up_to_its_position(tmp_path: Path) -> None:
    program = f"""
import os, signal
from random import Random
from pathlib import Path
from streams.engine.store import PartitionStore, Position
store = PartitionStore(Path({str(tmp_path / "0")!r}))
random = Random(2)
for number in range(60_000):
    position = Position("changelog", "uuid", 0, number + 1, 1.0)
    store.write({{b"%06d" % number: random.randbytes(400)}}, position)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    store = open_store(tmp_path / "0")
    position = store.position()
    assert position is not None
    assert 0 < position.next_offset < 60_000
    assert whole(store)


@pytest.mark.processes
def test_a_full_disk_is_said_and_what_was_stored_before_is_used_when_there_is_room(
    tmp_path: Path,
) -> None:
    """As a limit on the size of files, which every user may set; a disk says it another way."""
    program = f"""
import resource
from random import Random
from pathlib import Path
from streams.core.errors import StateError
from streams.engine.store import PartitionStore, Position
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, hard))
store = PartitionStore(Path({str(tmp_path / "0")!r}))
random = Random(2)
for number in range(60_000):
    position = Position("changelog", "uuid", 0, number + 1, 1.0)
    try:
        store.write({{b"%06d" % number: random.randbytes(4000)}}, position)
    except StateError as error:
        print(error)
        break
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert re.fullmatch(r"There is no room for .*: make room and start again; .*\.\n", ended.stdout)
    store = open_store(tmp_path / "0")
    assert store.position() is not None
    assert whole(store)
    assert not list(tmp_path.glob("*.damaged-*"))


# -- damage --------------------------------------------------------------------------------------


def tables(path: Path) -> list[Path]:
    return sorted(path.glob("*.sst"))


def flip(file: Path, at_byte: int) -> None:
    content = bytearray(file.read_bytes())
    content[at_byte] ^= 0xFF
    file.write_bytes(content)


def flip_table(part: float) -> Damage:
    def damage(path: Path) -> None:
        for table in tables(path):
            flip(table, int(table.stat().st_size * part))

    return damage


def flip_file(pattern: str, part: float) -> Damage:
    def damage(path: Path) -> None:
        file = next(path.glob(pattern))
        flip(file, int(file.stat().st_size * part))

    return damage


def remove(pattern: str) -> Damage:
    return lambda path: sorted(path.glob(pattern))[0].unlink()


def empty(pattern: str) -> Damage:
    return lambda path: sorted(path.glob(pattern))[0].write_bytes(b"")


def truncate(pattern: str, cut_bytes: int) -> Damage:
    def damage(path: Path) -> None:
        file = sorted(path.glob(pattern))[-1]
        os.truncate(file, max(0, file.stat().st_size - cut_bytes))

    return damage


def file_in_the_way(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.write_text("not a directory")


def all_but_the_files_of_a_new_store(path: Path) -> None:
    for file in (*path.glob("CURRENT"), *path.glob("*.log")):
        file.unlink()


DAMAGES: dict[str, Damage] = {
    **{f"one byte of the content at {part:.0%}": flip_table(part) for part in (0.1, 0.5, 0.9)},
    "one byte near the end of the content": flip_table(0.999),
    "a table is missing": remove("*.sst"),
    "a table is cut off": truncate("*.sst", 5_000),
    "a table is empty": empty("*.sst"),
    "CURRENT is missing": remove("CURRENT"),
    "CURRENT and the log are missing": all_but_the_files_of_a_new_store,
    "CURRENT is empty": empty("CURRENT"),
    "one byte of CURRENT": flip_file("CURRENT", 0.5),
    "MANIFEST is missing": remove("MANIFEST-*"),
    "MANIFEST is empty": empty("MANIFEST-*"),
    "one byte of MANIFEST": flip_file("MANIFEST-*", 0.5),
    "one byte at the end of MANIFEST": flip_file("MANIFEST-*", 0.99),
    "the end of MANIFEST is lost": truncate("MANIFEST-*", 20),
    "more of the end of MANIFEST is lost": truncate("MANIFEST-*", 150),
    "a file is in the way": file_in_the_way,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_store_reads_as_whole_or_not_at_all(tmp_path: Path, damage: Damage) -> None:
    path = filled(tmp_path / "0")
    damage(path)
    store = open_store(path)
    try:
        is_whole = whole(store)
    except DamagedStoreError:
        store = open_store(path)
        is_whole = store.position() is None and whole(store)
    assert is_whole


def test_damaged_store_is_set_aside_by_name_and_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        remove("MANIFEST-*")(filled(tmp_path / "0"))
        store = open_store(tmp_path / "0")
        assert store.position() is None
        store.close()
        assert (tmp_path / f"0.damaged-{number}" / "CURRENT").exists()
        assert f"set aside as 0.damaged-{number}" in caplog.text


def test_value_that_cannot_be_read_is_an_error_and_the_next_start_is_clean(tmp_path: Path) -> None:
    flip_table(0.1)(filled(tmp_path / "0"))
    store = open_store(tmp_path / "0")
    with pytest.raises(DamagedStoreError, match="restored from the changelog"):
        _ = [store.get(b"%06d" % number) for number in range(ENTRIES)]
    assert open_store(tmp_path / "0").position() is None


def test_store_that_another_process_has_open_is_left_alone(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1"}, at(10))
    with pytest.raises(StateError, match="cannot be used") as refused:
        open_store(tmp_path / "0")
    assert not isinstance(refused.value, DamagedStoreError)
    assert store.get(b"a") == b"1"
    assert [one.name for one in tmp_path.iterdir()] == ["0"]


def test_store_of_an_older_form_is_empty(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "0")
    store.write({b"a": b"1", b"\x00position": b"{}"}, at(10))
    store._db.put(b"\x00position", b'{"topic_uuid": "u", "next_offset": 3, "written_at": 1.0}')  # type: ignore[union-attr]
    store.close()
    again = open_store(tmp_path / "0")
    assert again.position() is None
    assert list(again.items()) == []
