"""Owning input partitions: fence the owner before, restore the state, check it against the offsets.

Blocking: runs in an executor.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition
from faust.types import TP

from streams.avro.codec import Decoder
from streams.core import contract_types as avro
from streams.core.errors import FencedError, StateError
from streams.engine.failpoints import failpoint
from streams.engine.restore import restore_partition
from streams.engine.stage import Stage
from streams.engine.store import APPLIED_KEY, PartitionStore
from streams.engine.transactions import PartitionTransactions
from streams.kafka.topic_admin import topic_uuids

_REBUILD = "Rebuild it from the raw topics: stop the workers, then `make rebuild`."


@dataclass(slots=True)
class Owned:
    """An input partition this worker owns."""

    transactions: PartitionTransactions
    store: PartitionStore
    changelog: str
    changelog_uuid: str
    input_uuid: str
    applied: int
    restored_entries: int
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is not to be worked on any more: a rebuild of its index and a pause end."""

    @property
    def wanted(self) -> bool:
        """Whether it is still to be worked on."""
        return not self.given_up.is_set()


class Ownership:
    """Takes partitions over for one consumer group.

    Args:
        group: Consumer group; part of the transactional ids.
        bootstrap: Kafka bootstrap servers.
        applied_decoder: Reads the last applied offset from a changelog.
    """

    def __init__(self, group: str, bootstrap: str, applied_decoder: Decoder[avro.Applied]) -> None:
        self._group = group
        self._bootstrap = bootstrap
        self._applied_decoder = applied_decoder
        self._restoring: dict[TP, threading.Lock] = {}

    def identities(self, stages: Iterable[Stage]) -> dict[str, str]:
        """UUID of every input and changelog topic, by name."""
        names = [
            name for stage in stages for name in (stage.input_topic, stage.table.changelog_name)
        ]
        return topic_uuids(self._bootstrap, names)

    def committed(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Committed offsets of the group, where there are any."""
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": self._group})
        try:
            offsets = consumer.committed([TopicPartition(*tp) for tp in tps], timeout=30)
        finally:
            consumer.close()
        return {TP(o.topic, o.partition): o.offset for o in offsets if o.offset >= 0}

    def acquire(
        self,
        tp: TP,
        stage: Stage,
        identities: Mapping[str, str],
        committed: int | None,
        still_wanted: Callable[[], bool],
    ) -> Owned | None:
        """Become the only writer of a partition and bring its table up to date.

        Args:
            tp: Input partition.
            stage: Its stage.
            identities: Topic UUIDs by name.
            committed: Committed offset of the group, None when there is none.
            still_wanted: Says no when another rebalance has come.

        Returns:
            None when another rebalance has come meanwhile.

        Raises:
            FencedError, TransactionError, StateError: this worker must not run.
        """
        # A rebalance during a restore starts the next one at once; the first may still be writing.
        with self._restoring.setdefault(tp, threading.Lock()):
            if not still_wanted():
                return None
            changelog = stage.table.changelog_name
            transactions = PartitionTransactions(
                self._bootstrap, f"{self._group}-{tp.topic}-{tp.partition}"
            )
            try:
                transactions.fence()
            except FencedError:
                if still_wanted():
                    raise
                return None  # whoever came with the next rebalance was faster
            failpoint("after_fence")
            store = stage.table.store.open(tp.partition)
            restored = restore_partition(
                store,
                changelog,
                identities[changelog],
                tp.partition,
                {"bootstrap.servers": self._bootstrap},
                still_wanted,
            )
            if not still_wanted():
                transactions.close()
                return None
            applied = self._applied(tp, store, identities[tp.topic], committed)
            return Owned(
                transactions,
                store,
                changelog,
                identities[changelog],
                identities[tp.topic],
                applied,
                restored.entries,
            )

    def _applied(
        self, tp: TP, store: PartitionStore, input_uuid: str, committed: int | None
    ) -> int:
        value = store.get(APPLIED_KEY)
        if value is None:
            if committed is not None:
                raise StateError(
                    f"{tp.topic}/{tp.partition}: the group has committed offset {committed}, but "
                    "the changelog has no applied offset: state is lost. Nothing was read. "
                    + _REBUILD
                )
            return -1
        entry = self._applied_decoder.decode(value)
        if entry["topic_uuid"] != input_uuid:
            raise StateError(
                f"{tp.topic}/{tp.partition}: the input topic was recreated since the state was "
                "written. " + _REBUILD
            )
        applied = entry["offset"]
        if committed is not None and committed > applied + 1:
            raise StateError(
                f"{tp.topic}/{tp.partition}: committed offset {committed} is ahead of the applied "
                f"one ({applied}): the changelog lost its end. " + _REBUILD
            )
        return applied


def release(tp: TP, owned: Owned) -> FencedError | None:
    """Give a partition up; returns the error when another worker had taken it over already."""
    try:
        owned.transactions.prove_ownership(owned.changelog, tp.partition)
    except FencedError as error:
        return error
    finally:
        owned.transactions.close()
    return None
