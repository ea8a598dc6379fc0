"""How fast a next generation grows, beside the first load of the same raw records."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from producers.connectors import CONNECTORS
from streams.commands.rebuild import grow, switch
from streams.kafka.topic_admin import end_offsets
from streams.topics import raw_topic
from tests.bench.flow import deployment
from tests.bench.measure import VoidRunError
from tests.fault.test_chaos import polled
from tests.real_files import real_data_dir


@dataclass(frozen=True, slots=True)
class RebuildTimes:
    """The same raw records three times over, each from the start of a worker.

    Attributes:
        raw: Raw records.
        first_load: Seconds in which the pipeline has decided on all of them.
        grown: Seconds in which the next generation has.
        switched: Seconds of the switch: catching up, comparing, publishing, clearing away.
    """

    raw: int
    first_load: float
    grown: float
    switched: float


def rebuild_times(home: Path) -> RebuildTimes:
    """Load the files of every source, then rebuild from them.

    Raises:
        VoidRunError: the rebuild differs from what was loaded.
        InfrastructureError: a part failed.
    """
    console = Console(quiet=True)
    with deployment(home) as cluster:
        cluster.connectors = tuple(CONNECTORS)
        polled(cluster, real_data_dir())
        names = [raw_topic(name).name for name in CONNECTORS]
        raw = sum(end_offsets(cluster.settings.kafka_bootstrap, names).values())

        def first_load() -> None:
            cluster.pipeline()
            cluster.wait_drained()

        loaded = _seconds(first_load)
        cluster.stop_all()
        grown = _seconds(lambda: grow(cluster.settings, console))

        def change_over() -> None:
            report = switch(cluster.settings, console, accept_loss=False)
            if report is None or report.differences.count:
                raise VoidRunError("The rebuild differs from what was loaded: no figure.")

        return RebuildTimes(raw, loaded, grown, _seconds(change_over))


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
