"""What one pipeline worker carries, and what two and three carry together.

Plants of every region, new, repeated and changed, published to a group that has shared the
partitions before. Processor time is that of the workers alone and hardly depends on what else a
machine does; records a second do.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from streams.commands.audit import run_audit
from streams.local.workers import LocalWorker
from tests.bench.flow import deployment
from tests.bench.measure import VoidRunError
from tests.fault.cluster import READY_SECONDS
from tests.fault.load import CONNECTOR, STAGES, Load

WORKERS = (1, 2, 3)
_RECORDS_A_PLANT = 4
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Carried:
    """What some workers did with the same records.

    Attributes:
        processor_microseconds: Of all workers, for each raw record through every stage.
        busiest_share: Of the processor time, the part of the busiest worker.
        most_megabytes: Memory of the largest worker at the end.
        records_per_second: From the first record published to the last offset committed.
    """

    workers: int
    processor_microseconds: float
    busiest_share: float
    most_megabytes: float
    records_per_second: float


def carried(home: Path, workers: int, records: int) -> Carried:
    """Let some workers read records that are published while they wait.

    Raises:
        VoidRunError: not every record has an outcome.
        InfrastructureError: a part failed.
    """
    load = Load(records, plants=records // _RECORDS_A_PLANT)
    with deployment(home, ",".join(STAGES)) as cluster:
        started = [cluster.pipeline(str(number)) for number in range(workers)]
        for worker in started:
            worker.wait_ready(READY_SECONDS)
        cluster.wait_for(lambda: all(cluster.assigned(worker) for worker in started))
        before = [_processor_seconds(worker) for worker in started]
        began = time.monotonic()
        cluster.load(load)
        cluster.wait_drained()
        seconds = time.monotonic() - began
        spent = [
            _processor_seconds(worker) - earlier
            for worker, earlier in zip(started, before, strict=True)
        ]
        memory = max(_process(worker).memory_info().rss for worker in started)
        cluster.stop_all()
        problems = run_audit(cluster.settings, {CONNECTOR: CONNECTOR}).problems
        if problems:
            raise VoidRunError(f"{problems[0]}: no figure.")
    return Carried(
        workers,
        sum(spent) / records * 1e6,
        max(spent) / sum(spent),
        memory / _MEGABYTE,
        records / seconds,
    )


def _process(worker: LocalWorker) -> psutil.Process:
    return psutil.Process(worker.process.pid)


def _processor_seconds(worker: LocalWorker) -> float:
    times = _process(worker).cpu_times()
    return float(times.user + times.system)
