"""A batch runs on a whole index of an owned partition, or not at all, whenever it is revoked."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faust.types import TP

from streams.core.errors import FencedError, StateError
from streams.engine import failpoints
from streams.engine.acquisition import Acquisition, Acquisitions
from streams.engine.overlay import Overlay
from streams.engine.stage import Stage
from tests.engine.counting import TOPIC, Counting, Log, MemoryOwner, Table, batch_of, counting_stage

HERE = TP(TOPIC, 0)
KEYS = 300
_DEADLINE_SECONDS = 20.0

ACQUIRING = (
    "before_fence",
    "after_fence",
    "in_restore",
    "after_check",
    "before_index",
    "in_index",
    "after_index",
)


class Worker:
    """The part of a worker that acquires, runs batches and revokes."""

    def __init__(self, log: Log, home: Path) -> None:
        self.log = log
        self.stage, self.work = counting_stage(home)
        self.owner = MemoryOwner({HERE: log})
        self.failures: list[BaseException] = []
        self.acquisitions = Acquisitions(self.owner, self.failures.append)
        self.generation = 0

    async def acquire(self) -> int:
        self.generation += 1
        current = self.generation
        return await self.acquisitions.acquire(
            {HERE: self.stage}, current, lambda: self.generation == current
        )

    async def run(self, keys: range, generation: int | None = None) -> bool:
        """Run a batch as the engine does; False when it is skipped."""
        acquisition = self.acquisitions.find(HERE, generation or self.generation)
        if acquisition is None:
            return False
        async with acquisition.lock:
            ready = await acquisition.wait_ready()
            if ready is None:
                return False
            batch = batch_of(keys, keys.start)
            overlay = Overlay(ready.owned.store.get)
            outputs = ready.compute(batch, overlay)
            await asyncio.to_thread(ready.commit, batch, outputs, overlay)
            return True

    @property
    def current(self) -> Acquisition:
        found = self.acquisitions.find(HERE, self.generation)
        assert found is not None
        return found

    def close(self) -> None:
        self.acquisitions.close()
        table = self.stage.table
        assert isinstance(table, Table)
        for store in table.stores.values():
            store.close()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A partition whose table has `KEYS` keys already, in several changelog entries."""
    log = Log()

    async def fill() -> None:
        worker = Worker(log, tmp_path / "filling")
        await worker.acquire()
        for first in range(0, KEYS, 50):
            assert await worker.run(range(first, first + 50))
        assert await worker.acquisitions.revoke() is None
        worker.close()

    asyncio.run(fill())
    log.published.clear()
    return log


@pytest.fixture
def worker(log: Log, tmp_path: Path) -> Iterator[Worker]:
    """A worker that has none of it yet."""
    worker = Worker(log, tmp_path / "worker")
    yield worker
    worker.close()


