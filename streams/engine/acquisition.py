"""From acquiring an input partition to revoking it: what may run on it, and when.

A batch gets at a partition's table, and at the index that its stage derives from the table, only
through `Ready`. There is one for each acquisition, made when the table is restored to its end and
the index is made of every entry of it. A build that is cut short ends in `Revoked`: there is
nothing then that a batch could run on. An acquisition belongs to one assignment; the next one
begins with new ones.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from faust.types import TP

from streams.core.errors import DamagedStoreError, FencedError, StateError
from streams.engine.failpoints import failpoint
from streams.engine.overlay import Overlay
from streams.engine.ownership import Owned, Survey
from streams.engine.stage import Derives, Index, Stage
from streams.engine.transactions import Outgoing
from streams.kafka.batch import Batch

logger = logging.getLogger(__name__)

_THREADS = 8


class Revoked(Exception):  # noqa: N818  a signal, not an error
    """The partition was revoked while it was being acquired."""


class Owner(Protocol):
    """Makes this process the owner of partitions; blocking. `Ownership` does it on Kafka."""

    def survey(self, stages: Mapping[TP, Stage]) -> Survey:
        """What the broker knows of partitions."""

    def acquire(
        self, tp: TP, stage: Stage, survey: Survey, require_wanted: Callable[[], None]
    ) -> Owned:
        """Become the only writer of a partition, with its table restored."""


class Ready:
    """An owned partition on which batches may run.

    Args:
        owned: The partition.
        index: What its stage derived from the whole table as it is now, if it derives anything.
    """

    def __init__(self, owned: Owned, index: Index | None) -> None:
        self.owned = owned
        self._index = index
        self._made_of: int | None = owned.next_changelog_offset

    def compute(self, batch: Batch, overlay: Overlay) -> Sequence[Outgoing]:
        """Work on a batch. With an index, what it changed is committed before the next one.

        Raises:
            StateError: the index is not the one of the table as it is now.
        """
        if self._index is None:
            assert not isinstance(self.owned.stage.work, Derives)
            return self.owned.stage.work(batch, overlay)
        table = self.owned.next_changelog_offset
        if self._made_of != table:
            raise StateError(
                f"{batch.topic}/{batch.partition}: the index is the one at changelog offset "
                f"{self._made_of}, the table is at {table}. Nothing was published; start again."
            )
        self._made_of = None
        return self._index(batch, overlay)

    def commit(self, batch: Batch, outputs: Sequence[Outgoing], overlay: Overlay) -> None:
        """Publish and store what a batch computed. Blocking."""
        self.owned.commit(batch, outputs, overlay.changes)
        self._made_of = self.owned.next_changelog_offset

    def close(self) -> None:
        """Withdraw what the index shows outside."""
        if self._index is not None:
            self._index.close()


class Acquisition:
    """One input partition in one assignment.

    Attributes:
        tp: The partition.
        stage: Its stage.
        lock: Held while a batch runs, so that those of a partition keep their order.
        revoked: Set when nothing is to be begun on it any more.
        owned: The partition, once it is owned.
    """

    def __init__(
        self, tp: TP, stage: Stage, generation: int, is_current: Callable[[], bool]
    ) -> None:
        self.tp = tp
        self.stage = stage
        self.lock = asyncio.Lock()
        self.revoked = asyncio.Event()
        self.owned: Owned | None = None
        self._generation = generation
        self._is_current = is_current
        self._owning: asyncio.Future[None] | None = None
        self._readying: asyncio.Future[Ready] | None = None

    def is_for(self, generation: int) -> bool:
        """Whether it is to be worked on with what was read in an assignment."""
        return self._generation == generation and self.is_wanted

    @property
    def is_wanted(self) -> bool:
        """Whether it is still to be worked on."""
        return not self.revoked.is_set() and self._is_current()

    def require_wanted(self) -> None:
        """Raise `Revoked` unless it is still to be worked on."""
        if not self.is_wanted:
            raise Revoked

    def begin(
        self,
        owner: Owner,
        survey: "asyncio.Future[Survey]",
        owners: ThreadPoolExecutor,
        builder: ThreadPoolExecutor,
    ) -> "asyncio.Future[Ready]":
        """Begin to acquire it; nothing but `revoke` ends that early."""
        self._owning = asyncio.ensure_future(self._own(owner, survey, owners))
        self._readying = asyncio.ensure_future(self._make_ready(owner, survey, builder))
        return self._readying

    async def wait_owned(self) -> int:
        """Wait until it is owned; returns how many changelog entries were restored, 0 if revoked.

        Raises:
            FencedError, TransactionError, StateError, BrokerError: this worker must not run.
        """
        assert self._owning is not None
        try:
            # Whoever waits may be cancelled by the next rebalance, the thread cannot.
            await asyncio.shield(self._owning)
        except Revoked:
            return 0
        return self.owned.restored_entries if self.owned is not None else 0

    async def wait_ready(self) -> Ready | None:
        """Wait until batches may run; None when it was revoked, or could not be acquired."""
        assert self._readying is not None
        await asyncio.wait([self._readying])
        if not self.is_wanted or self._readying.cancelled() or self._readying.exception():
            return None
        return self._readying.result()

    async def revoke(self, threads: ThreadPoolExecutor) -> FencedError | None:
        """End it, after its running batch; returns the error when another owner has come already.

        What is being acquired ends first: its thread would go on fencing whoever is next.
        """
        self.revoked.set()
        failpoint("in_revoke", self.stage.name)
        begun = [name for name in (self._owning, self._readying) if name is not None]
        if begun:
            await asyncio.wait(begun)
        async with self.lock:
            ready = None if not begun or _failed(begun[-1]) else begun[-1].result()
            if isinstance(ready, Ready):
                ready.close()
            owned, self.owned = self.owned, None
            if owned is None:
                return None
            return await asyncio.get_running_loop().run_in_executor(threads, owned.release)

    async def _own(
        self, owner: Owner, survey: "asyncio.Future[Survey]", threads: ThreadPoolExecutor
    ) -> None:
        known = await asyncio.shield(survey)
        await asyncio.get_running_loop().run_in_executor(threads, self._become_owner, owner, known)

    async def _make_ready(
        self, owner: Owner, survey: "asyncio.Future[Survey]", builder: ThreadPoolExecutor
    ) -> Ready:
        assert self._owning is not None
        await asyncio.shield(self._owning)
        known = await asyncio.shield(survey)
        return await asyncio.get_running_loop().run_in_executor(builder, self._build, owner, known)

    def _become_owner(self, owner: Owner, survey: Survey) -> Owned:
        self.require_wanted()
        try:
            owned = owner.acquire(self.tp, self.stage, survey, self.require_wanted)
        except DamagedStoreError:
            # It is set aside: an empty one is filled from the changelog.
            owned = owner.acquire(self.tp, self.stage, survey, self.require_wanted)
        self.owned = owned
        return owned

    def _build(self, owner: Owner, survey: Survey) -> Ready:
        assert self.owned is not None
        try:
            return Ready(self.owned, self._index(self.owned))
        except DamagedStoreError:
            self.owned.transactions.close()
            owned = self._become_owner(owner, survey)
            return Ready(owned, self._index(owned))

    def _index(self, owned: Owned) -> Index | None:
        if not isinstance(self.stage.work, Derives):
            return None
        started = time.monotonic()
        failpoint("before_index", self.stage.name)
        index = self.stage.work.derive(self.tp.partition, self._entries(owned))
        failpoint("after_index", self.stage.name)
        seconds = time.monotonic() - started
        where = f"{self.stage.name}/{self.tp.partition}"
        logger.info("Built the index of %s in %.2f s", where, seconds)
        return index

    def _entries(self, owned: Owned) -> Iterator[tuple[bytes, bytes]]:
        """Every entry of the table, or an error: never a part of them."""
        for entry in owned.store.items():
            failpoint("in_index", self.stage.name)
            self.require_wanted()
            yield entry
        self.require_wanted()


def _failed(future: "asyncio.Future[Ready] | asyncio.Future[None]") -> bool:
    return future.cancelled() or future.exception() is not None


class Acquisitions:
    """The input partitions that this worker has acquired or is acquiring.

    All methods are called on the event loop.

    Args:
        owner: Makes this process the owner of partitions.
        failed: Called when a partition could not be made ready.
    """

    def __init__(self, owner: Owner, failed: Callable[[BaseException], None]) -> None:
        self._owner = owner
        self._failed = failed
        self._current: dict[TP, Acquisition] = {}
        self._revoking: list[asyncio.Future[FencedError | None]] = []
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="acquire")
        # One at a time: they compete for the interpreter, and the first partition is ready sooner.
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="index")

    async def acquire(
        self, stages: Mapping[TP, Stage], generation: int, is_current: Callable[[], bool]
    ) -> int:
        """Acquire partitions; those of an earlier assignment must be revoked.

        Returns when all of them are owned and restored; their indexes are built after that. When
        another rebalance comes meanwhile, `revoke` ends it.

        Args:
            stages: Stage of each partition.
            generation: The assignment, as the consumer group counts them.
            is_current: Whether it still is the last one.

        Returns:
            How many changelog entries were restored.

        Raises:
            FencedError, TransactionError, StateError, BrokerError: this worker must not run.
        """
        assert not self._current, "acquired before they were revoked"
        loop = asyncio.get_running_loop()
        survey = loop.run_in_executor(self._threads, self._owner.survey, stages)
        for tp in sorted(stages):
            acquisition = Acquisition(tp, stages[tp], generation, is_current)
            self._current[tp] = acquisition
            readying = acquisition.begin(self._owner, survey, self._threads, self._builder)
            readying.add_done_callback(partial(self._report, acquisition))
        waiting = [acquisition.wait_owned() for acquisition in self._current.values()]
        return sum(await asyncio.gather(*waiting))

    def find(self, tp: TP, generation: int) -> Acquisition | None:
        """The acquisition that what was read in an assignment may run on, if there is one."""
        acquisition = self._current.get(tp)
        return acquisition if acquisition and acquisition.is_for(generation) else None

    def mark_revoked(self) -> None:
        """Begin nothing on any of them any more."""
        for acquisition in self._current.values():
            acquisition.revoked.set()

    async def revoke(self) -> FencedError | None:
        """Revoke all of them; returns the error when another owner has come for one already."""
        any_acquired = bool(self._current)
        if any_acquired:
            failpoint("before_revoke")
        self.mark_revoked()
        # Kept here as well: whoever waits may be cancelled by the next rebalance.
        self._revoking += [
            asyncio.ensure_future(acquisition.revoke(self._threads))
            for acquisition in self._current.values()
        ]
        self._current = {}
        revoking = list(self._revoking)
        fenced = await asyncio.gather(*map(asyncio.shield, revoking))
        self._revoking = [one for one in self._revoking if one not in revoking]
        if any_acquired:
            failpoint("after_revoke")
        return next(filter(None, fenced), None)

    def close(self) -> None:
        """Release producers without asking anybody; stores are closed by their tables."""
        for acquisition in self._current.values():
            if acquisition.owned is not None:
                acquisition.owned.transactions.close()
        self._current = {}
        self._threads.shutdown(wait=False)
        self._builder.shutdown(wait=False)

    def _report(self, acquisition: Acquisition, readying: "asyncio.Future[Ready]") -> None:
        error = None if readying.cancelled() else readying.exception()
        # What went wrong before it was owned is raised to whoever acquires.
        if error and acquisition.owned and not isinstance(error, Revoked):
            self._failed(error)


def close_other_stores(stages: Collection[Stage], kept: Collection[TP]) -> None:
    """Close the tables of partitions that are not ours any more."""
    for stage in stages:
        ours = {tp.partition for tp in kept if tp.topic == stage.input_topic}
        stage.table.store.close_all_but(ours)
