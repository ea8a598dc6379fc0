"""Random faults of every part of a deployment, in an order that follows from a seed."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from streams.local.workers import LocalWorker
from streams.topics import MARKET_INFRASTRUCTURE, NORMALIZED_ASSETS, RECORD_OUTCOMES
from tests.fault.cluster import READY_SECONDS, Cluster
from tests.fault.test_damaged_state import damage_each_in_another_way

_NAMES = ("a", "b", "c")
_MOST_WAITED_FOR = 800


@dataclass(slots=True)
class Chaos:
    """The workers of a deployment, and what happens to them.

    Attributes:
        done: What happened, for the reader of a failure.
    """

    cluster: Cluster
    random: Random
    done: list[str] = field(default_factory=list)
    _workers: dict[str, LocalWorker] = field(default_factory=dict)
    _asleep: list[int] = field(default_factory=list)
    _sink: LocalWorker | None = None

    def start(self) -> None:
        """Start whatever should run and does not."""
        self._workers = {
            name: worker for name, worker in self._workers.items() if worker.process.pid
        }
        if not self._workers:
            self._start_worker(self.random.choice(_NAMES))
        if self._sink is None or not self._sink.process.pid:
            self._sink = self.cluster.sink()

    def strike(self) -> None:
        """Do one thing to one part, in the middle of its work."""
        faults: tuple[Callable[[], None], ...] = (
            self._kill_a_worker,
            self._stop_a_worker,
            self._freeze_a_worker,
            self._let_another_join,
            self._damage_a_state,
            self._forget_a_state,
            self._kill_the_sink,
            self._freeze_the_sink,
            self._kill_the_broker,
            self._kill_the_registry,
            self._kill_the_database,
        )
        fault = self.random.choice(faults)
        self._wait_for_some_work()
        self.done.append(fault.__name__.strip("_"))
        fault()
        self.start()

    def wake(self) -> None:
        """Continue what was frozen; whoever was replaced meanwhile ends."""
        for pid in self._asleep:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGCONT)
        self._asleep.clear()

    def stop(self) -> None:
        """Stop everything in an orderly way."""
        self.wake()
        self.cluster.stop_all()
        self._workers.clear()
        self._sink = None

    def finish(self) -> None:
        """Let one fresh worker and sink do what is left.

        A worker that finds damage as it reads ends, and is started again as any other is.
        """
        self.stop()

        def done() -> bool:
            self.start()
            return self.cluster.is_drained()

        self.cluster.wait_for(done)
        self.cluster.wait_drained(sink=True)
        self.stop()

    def _start_worker(self, name: str) -> None:
        self._workers[name] = self.cluster.pipeline(name)

    def _wait_for_some_work(self) -> None:
        topic = self.random.choice([NORMALIZED_ASSETS, MARKET_INFRASTRUCTURE, RECORD_OUTCOMES])
        grown = self.cluster.growth(topic.name)
        enough = self.random.randrange(1, _MOST_WAITED_FOR)

        def worked() -> bool:
            self.start()
            return grown() >= enough or self.cluster.is_drained()

        self.cluster.wait_for(worked)

    def _one(self) -> tuple[str, LocalWorker]:
        name = self.random.choice(sorted(self._workers))
        return name, self._workers[name]

    def _kill_a_worker(self) -> None:
        self._one()[1].process.kill()

    def _stop_a_worker(self) -> None:
        self._one()[1].process.stop(15)

    def _freeze_a_worker(self) -> None:
        name, worker = self._one()
        self._freeze(worker)
        del self._workers[name]
        # It stays away until the round ends, or until somebody starts another of its name.
        self._start_worker(self.random.choice([one for one in _NAMES if one != name]))

    def _let_another_join(self) -> None:
        absent = [name for name in _NAMES if name not in self._workers]
        if absent:
            self._start_worker(self.random.choice(absent))

    def _damage_a_state(self) -> None:
        name, worker = self._one()
        worker.process.kill()
        damage_each_in_another_way(self.cluster.stores(name))

    def _forget_a_state(self) -> None:
        name, worker = self._one()
        worker.process.kill()
        self.cluster.forget_state(name)

    def _kill_the_sink(self) -> None:
        assert self._sink is not None
        self._sink.process.kill()

    def _freeze_the_sink(self) -> None:
        assert self._sink is not None
        self._freeze(self._sink)

    def _freeze(self, worker: LocalWorker) -> None:
        pid = worker.process.pid
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            self._asleep.append(pid)

    def _kill_the_broker(self) -> None:
        self.cluster.stack.kafka.kill()
        self.cluster.stack.kafka.start(READY_SECONDS)

    def _kill_the_registry(self) -> None:
        self.cluster.stack.registry.kill()
        self.cluster.stack.registry.start(READY_SECONDS)

    def _kill_the_database(self) -> None:
        self.cluster.stack.postgres.kill()
        self.cluster.stack.postgres.start(READY_SECONDS)
