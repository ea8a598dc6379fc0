"""State as one batch sees it: what is stored, under what the batch has changed so far."""

from collections.abc import Callable, Mapping


class Overlay:
    """Reads fall through to the store, writes stay here until the batch is committed."""

    def __init__(self, read: Callable[[bytes], bytes | None]) -> None:
        self._read = read
        self._changes: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, None when there is none."""
        if key in self._changes:
            return self._changes[key]
        return self._read(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key."""
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key; a tombstone goes to the changelog."""
        self._changes[key] = None

    @property
    def changes(self) -> Mapping[bytes, bytes | None]:
        """Last value of every changed key; None deletes."""
        return self._changes
