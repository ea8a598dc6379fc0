"""Faust table whose partitions are `PartitionStore`s written by the engine, batch by batch.

`faust tables` lists it like any other. Reading by key works wherever the partition is owned;
writing outside a batch is refused, because it would bypass the transaction.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faust
from faust.stores.base import Store
from faust.types import TP

from streams.core.errors import StateError
from streams.engine.store import PartitionStore, open_store


class StageStore(Store):  # type: ignore[misc]
    """The open partitions of one table."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partitions: dict[int, PartitionStore] = {}

    def open(self, partition: int) -> PartitionStore:
        """State of one partition, opened on first use and after damage was set aside."""
        store = self._partitions.get(partition)
        if store is None or not store.is_open:
            store = open_store(self._directory() / str(partition))
            self._partitions[partition] = store
        return store

    def close_all_but(self, kept: set[int]) -> None:
        """Release the partitions that are not ours any more."""
        for partition in set(self._partitions) - kept:
            self._partitions.pop(partition).close()

    def persisted_offset(self, tp: TP) -> int | None:
        """Offset of the last changelog entry stored, None when the partition is empty."""
        position = self.open(tp.partition).position()
        return None if position is None else position.next_offset - 1

    async def on_stop(self) -> None:
        """Release every partition."""
        self.close_all_but(set())

    def _directory(self) -> Path:
        return Path(self.app.conf.tabledir) / str(self.table_name)

    def __getitem__(self, key: bytes) -> bytes:
        """Value of a key in any partition owned here.

        Raises:
            KeyError: no partition owned here has it.
        """
        for store in self._partitions.values():
            value = store.get(key)
            if value is not None:
                return value
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return any(store.get(bytes(key)) is not None for store in self._partitions.values())  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[bytes]:
        for store in self._partitions.values():
            yield from (key for key, _ in store.items())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise StateError(f"Table {self.table_name}: write through the batch's overlay.")

    def __delitem__(self, key: bytes) -> None:
        raise StateError(f"Table {self.table_name}: delete through the batch's overlay.")

    def clear(self) -> None:
        """Refused: see the class."""
        raise StateError(f"Table {self.table_name}: delete through the batch's overlay.")

    def apply_changelog_batch(self, *_: Any, **__: Any) -> None:
        """Never called with entries: the engine restores the changelog itself."""

    async def backup_partition(self, *_: Any, **__: Any) -> None:
        """Refused: the changelog is the backup."""
        raise StateError(f"Table {self.table_name}: the changelog is the backup.")

    def restore_backup(self, *_: Any, **__: Any) -> None:
        """Refused: the changelog is the backup."""
        raise StateError(f"Table {self.table_name}: restore from the changelog by starting.")

    def reset_state(self) -> None:
        """Throw every open partition away (`faust reset`)."""
        for store in self._partitions.values():
            store.discard()


class StageTable(faust.Table):  # type: ignore[misc]
    """Faust table of one stage; keys and values are bytes."""

    def _new_store(self) -> StageStore:
        return StageStore("stage://", self.app, self, table_name=self.name, loop=self.loop)

    @property
    def store(self) -> StageStore:
        """The open partitions."""
        store = self.data
        assert isinstance(store, StageStore)
        return store

    @property
    def changelog_name(self) -> str:
        """Name of the changelog topic."""
        return str(self.changelog_topic.get_topic_name())

    async def on_start(self) -> None:
        """Open the store; the changelog is declared in `streams.topics`, not by the table."""
        await self.add_runtime_dependency(self.data)
