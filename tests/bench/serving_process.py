"""The process that the serving bench asks: the embedded engine, the API, and the sink's loader.

    python -m tests.bench.serving_process DIRECTORY PORT

It is what a sink's process is without Kafka. A line of JSON on standard output says that it
answers, and in which threads; `write` and `idle` on standard input start and stop loading, and
`idle` is answered with how many rows a second were stored.
"""

import itertools
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from streams.clickhouse.client import ClickHouse
from streams.core.rejection_limits import NO_LIMITS
from streams.kafka.batch import Batch
from streams.serve.server import ApiThread
from streams.settings import Settings
from streams.sink.loader import Loader
from streams.topics import MARKET_INFRASTRUCTURE, PARTITIONS
from tests.bench.serving_data import TOPIC_ID, newer_versions
from tests.sink.records import batch, framed, schemas

ROWS_PER_SECOND: Final = 4_000
_SECONDS: Final = 1.0
"""Between two inserts: what all partitions have brought meanwhile is one, as in the sink."""
_BATCHES: Final = 4 * PARTITIONS
_FIRST_OFFSET: Final = 10_000_000


class SteadyLoader:
    """Loads at a steady rate while it may, in a thread of its own."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._loader = Loader(clickhouse, schemas().get, lambda topic: TOPIC_ID, NO_LIMITS)
        self._values = [_framed(number) for number in range(_BATCHES)]
        self._may = threading.Event()
        self._began = 0.0
        self._stored = 0
        self.thread = threading.Thread(target=self._run, name="loader", daemon=True)
        self.thread.start()

    def begin(self) -> None:
        """Let it load."""
        self._began, self._stored = time.monotonic(), 0
        self._may.set()

    def stop(self) -> float:
        """Let it load no more; returns the rows a second since it began."""
        self._may.clear()
        return self._stored / (time.monotonic() - self._began)

    def _run(self) -> None:
        for waiting in self._inserts():
            self._may.wait()
            assert self._loader.load(*waiting).rejected == 0
            self._stored += sum(len(one.records) for one in waiting)
            due = self._began + self._stored / ROWS_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))

    def _inserts(self) -> Iterator[Sequence[Batch]]:
        """A batch of each partition, again and again."""
        topic = MARKET_INFRASTRUCTURE.name
        for number in itertools.count():
            first = _FIRST_OFFSET + number * _BATCH_RECORDS
            yield [
                batch(
                    topic,
                    self._values[(number * PARTITIONS + partition) % _BATCHES],
                    first_offset=first,
                    partition=partition,
                )
                for partition in range(PARTITIONS)
            ]


_BATCH_RECORDS: Final = int(ROWS_PER_SECOND * _SECONDS / PARTITIONS)


def _framed(number: int) -> list[bytes]:
    """Written beforehand: a sink reads bytes from Kafka."""
    records = newer_versions(number * _BATCH_RECORDS, _BATCH_RECORDS)
    return [framed(MARKET_INFRASTRUCTURE.name, record) for record in records]


def main(directory: Path, port: int) -> None:
    """Answer until standard input ends."""
    logging.basicConfig(filename=directory.with_suffix(".log"), level=logging.INFO)
    clickhouse = ClickHouse(f"chdb://{directory.absolute()}")
    loader = SteadyLoader(clickhouse)
    api = ApiThread(Settings(clickhouse_dsn=clickhouse.address, api_port=port))
    api.start()
    threads = {one.name: one.native_id for one in threading.enumerate()}
    _say(threads)
    for line in sys.stdin:
        if line.strip() == "write":
            loader.begin()
        else:
            _say(loader.stop())
    api.stop()
    os._exit(0)


def _say(what: Any) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
