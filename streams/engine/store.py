"""Durable local state of one table partition: a RocksDB directory.

The store is a cache of the changelog. It carries the changelog position it is at, the identity
of the topic it came from and when it was last written, so that a copy that cannot be trusted is
thrown away instead of used.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rocksdict import Options, Rdict, WriteBatch

APPLIED_KEY = b"\x00applied"
"""Changelog key of the last applied input offset; table keys are text and never start with NUL."""

_POSITION_KEY = b"\x00position"


@dataclass(frozen=True, slots=True)
class Position:
    """Position of a store in its changelog partition.

    Attributes:
        topic_uuid: Identity of the changelog topic; a recreated topic has another one.
        next_offset: First changelog offset that is not in the store.
        written_at: Seconds since the epoch of the last write.
    """

    topic_uuid: str
    next_offset: int
    written_at: float


class PartitionStore:
    """Key-value state of one partition. One process at a time; blocking calls."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = _open(path)

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, None when there is none."""
        value = self._db.get(key)
        return None if value is None else bytes(value)

    def write(self, changes: Mapping[bytes, bytes | None], position: Position) -> None:
        """Apply changes and the position they lead to, atomically."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_POSITION_KEY, json.dumps(asdict(position)).encode())
        self._db.write(batch)

    def position(self) -> Position | None:
        """Position of the store, None when it is empty."""
        text = self._db.get(_POSITION_KEY)
        return None if text is None else Position(**json.loads(bytes(text)))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every table entry, ascending by key."""
        for key, value in self._db.items():
            assert isinstance(key, bytes)
            assert isinstance(value, bytes)
            if not key.startswith(b"\x00"):
                yield key, value

    def discard(self) -> None:
        """Throw the content away; the store is empty and usable afterwards."""
        self.close()
        shutil.rmtree(self._path)
        self._db = _open(self._path)

    def close(self) -> None:
        """Release the directory."""
        self._db.close()


def _open(path: Path) -> Rdict:
    return Rdict(str(path), Options(raw_mode=True))
