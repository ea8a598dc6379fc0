"""The order of steps: how a batch becomes published, stored and acknowledged, and who may do it."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor

from faust.types import TP, AppT, EventT

from streams.avro.codec import Decoder, Encoder
from streams.core import contract_types as avro
from streams.engine.acquisition import Acquisition, Acquisitions, Ready, close_other_stores
from streams.engine.applied import with_deleted
from streams.engine.failpoints import failpoint
from streams.engine.overlay import Overlay
from streams.engine.ownership import Ownership
from streams.engine.pause import Pausable, PauseRequest, Pauses, ResumedOffset
from streams.engine.running import RunningBatches
from streams.engine.schema_wait import Schemas, Waits, wait_for_schemas
from streams.engine.stage import Stage
from streams.engine.transport import BatchConsumer
from streams.kafka.batch import Batch
from streams.metrics import RECOVERY_ENTRIES, RECOVERY_SECONDS, StageMetrics
from streams.topics import DEAD_LETTERS

logger = logging.getLogger(__name__)

_THREADS = 8
_BATCHES_AT_ONCE = 4


class Engine:
    """Runs the stages of one Faust app.

    Args:
        app: The app.
        bootstrap: Kafka bootstrap servers.
        applied_encoder, applied_decoder: Of the last entry of every batch in a changelog.
        resumed_offset: Up to where a paused partition may go on.
        schemas: The registry.
        generation: Generation of this worker.
        batches: Takes each batch while it is worked on.
        names: What topics are called that outputs go to, where they have another name.
        require_running: Raises when this generation must not write any more; blocking, asked when
            every partition is fenced. None: it may always.
    """

    def __init__(
        self,
        app: AppT,
        bootstrap: str,
        applied_encoder: Encoder[avro.Applied],
        applied_decoder: Decoder[avro.Applied],
        resumed_offset: ResumedOffset,
        schemas: Schemas,
        generation: int,
        batches: RunningBatches,
        names: Mapping[str, str] | None = None,
        require_running: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._require_running = require_running
        self._batches = batches
        self._acquisitions = Acquisitions(
            Ownership(
                str(app.conf.id),
                bootstrap,
                applied_encoder,
                applied_decoder,
                generation,
                names or {},
            ),
            self._crash,
        )
        self._pauses = Pauses(resumed_offset, {})
        self._schemas = schemas
        self._waits = Waits("registry")
        self._stages: dict[str, Stage] = {}
        self._metrics: dict[str, StageMetrics] = {}
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        self._stopped = False
        self._slots = asyncio.Semaphore(_BATCHES_AT_ONCE)
        self._waiting: dict[str, asyncio.Semaphore] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._crashing: asyncio.Future[None] | None = None

    def add(self, stage: Stage) -> Stage:
        """Declare a stage; one for each input topic."""
        self._stages[stage.input_topic] = stage
        self._metrics[stage.name] = StageMetrics(stage.name, (DEAD_LETTERS.name,))
        return stage

    @property
    def stages(self) -> Collection[Stage]:
        """Every declared stage."""
        return self._stages.values()

    @property
    def paused(self) -> Mapping[TP, str]:
        """Partitions that wait for `make resume`, with the reason."""
        return self._pauses.reasons

    @property
    def waiting(self) -> Mapping[TP, str]:
        """Partitions that wait for the registry, with the reason."""
        return self._waits.reasons

    async def take_over(
        self, assigned: Collection[TP], generation: int, is_current: Callable[[], bool]
    ) -> None:
        """Acquire every assigned input partition; called before any input flows.

        Partitions kept from the previous assignment go through it too: this worker may have been
        taken for dead in between, and another may have written.

        Args:
            assigned: Partitions.
            generation: The assignment, as the consumer group counts them.
            is_current: Whether it still is the last one.

        Raises:
            FencedError, TransactionError, StateError, BrokerError: this worker must not run.
        """
        started = time.monotonic()
        tps = sorted(tp for tp in assigned if tp.topic in self._stages)
        await self.revoke()
        close_other_stores(self.stages, tps)
        entries = await self._acquisitions.acquire(
            {tp: self._stages[tp.topic] for tp in tps}, generation, is_current
        )
        if tps and self._require_running is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._require_running)
        seconds = time.monotonic() - started
        RECOVERY_SECONDS.set(seconds)
        RECOVERY_ENTRIES.set(entries)
        failpoint("after_restore")
        logger.info(
            "Acquired %d partitions: %d changelog entries restored in %.2f s",
            len(tps),
            entries,
            seconds,
        )

    async def revoke(self) -> None:
        """Revoke every partition, each after its running batch; what is queued is skipped.

        Called when partitions are revoked, before another worker may get them: it would fence a
        batch still running, which ends this process. When another worker acquired a partition
        already, because this one was away for longer than its session, the process ends as well.
        """
        fenced = await self._acquisitions.revoke()
        if fenced is not None:
            self._stopped = True
            await self._app.crash(fenced)

    async def run(self, event: EventT) -> None:
        """Start a batch; returns when its topic may hand in the next one.

        Batches of different partitions overlap: one computes while the broker commits another.
        Those of one partition keep their order, and while they wait for their index those of other
        topics go on. A batch that is not ours any more is skipped, and delivered again: inputs are
        read from the committed offset after every rebalance. Any error ends the process; the batch
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
            self._crash(error)

    def _crash(self, error: BaseException) -> None:
        self._stopped = True
        self._crashing = asyncio.ensure_future(self._app.crash(error))

    async def drain(self) -> None:
        """Let running batches end and begin no other."""
        self._stopped = True
        self._acquisitions.mark_revoked()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run_locked(self, event: EventT) -> None:
        acquisition = self._acquisitions.find(event.message.tp, event.message.generation_id)
        if acquisition is None:
            return
        async with acquisition.lock:
            while not self._stopped:
                ready = await acquisition.wait_ready()
                if ready is None or not await self._has_schemas(acquisition, event.value):
                    return
                request = await self._run_in_place(event, ready)
                if request is None:
                    event.ack()
                    return
                if not await self._resumed(acquisition, event.value.last_offset, request):
                    return

    async def _has_schemas(self, acquisition: Acquisition, batch: Batch) -> bool:
        """Wait until the registry has the schemas of a batch; False when it is revoked."""
        return await wait_for_schemas(
            self._schemas, self._waits, acquisition.tp, batch, acquisition.revoked
        )

    async def _resumed(
        self, acquisition: Acquisition, last_offset: int, request: PauseRequest
    ) -> bool:
        """Wait until a batch may pass; False when its partition is revoked."""
        tp, work = acquisition.tp, acquisition.stage.work
        offset = await self._pauses.wait(tp, last_offset, request, acquisition.revoked)
        if offset is None:
            return False
        assert isinstance(work, Pausable)
        work.let_pass(tp.partition, offset)
        return True

    async def _run_in_place(self, event: EventT, ready: Ready) -> PauseRequest | None:
        """Run a batch when there is a slot; returns why it must pause, if it must."""
        done = False
        async with self._slots:
            try:
                with self._batches.running(event.value):
                    await self._run(event.message.tp, event.value, ready)
                done = True
            except PauseRequest as request:
                done = True
                return request
            finally:
                if not done:
                    self._stopped = True
                    logger.critical(
                        "Stage %s failed on %s/%d offsets %d to %d; nothing of it is acknowledged",
                        ready.owned.stage.name,
                        event.message.topic,
                        event.message.partition,
                        event.value.first_offset,
                        event.value.last_offset,
                    )
        return None

    async def _run(self, tp: TP, batch: Batch, ready: Ready) -> None:
        owned = ready.owned
        consumer = self._app.consumer
        assert isinstance(consumer, BatchConsumer)
        for deleted in consumer.take_deleted(tp, batch.first_offset):
            owned.applied = with_deleted(owned.applied, deleted)
        fresh = [record for record in batch.records if record.offset > owned.applied.offset]
        if fresh:
            metrics = self._metrics[owned.stage.name]
            with metrics.batch(len(fresh)) as published:
                overlay = Overlay(owned.store.get)
                part = Batch(batch.topic, batch.partition, fresh)
                with metrics.computing():
                    outputs = ready.compute(part, overlay)
                failpoint("after_compute", owned.stage.name)
                published.update(output.topic for output in outputs)
                await asyncio.get_running_loop().run_in_executor(
                    self._executor, ready.commit, part, outputs, overlay
                )
        consumer.mark_applied(tp, batch.last_offset)
        failpoint("after_acknowledge", owned.stage.name)

    def close(self) -> None:
        """Release producers; stores are closed by their tables."""
        self._acquisitions.close()
        self._executor.shutdown(wait=False)
