"""The order of steps: how a batch becomes published, stored and acknowledged, and who may do it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile

from faust.types import TP, AppT, EventT

from streams.avro.codec import Decoder, Encoder
from streams.core import contract_types as avro
from streams.core.errors import FencedError
from streams.engine.failpoints import failpoint
from streams.engine.overlay import Overlay
from streams.engine.ownership import Owned, Ownership, release
from streams.engine.pause import Pausable, PauseRequest, Pauses, ResumedOffset
from streams.engine.stage import Derived, Stage
from streams.engine.store import APPLIED_KEY, Position
from streams.engine.transactions import Changelog, Outgoing
from streams.engine.transport import BatchConsumer
from streams.kafka.batch import Batch
from streams.metrics import RECOVERY_ENTRIES, RECOVERY_SECONDS, StageMetrics

logger = logging.getLogger(__name__)

_THREADS = 8
_BATCHES_AT_ONCE = 4


class Engine:
    """Runs the stages of one Faust app."""

    def __init__(
        self,
        app: AppT,
        bootstrap: str,
        applied_encoder: Encoder[avro.Applied],
        applied_decoder: Decoder[avro.Applied],
        resumed_offset: ResumedOffset,
    ) -> None:
        self._app = app
        self._applied_encoder = applied_encoder
        self._ownership = Ownership(str(app.conf.id), bootstrap, applied_decoder)
        self._pauses = Pauses(resumed_offset, {})
        self._stages: dict[str, Stage] = {}
        self._owned: dict[TP, Owned] = {}
        self._locks: dict[TP, asyncio.Lock] = {}
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        # One at a time: they compete for the interpreter, and the first partition is ready sooner.
        self._rebuilder = ThreadPoolExecutor(1, thread_name_prefix="rebuild")
        self._stopped = False
        self._slots = asyncio.Semaphore(_BATCHES_AT_ONCE)
        self._waiting: dict[str, asyncio.Semaphore] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._acquiring: list[asyncio.Future[int]] = []
        self._given_up = threading.Event()
        self._crashing: asyncio.Future[None] | None = None

    def add(self, stage: Stage) -> Stage:
        """Declare a stage; one for each input topic."""
        self._stages[stage.input_topic] = stage
        return stage

    @property
    def stages(self) -> Collection[Stage]:
        """Every declared stage."""
        return self._stages.values()

    @property
    def paused(self) -> Mapping[TP, str]:
        """Partitions that wait for `make resume`, with the reason."""
        return self._pauses.reasons

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
        given_up = self._given_up = threading.Event()
        self._close_stores_but(set(tps))
        loop = asyncio.get_running_loop()
        in_executor = partial(loop.run_in_executor, self._executor)
        identities = await in_executor(self._ownership.identities, self.stages)
        committed = await in_executor(self._ownership.committed, tps)

        def wanted() -> bool:
            return still_wanted() and not given_up.is_set()

        def acquire(tp: TP) -> int:
            stage = self._stages[tp.topic]
            owned = self._ownership.acquire(tp, stage, identities, committed.get(tp), wanted)
            if owned is None:
                return 0
            self._owned[tp] = owned
            return owned.restored_entries

        # Kept here as well: this call may be cancelled by the next rebalance, its threads cannot.
        self._acquiring = [in_executor(acquire, tp) for tp in tps]
        entries = sum(await asyncio.gather(*map(asyncio.shield, self._acquiring)))
        for tp in tps:
            if isinstance(self._stages[tp.topic].compute, Derived):
                # Kept until the index is whole: the partition's batches wait for it, no other's.
                await self._lock(tp).acquire()
                self._begin(self._rebuild(tp))
        seconds = time.monotonic() - started
        RECOVERY_SECONDS.set(seconds)
        RECOVERY_ENTRIES.set(entries)
        failpoint("after_restore")
        logger.info(
            "Took over %d partitions: %d changelog entries restored in %.2f s",
            len(tps),
            entries,
            seconds,
        )

    async def let_go(self) -> None:
        """Give every partition up, each after its running batch; what is queued is skipped.

        Called when partitions are revoked, before another worker may get them: it would fence a
        batch still running, which ends this process. A take-over that is still going on ends first:
        its threads would go on fencing whoever is next. When another worker took a partition over
        already, because this one was away for longer than its session, the process ends as well.
        """
        self._given_up.set()
        await asyncio.gather(*self._acquiring, return_exceptions=True)
        for owned in self._owned.values():
            owned.given_up.set()
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
                self._executor, release, tp, owned
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
            owned.given_up.set()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run_locked(self, event: EventT) -> None:
        tp = event.message.tp
        stage = self._stages[tp.topic]
        async with self._lock(tp):
            while True:
                owned = self._owned.get(tp)
                if self._stopped or owned is None or not self._is_of_now(event):
                    return
                request = await self._run_in_place(stage, event, owned)
                if request is None:
                    event.ack()
                    return
                last_offset = event.value.last_offset
                resumed = await self._pauses.wait(tp, last_offset, request, owned.given_up)
                if resumed is None:
                    return
                assert isinstance(stage.compute, Pausable)
                stage.compute.let_pass(tp.partition, resumed)

    def _is_of_now(self, event: EventT) -> bool:
        generation: int = self._app.consumer_generation_id
        return bool(event.message.generation_id == generation)

    async def _run_in_place(self, stage: Stage, event: EventT, owned: Owned) -> PauseRequest | None:
        """Run a batch when there is a place; returns why it must pause, if it must."""
        done = False
        async with self._slots:
            try:
                await self._run(stage, event.message.tp, event.value, owned)
                done = True
            except PauseRequest as request:
                done = True
                return request
            finally:
                if not done:
                    self._stopped = True
                    logger.critical(
                        "Stage %s failed on %s/%d offsets %d to %d; nothing of it is acknowledged",
                        stage.name,
                        event.message.topic,
                        event.message.partition,
                        event.value.first_offset,
                        event.value.last_offset,
                    )
        return None

    async def _run(self, stage: Stage, tp: TP, batch: Batch, owned: Owned) -> None:
        metrics = StageMetrics(stage.name)
        consumer = self._app.consumer
        assert isinstance(consumer, BatchConsumer)
        fresh = [record for record in batch.records if record.offset > owned.applied]
        if fresh:
            with metrics.batch(len(fresh)) as published:
                overlay = Overlay(owned.store.get)
                outputs = stage.compute(Batch(batch.topic, batch.partition, fresh), overlay)
                failpoint("after_compute")
                published.update(output.topic for output in outputs)
                await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._commit, tp, owned, outputs, overlay, batch.last_offset
                )
        consumer.mark_applied(tp, batch.last_offset)
        failpoint("after_acknowledge")

    def _commit(
        self, tp: TP, owned: Owned, outputs: Sequence[Outgoing], overlay: Overlay, last: int
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