class Hold:
    """A step of the worker held until it is let go on."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def reached(self) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._file.exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    def go_on(self) -> None:
        self._file.unlink()


@pytest.fixture
def hold_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Hold]:
    """Hold the worker at a step, at its second passage."""

    def hold(step: str) -> Hold:
        file = tmp_path / "held"
        passage = 2 if step in ("in_restore", "in_index") else 1
        countdown = failpoints._Countdown(f"{step}:{passage}:hold={file}")
        monkeypatch.setattr(failpoints, "_countdowns", [countdown])
        return Hold(file)

    return hold


def published(log: Log) -> list[int]:
    """How many keys the index had at each published record."""
    return [int(output.value or b"") for output in log.published]


def test_batch_waits_for_the_whole_index(
    worker: Worker, log: Log, hold_at: Callable[[str], Hold]
) -> None:
    async def scenario() -> None:
        hold = hold_at("in_index")
        assert await worker.acquire() == KEYS // 50
        await hold.reached()
        batch = asyncio.create_task(worker.run(range(KEYS, KEYS + 3)))
        await asyncio.sleep(0.05)
        assert not batch.done()
        hold.go_on()
        assert await batch
        await worker.acquisitions.revoke()

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1, KEYS + 2, KEYS + 3]


@pytest.mark.parametrize("step", ACQUIRING)
def test_revoked_at_any_step_of_acquiring_nothing_runs_and_the_next_one_is_whole(
    worker: Worker, log: Log, hold_at: Callable[[str], Hold], step: str
) -> None:
    async def scenario() -> None:
        hold = hold_at(step)
        acquiring = asyncio.create_task(worker.acquire())
        await hold.reached()
        batches = [
            asyncio.create_task(worker.run(range(first, first + 5)))
            for first in (KEYS, KEYS + 5, KEYS + 10)
        ]
        await asyncio.sleep(0.02)
        revoking = asyncio.create_task(worker.acquisitions.revoke())
        await asyncio.sleep(0.02)
        assert not revoking.done(), "revoked while a thread goes on with it"
        hold.go_on()
        assert await revoking is None
        assert await asyncio.gather(*batches) == [False, False, False]
        await acquiring
        assert published(log) == []
        assert worker.work.open_indexes == 0
        assert worker.acquisitions.find(HERE, worker.generation) is None
        await worker.acquire()
        assert await worker.run(range(KEYS, KEYS + 2))
        await worker.acquisitions.revoke()

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1, KEYS + 2]
    assert worker.work.open_indexes == 0
    assert worker.failures == []


@pytest.mark.parametrize("step", ACQUIRING)
def test_newer_assignment_at_any_step_ends_the_older_one(
    worker: Worker, log: Log, hold_at: Callable[[str], Hold], step: str
) -> None:
    """The consumer's thread knows the new assignment before anything is revoked here."""

    async def scenario() -> None:
        hold = hold_at(step)
        acquiring = asyncio.create_task(worker.acquire())
        await hold.reached()
        batch = asyncio.create_task(worker.run(range(KEYS, KEYS + 5)))
        await asyncio.sleep(0.02)
        worker.generation += 1
        hold.go_on()
        assert not await batch
        await acquiring
        assert not await worker.run(range(KEYS, KEYS + 5), worker.generation)
        await worker.acquisitions.revoke()
        await worker.acquire()
        assert await worker.run(range(KEYS, KEYS + 1))
        await worker.acquisitions.revoke()

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1]
    assert worker.failures == []


@pytest.mark.parametrize("step", ACQUIRING)
def test_another_worker_that_takes_it_at_any_step_has_it_alone(
    worker: Worker, log: Log, hold_at: Callable[[str], Hold], step: str, tmp_path: Path
) -> None:
    """This worker was away for longer than its session, so nothing was revoked here."""
    other = Worker(log, tmp_path / "other")

    async def scenario() -> None:
        hold = hold_at(step)
        acquiring = asyncio.create_task(worker.acquire())
        await hold.reached()
        await other.acquire()
        assert await other.run(range(KEYS, KEYS + 2))
        hold.go_on()
        await asyncio.gather(acquiring, return_exceptions=True)
        if step == "before_fence":  # it came last, so it is the owner and has what the other wrote
            assert await worker.run(range(KEYS + 2, KEYS + 4))
            assert isinstance(await other.acquisitions.revoke(), FencedError)
        else:
            with pytest.raises(FencedError):
                await worker.run(range(KEYS + 2, KEYS + 4))
            assert await other.run(range(KEYS + 2, KEYS + 4))
            assert isinstance(await worker.acquisitions.revoke(), FencedError)

    asyncio.run(scenario())
    other.close()
    assert published(log) == [KEYS + 1, KEYS + 2, KEYS + 3, KEYS + 4]


def test_running_batch_ends_before_its_partition_is_released(
    worker: Worker, log: Log, hold_at: Callable[[str], Hold]
) -> None:
    async def scenario() -> None:
        await worker.acquire()
        hold = hold_at("after_commit")
        batch = asyncio.create_task(worker.run(range(KEYS, KEYS + 2)))
        await hold.reached()
        queued = asyncio.create_task(worker.run(range(KEYS + 2, KEYS + 4)))
        revoking = asyncio.create_task(worker.acquisitions.revoke())
        await asyncio.sleep(0.05)
        assert not revoking.done()
        hold.go_on()
        assert await batch
        assert not await queued
        assert await revoking is None

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1, KEYS + 2]


