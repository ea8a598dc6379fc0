"""A stage whose output shows whether its index was whole, and an owner of partitions in memory."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from faust.types import TP

from streams.avro.topic_codecs import applied_codec
from streams.core.errors import FencedError
from streams.engine.applied import Applied, InputLog, checked
from streams.engine.failpoints import failpoint
from streams.engine.overlay import Overlay
from streams.engine.ownership import Owned, Survey
from streams.engine.restore import ChangelogPartition
from streams.engine.stage import Stage
from streams.engine.store import APPLIED_KEY, PartitionStore, open_store
from streams.engine.transactions import Changelog, Outgoing, PartitionTransactions
from streams.kafka.batch import Batch
from tests.stages.chain import OfflineRegistry, Record

TOPIC = "numbers"
STAGE = "counting"
TABLE = "counting-changelog"


class Counting:
    """Publishes with each record how many keys its table has: wrong as soon as one is missing."""

    def __init__(self) -> None:
        self.open_indexes = 0

    def derive(self, partition: int, entries: Iterable[tuple[bytes, bytes]]) -> "Keys":
        """The keys of the table."""
        keys = {key for key, _ in entries}
        self.open_indexes += 1
        return Keys(self, keys)


class Keys:
    """The index: every key of the table."""

    def __init__(self, stage: Counting, keys: set[bytes]) -> None:
        self._stage = stage
        self._keys = keys

    def __call__(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Add each record's key."""
        outputs = []
        for record in batch.records:
            assert record.key is not None
            self._keys.add(record.key)
            overlay.put(record.key, b"")
            outputs.append(Outgoing("counted", record.key, b"%d" % len(self._keys)))
        return outputs

    def close(self) -> None:
        """Count that it was closed."""
        self._stage.open_indexes -= 1


@dataclass(slots=True)
class Log:
    """What was committed for one partition, and who may commit."""

    owner: int = 0
    entries: list[dict[bytes, bytes | None]] = field(default_factory=list)
    published: list[Outgoing] = field(default_factory=list)


class Transactions:
    """Commits to a `Log` as long as nobody has fenced it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        log.owner += 1
        self._number = log.owner
        self.is_closed = False

    def commit(self, outputs: Sequence[Outgoing], changelog: Changelog) -> int:
        """Append, as one."""
        self.prove_ownership(changelog.topic, changelog.partition)
        self._log.entries.append(dict(changelog.entries))
        self._log.published += outputs
        return len(self._log.entries) - 1

    def prove_ownership(self, topic: str, partition: int) -> None:
        """Fail when fenced."""
        if self._number != self._log.owner:
            raise FencedError(f"{topic}/{partition}")

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


@dataclass(slots=True)
class Table:
    """The open stores of one worker."""

    home: Path
    stores: dict[int, PartitionStore] = field(default_factory=dict)
    changelog_name: str = TABLE

    @property
    def store(self) -> "Table":
        """As a `StageTable` has it."""
        return self

    def open(self, partition: int) -> PartitionStore:
        """Opened on first use and after damage."""
        store = self.stores.get(partition)
        if store is None or not store.is_open:
            store = self.stores[partition] = open_store(self.home / str(partition))
        return store


class MemoryOwner:
    """Makes one worker the owner of partitions whose logs are in memory; its stores are real."""

    def __init__(self, logs: Mapping[TP, Log]) -> None:
        self._logs = logs
        self.acquired: list[Owned] = []
        self.fail: BaseException | None = None
        self._restoring = threading.Lock()

    def survey(self, stages: Mapping[TP, Stage]) -> Survey:
        """Nothing was committed to the group."""
        return Survey({TABLE: "u", TOPIC: "u"}, {})

    def acquire(
        self, tp: TP, stage: Stage, survey: Survey, require_wanted: Callable[[], None]
    ) -> Owned:
        """The steps of the real one."""
        require_wanted()
        failpoint("before_fence", stage.name)
        if self.fail is not None:
            raise self.fail
        log = self._logs[tp]
        transactions = Transactions(log)
        failpoint("after_fence", stage.name)
        # A second thread here would mean that the first one was not waited for.
        assert self._restoring.acquire(blocking=False)
        try:
            store = stage.table.store.open(tp.partition)
            changelog = ChangelogPartition(TABLE, "u", tp.partition, 0, len(log.entries))
            position = store.position()
            start = 0 if position is None else position.next_offset
            for number, changes in enumerate(log.entries[start:], start + 1):
                require_wanted()
                store.write(changes, changelog.position(number))
                failpoint("in_restore", stage.name)
        finally:
            self._restoring.release()
        value = store.get(APPLIED_KEY)
        entry = None if value is None else Applied.from_avro(_CODEC.decoder.decode(value))
        applied = checked(tp, entry, InputLog("u", 0, 1_000_000), None, 1)
        failpoint("after_check", stage.name)
        require_wanted()
        owned = Owned(
            stage,
            cast(PartitionTransactions, transactions),
            store,
            "u",
            applied,
            _CODEC.encoder,
            len(log.entries) - start,
        )
        self.acquired.append(owned)
        return owned


_REGISTRY = OfflineRegistry()
_CODEC = applied_codec(_REGISTRY)


def counting_stage(home: Path) -> tuple[Stage, Counting]:
    """The stage with a table in a directory."""
    work = Counting()
    table: Any = Table(home)
    return Stage(STAGE, TOPIC, table, work), work


def batch_of(keys: Iterable[int], first_offset: int) -> Batch:
    """One record for each key."""
    records = [
        Record(TOPIC, offset, b"%05d" % key, b"") for offset, key in enumerate(keys, first_offset)
    ]
    return Batch(TOPIC, 0, records)
