"""The order of steps: how a batch becomes published, stored and acknowledged, and who may do it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol, runtime_checkable

from confluent_kafka import Consumer, TopicPartition
from faust.types import TP, AppT, EventT

from streams.batch import Batch
from streams.codec import Decoder, Encoder
from streams.core.errors import FencedError, StateError
from streams.engine.failpoints import failpoint
from streams.engine.overlay import Overlay
from streams.engine.restore import restore_partition
from streams.engine.store import APPLIED_KEY, PartitionStore, Position
from streams.engine.table import StageTable
from streams.engine.transactions import Changelog, Outgoing, PartitionTransactions
from streams.engine.transport import BatchConsumer
from streams.metrics import RECOVERY_ENTRIES, RECOVERY_SECONDS, StageMetrics
from streams.topic_admin import topic_uuids

logger = logging.getLogger(__name__)

Compute = Callable[[Batch, Overlay], Sequence[Outgoing]]
"""A stage's work on one batch: reads and writes the overlay, returns what to publish. No I/O."""

_THREADS = 8
_BATCHES_AT_ONCE = 4
_REBUILD = "Rebuild it from the raw topics: stop the workers, then `python -m streams rebuild`."


@runtime_checkable
class Derived(Protocol):
    """Work that keeps an index in memory beside its table; a compute may be one.

    The index may change while a batch is computed, before it is committed: each batch is computed
    once on it, since an error ends the process. Blocking; called from an executor, never while a
    batch of the partition runs.
    """

    def rebuild(self, partition: int, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Build the index from the restored table; called after a partition is taken over.

        The items may end early when the partition is given up meanwhile; `forget` follows.
        """

    def forget(self, partition: int) -> None:
        """Drop the index; called when a partition is given up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline: an input topic, its table, and the work on a batch."""

    name: str
    input_topic: str
    table: StageTable
    compute: Compute


@dataclass(slots=True)
class _Owned:
    """An input partition this worker owns."""

    transactions: PartitionTransactions
    store: PartitionStore
    changelog: str
    changelog_uuid: str
    input_uuid: str
    applied: int
    wanted: bool = True
    """Whether it is still to be worked on; a rebuild of its index ends when it is not."""


@dataclass(slots=True)
class _TakeOver:
    """Figures of one take-over, for the log and the metrics."""

    partitions: int
    entries: int = 0
    seconds: float = 0.0


def _release(tp: TP, owned: _Owned) -> FencedError | None:
    try:
        owned.transactions.prove_ownership(owned.changelog, tp.partition)
    except FencedError as error:
        return error
    finally:
        owned.transactions.close()
    return None


class Engine:
    """Runs the stages of one Faust app."""

    def __init__(
        self, app: AppT, bootstrap: str, applied_encoder: Encoder, applied_decoder: Decoder
    ) -> None:
        self._app = app
        self._bootstrap = bootstrap
        self._applied_encoder = applied_encoder
        self._applied_decoder = applied_decoder
        self._stages: dict[str, Stage] = {}
        self._owned: dict[TP, _Owned] = {}
        self._locks: dict[TP, asyncio.Lock] = {}
        self._restoring: dict[TP, threading.Lock] = {}
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        # One at a time: they compete for the interpreter, and the first partition is ready sooner.
        self._rebuilder = ThreadPoolExecutor(1, thread_name_prefix="rebuild")
        self._stopped = False
        self._places = asyncio.Semaphore(_BATCHES_AT_ONCE)
        self._waiting: dict[str, asyncio.Semaphore] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._crashing: asyncio.Future[None] | None = None

    def add(self, stage: Stage) -> Stage:
        """Declare a stage; one for each input topic."""
        self._stages[stage.input_topic] = stage
        return stage

    @property
    def stages(self) -> Collection[Stage]:
        """Every declared stage."""
        return self._stages.values()

    async def take_over(self, assigned: Collection[TP], still_wanted: Callable[[], bool]) -> None:
        """Fence and restore every assigned input partition; called before any input flows.

        Partitions kept from the previous assignment go through it too: this worker may have been
        given up for dead in between, and another may have written.

        Raises:
            FencedError, TransactionError, StateError: this worker must not run.
        """
        started = time.monotonic()
        tps = sorted(tp for tp in assigned if tp.topic in self._stages)
        await self.let_go()
        self._close_stores_but(set(tps))
        for tp in tps:
            self._restoring.setdefault(tp, threading.Lock())
        loop = asyncio.get_running_loop()
        identities = await loop.run_in_executor(self._executor, self._identities)
        committed = await loop.run_in_executor(self._executor, self._committed, tps)
        report = _TakeOver(partitions=len(tps))
        await asyncio.gather(
            *(
                loop.run_in_executor(
                    self._executor,
                    self._acquire,
                    tp,
                    identities,
                    committed.get(tp),
                    report,
                    still_wanted,
                )
                for tp in tps
            )
        )
        for tp in tps:
            if isinstance(self._stages[tp.topic].compute, Derived):
                # Held until the index stands: the partition's batches wait for it, no other's.
                await self._lock(tp).acquire()
                self._begin(self._rebuild(tp))
        report.seconds = time.monotonic() - started
        RECOVERY_SECONDS.set(report.seconds)
        RECOVERY_ENTRIES.set(report.entries)
        failpoint("after_restore")
        logger.info(
            "Took over %d partitions: %d changelog entries restored in %.2f s",
            report.partitions,
            report.entries,
            report.seconds,
        )

    async def let_go(self) -> None:
        """Give every partition up, each after its running batch; what is queued is skipped.

        Called when partitions are revoked, before another worker may get them: it would fence a
        batch still running, which ends this process. When another took one over already, because
        this worker was away for longer than its session, the process ends as well.
        """
        for owned in self._owned.values():
            owned.wanted = False
        given_up = await asyncio.gather(*map(self._give_up, list(self._owned)))
        fenced = next(filter(None, given_up), None)
        if fenced is not None:
            self._stopped = True
            await self._app.crash(fenced)

    async def _give_up(self, tp: TP) -> FencedError | None:
        async with self._lock(tp):
            owned = self._owned.pop(tp, None)
            if owned is None:
                return None  # by another rebalance meanwhile
            compute = self._stages[tp.topic].compute
            if isinstance(compute, Derived):
                compute.forget(tp.partition)
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, _release, tp, owned
            )

    async def _rebuild(self, tp: TP) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._rebuilder, self._rebuild_index, tp
            )
        finally:
            self._lock(tp).release()

    def _rebuild_index(self, tp: TP) -> None:
        owned = self._owned.get(tp)
        if owned is None or not owned.wanted:
            return
        stage = self._stages[tp.topic]
        assert isinstance(stage.compute, Derived)
        started = time.monotonic()
        stage.compute.rebuild(tp.partition, takewhile(lambda _: owned.wanted, owned.store.items()))
        if owned.wanted:
            logger.info(
                "Built the index of %s/%d in %.2f s",
                stage.name,
                tp.partition,
                time.monotonic() - started,
            )

    def _close_stores_but(self, kept: set[TP]) -> None:
        for stage in self._stages.values():
            ours = {tp.partition for tp in kept if tp.topic == stage.input_topic}
            stage.table.store.close_all_but(ours)

    def _acquire(
        self,
        tp: TP,
        identities: dict[str, str],
        committed: int | None,
        report: _TakeOver,
        still_wanted: Callable[[], bool],
    ) -> None:
        # A rebalance during a restore starts the next one at once; the first may still be writing.
        with self._restoring[tp]:
            if still_wanted():
                self._fence_and_restore(tp, identities, committed, report, still_wanted)

    def _fence_and_restore(
        self,
        tp: TP,
        identities: dict[str, str],
        committed: int | None,
        report: _TakeOver,
        still_wanted: Callable[[], bool],
    ) -> None:
        stage = self._stages[tp.topic]
        changelog = stage.table.changelog_name
        transactions = PartitionTransactions(
            self._bootstrap, f"{self._app.conf.id}-{tp.topic}-{tp.partition}"
        )
        transactions.fence()
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
            return
        report.entries += restored.entries
        applied = self._applied(tp, store, identities[tp.topic], committed)
        self._owned[tp] = _Owned(
            transactions, store, changelog, identities[changelog], identities[tp.topic], applied
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
        applied = int(entry["offset"])
        if committed is not None and committed > applied + 1:
            raise StateError(
                f"{tp.topic}/{tp.partition}: committed offset {committed} is ahead of the applied "
                f"one ({applied}): the changelog lost its end. " + _REBUILD
            )
        return applied

    def _identities(self) -> dict[str, str]:
        names = [stage.input_topic for stage in self._stages.values()]
        names += [stage.table.changelog_name for stage in self._stages.values()]
        return topic_uuids(self._bootstrap, names)

    def _committed(self, tps: Sequence[TP]) -> dict[TP, int]:
        consumer = Consumer(
            {"bootstrap.servers": self._bootstrap, "group.id": str(self._app.conf.id)}
        )
        try:
            offsets = consumer.committed([TopicPartition(*tp) for tp in tps], timeout=30)
        finally:
            consumer.close()
        return {TP(o.topic, o.partition): o.offset for o in offsets if o.offset >= 0}

    def _lock(self, tp: TP) -> asyncio.Lock:
        return self._locks.setdefault(tp, asyncio.Lock())

    async def run(self, event: EventT) -> None:
        """Start a batch; returns when its topic may hand in the next one.

        Batches of different partitions overlap: one computes while the broker commits another.
        Those of one partition keep their order, and while they wait for their index those of other
        topics go on. A batch that is not ours any more is skipped, and delivered again: inputs are
        read from the committed offset after every take-over. Any error ends the process; the batch
        then stays unacknowledged.
        """
        waiting = self._waiting.setdefault(event.message.topic, asyncio.Semaphore(_BATCHES_AT_ONCE))
        await waiting.acquire()
        self._begin(self._run_locked(event)).add_done_callback(lambda _: waiting.release())

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._crashing = asyncio.ensure_future(self._app.crash(error))

    async def drain(self) -> None:
        """Let running batches end and begin no other."""
        self._stopped = True
        for owned in self._owned.values():
            owned.wanted = False
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run_locked(self, event: EventT) -> None:
        message = event.message
        stage = self._stages[message.topic]
        async with self._lock(message.tp), self._places:
            owned = self._owned.get(message.tp)
            if (
                self._stopped
                or owned is None
                or message.generation_id != self._app.consumer_generation_id
            ):
                return
            applied = False
            try:
                await self._run(stage, message.tp, event.value, owned)
                applied = True
            finally:
                if not applied:
                    self._stopped = True
                    logger.critical(
                        "Stage %s failed on %s/%d offsets %d to %d; nothing of it is acknowledged",
                        stage.name,
                        message.topic,
                        message.partition,
                        event.value.first_offset,
                        event.value.last_offset,
                    )
            event.ack()

    async def _run(self, stage: Stage, tp: TP, batch: Batch, owned: _Owned) -> None:
        metrics = StageMetrics(stage.name)
        consumer = self._app.consumer
        assert isinstance(consumer, BatchConsumer)
        fresh = [record for record in batch.records if record.offset > owned.applied]
        if fresh:
            with metrics.batch(len(fresh)):
                overlay = Overlay(owned.store.get)
                outputs = stage.compute(Batch(batch.topic, batch.partition, fresh), overlay)
                failpoint("after_compute")
                await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._commit, tp, owned, outputs, overlay, batch.last_offset
                )
        consumer.mark_applied(tp, batch.last_offset)
        failpoint("after_acknowledge")

    def _commit(
        self, tp: TP, owned: _Owned, outputs: Sequence[Outgoing], overlay: Overlay, last: int
    ) -> None:
        applied = self._applied_encoder.encode(
            {
                "topic": tp.topic,
                "topic_uuid": owned.input_uuid,
                "partition": tp.partition,
                "offset": last,
            }
        )
        changes = {**overlay.changes, APPLIED_KEY: applied}
        end = owned.transactions.commit(outputs, Changelog(owned.changelog, tp.partition, changes))
        failpoint("after_commit")
        owned.store.write(changes, Position(owned.changelog_uuid, end + 1, time.time()))
        owned.applied = last
        failpoint("after_local_write")

    def close(self) -> None:
        """Release producers; stores are closed by their tables."""
        for owned in self._owned.values():
            owned.transactions.close()
        self._owned.clear()
        self._executor.shutdown(wait=False)
        self._rebuilder.shutdown(wait=False)
