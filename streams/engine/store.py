"""Durable local state of one table partition: a RocksDB directory.

The store is a cache of the changelog. It carries the position up to which it contains a changelog
partition, the identity of that partition and when it was last written, so that a copy that cannot
be trusted is thrown away instead of used.

Two properties make what is read from it whole, or an error:

- it has no write-ahead log (the changelog is one), so whatever RocksDB can open after a crash, or
  after the end of its list of files is lost, is a prefix of what was written, with its position;
- every block has a checksum, and an iteration asks at its end whether it was one.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import count
from pathlib import Path
from typing import Self

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

from streams.core.errors import DamagedStoreError, StateError

logger = logging.getLogger(__name__)

APPLIED_KEY = b"\x00applied"
"""Changelog key of the last applied input offset; table keys are text and never start with NUL."""

_POSITION_KEY = b"\x00position"

_WRITE_BUFFER_BYTES = 2 * 1024 * 1024
"""What a kill loses at most, to be restored: about 10,000 entries of a partition.

No limit for all stores together: at that, every write to one would make a file of its few entries,
while those that rest keep what they have.
"""

_BLOCKS = Cache(32 * 1024 * 1024)
"""What the stores of this process have read lately: by default each keeps a cache of its own."""

_DAMAGED = ("Corruption", "No such file or directory", "Not a directory", "File exists")
"""What RocksDB says of damaged, missing and misplaced files; a full disk or a lock is no damage."""

_FULL = ("No space left on device", "Disk quota exceeded", "File too large")


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a store contains which changelog partition.

    Attributes:
        topic: Changelog topic; it names the table.
        topic_uuid: Identity of the changelog topic; a recreated topic has another one.
        partition: Changelog partition.
        next_offset: First changelog offset that is not in the store.
        written_at: Seconds since the epoch of the last write.
    """

    topic: str
    topic_uuid: str
    partition: int
    next_offset: int
    written_at: float

    @classmethod
    def from_json(cls, text: bytes) -> Self | None:
        """Inverse of `to_json`; None for what another version of the product wrote."""
        try:
            content = json.loads(text)
        except ValueError:
            return None
        names = {field.name for field in fields(cls)}
        return cls(**content) if isinstance(content, dict) and content.keys() == names else None

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps(asdict(self)).encode()


class PartitionStore:
    """Key-value state of one partition. One process at a time; blocking calls.

    Where damage is found, the directory is set aside under another name before
    `DamagedStoreError` is raised: opened again, the store is empty and is filled from the
    changelog.

    Raises:
        DamagedStoreError: the files are damaged.
        StateError: they cannot be opened for another reason.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: Rdict | None = None
        self._db = self._open()
        self._position = self._stored_position()

    @property
    def is_open(self) -> bool:
        """Whether it can be used; not after it was closed or set aside."""
        return self._db is not None

    def position(self) -> Position | None:
        """Up to where the store contains its changelog, None when it is empty."""
        return self._position

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, None when there is none.

        Raises:
            DamagedStoreError: it cannot be read.
        """
        db = self._opened()
        try:
            value = db.get(key)
        except Exception as error:
            raise self._failure(error) from error
        return None if value is None else bytes(value)

    def write(self, changes: Mapping[bytes, bytes | None], position: Position) -> None:
        """Apply changes and the position they lead to, atomically."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_POSITION_KEY, position.to_json())
        db = self._opened()
        try:
            db.write(batch)
        except Exception as error:
            raise self._failure(error) from error
        self._position = position

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every table entry, ascending by key.

        Raises:
            DamagedStoreError: there may be more that cannot be read.
        """
        entries = self._opened().iter()
        entries.seek_to_first()
        while entries.valid():
            key = entries.key()
            if not key.startswith(b"\x00"):
                yield key, entries.value()
            entries.next()
        try:
            entries.status()
        except Exception as error:
            del entries  # it keeps the directory locked
            raise self._failure(error) from error

    def discard(self) -> None:
        """Throw the content away; the store is empty and usable afterwards."""
        self.close()
        shutil.rmtree(self._path)
        self._db = self._open()
        self._position = None

    def close(self) -> None:
        """Write everything to disk and release the directory."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> Rdict:
        if self._db is None:
            raise StateError(f"{self._path} is used after it was closed.")
        return self._db

    def _open(self) -> Rdict:
        options = Options(raw_mode=True)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        blocks = BlockBasedOptions()
        blocks.set_block_cache(_BLOCKS)
        options.set_block_based_table_factory(blocks)
        writing = WriteOptions()
        # A property, whatever its stub says.
        writing.disable_wal = True  # type: ignore[method-assign,assignment]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = Rdict(str(self._path), options)
        except Exception as error:
            raise self._failure(error) from error
        db.set_write_options(writing)
        return db

    def _stored_position(self) -> Position | None:
        text = self.get(_POSITION_KEY)
        if text is None:
            return None
        position = Position.from_json(text)
        if position is None:
            logger.warning("%s: written by another version; its content is discarded", self._path)
            self.discard()
        return position

    def _failure(self, error: Exception) -> StateError:
        """What to raise for an error of RocksDB, whose binding raises `Exception` itself."""
        if any(text in str(error) for text in _FULL):
            return StateError(
                f"There is no room for {self._path} ({error}): make room and start again; the "
                "changelog has what could not be stored."
            )
        if not any(text in str(error) for text in _DAMAGED):
            return StateError(
                f"State in {self._path} cannot be used: {error}. Make it usable and start "
                "again, or delete the directory: it is filled from the changelog."
            )
        self.close()
        kept = _set_aside(self._path)
        message = (
            f"State in {self._path} is damaged: {str(error).splitlines()[0]}. It was set aside as "
            f"{kept.name}, which may be deleted; the state is restored from the changelog."
        )
        logger.error("%s", message)
        return DamagedStoreError(message)


def open_store(path: Path) -> PartitionStore:
    """The store in a directory; an empty one when what is there is damaged.

    Raises:
        StateError: it cannot be opened for another reason than damage.
    """
    try:
        return PartitionStore(path)
    except DamagedStoreError:
        return PartitionStore(path)


def _set_aside(path: Path) -> Path:
    for number in count(1):
        kept = path.with_name(f"{path.name}.damaged-{number}")
        if not kept.exists():
            path.rename(kept)
            return kept
    raise AssertionError("unreachable")