def test_whoever_waits_for_a_revocation_may_be_cancelled_and_it_goes_on(
    worker: Worker, log: Log, hold_at: Callable[[str], Hold]
) -> None:
    async def scenario() -> None:
        hold = hold_at("in_index")
        await worker.acquire()
        await hold.reached()
        first = asyncio.create_task(worker.acquisitions.revoke())
        await asyncio.sleep(0.02)
        first.cancel()
        second = asyncio.create_task(worker.acquisitions.revoke())
        await asyncio.sleep(0.02)
        assert not second.done()
        hold.go_on()
        assert await second is None
        await worker.acquire()
        assert await worker.run(range(KEYS, KEYS + 1))
        await worker.acquisitions.revoke()

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1]


def test_batch_of_an_earlier_assignment_is_skipped(worker: Worker, log: Log) -> None:
    async def scenario() -> None:
        await worker.acquire()
        await worker.acquisitions.revoke()
        await worker.acquire()
        assert not await worker.run(range(KEYS, KEYS + 1), generation=1)
        assert await worker.run(range(KEYS, KEYS + 1), generation=2)
        await worker.acquisitions.revoke()

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1]


def test_batch_on_an_index_of_another_position_is_refused(worker: Worker, log: Log) -> None:
    async def scenario() -> None:
        await worker.acquire()
        ready = await worker.current.wait_ready()
        assert ready is not None
        batch = batch_of(range(KEYS, KEYS + 1), KEYS)
        ready.compute(batch, Overlay(ready.owned.store.get))
        # Its index has what was never committed.
        with pytest.raises(StateError, match="the table is at"):
            ready.compute(batch, Overlay(ready.owned.store.get))
        await worker.acquisitions.revoke()

    asyncio.run(scenario())
    assert published(log) == []


def test_damage_found_while_the_index_is_built_is_set_aside_and_restored(
    worker: Worker, log: Log, tmp_path: Path
) -> None:
    async def scenario() -> None:
        await worker.acquire()
        assert await worker.current.wait_ready() is not None
        await worker.acquisitions.revoke()
        worker.close()
        for table in (tmp_path / "worker" / "0").glob("*.sst"):
            content = bytearray(table.read_bytes())
            content[len(content) // 10] ^= 0xFF
            table.write_bytes(content)
        again = Worker(log, tmp_path / "worker")
        await again.acquire()
        assert await again.run(range(KEYS, KEYS + 1))
        await again.acquisitions.revoke()
        again.close()
        assert again.failures == []

    asyncio.run(scenario())
    assert published(log) == [KEYS + 1]
    assert (tmp_path / "worker" / "0.damaged-1").is_dir()


def test_error_while_acquiring_is_raised_and_no_batch_runs(worker: Worker, log: Log) -> None:
    async def scenario() -> None:
        worker.owner.fail = StateError("state is lost")
        with pytest.raises(StateError, match="state is lost"):
            await worker.acquire()
        assert not await worker.run(range(KEYS, KEYS + 1))
        assert await worker.acquisitions.revoke() is None

    asyncio.run(scenario())
    assert published(log) == []
    assert worker.failures == []


class Broken(Counting):
    """Its index cannot be built."""

    def derive(self, partition: int, entries: object) -> object:  # type: ignore[override]
        raise ZeroDivisionError


def test_error_while_the_index_is_built_is_reported(worker: Worker, log: Log) -> None:
    async def scenario() -> None:
        stage = worker.stage
        worker.stage = Stage(stage.name, stage.input_topic, stage.table, Broken())  # type: ignore[arg-type]
        await worker.acquire()
        assert not await worker.run(range(KEYS, KEYS + 1))
        assert await worker.acquisitions.revoke() is None

    asyncio.run(scenario())
    assert [type(error) for error in worker.failures] == [ZeroDivisionError]
    assert published(log) == []


@pytest.mark.processes
@pytest.mark.parametrize(("action", "ended_by"), [("", signal.SIGKILL), (":stop", signal.SIGSTOP)])
def test_failpoint_ends_or_stops_the_process(action: str, ended_by: signal.Signals) -> None:
    pid = os.fork()
    if pid == 0:
        failpoints._countdowns = [
            failpoints._Countdown(f"in_index@counting:2{action}"),
            failpoints._Countdown("after_index:1"),
        ]
        failpoints.failpoint("in_index", "counting")
        failpoints.failpoint("in_index", "another")
        failpoints.failpoint("in_index", "counting")
        os._exit(0)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        assert os.WSTOPSIG(status) == ended_by
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    else:
        assert os.WTERMSIG(status) == ended_by
