"""Loading what a switch of generations has published, so that no reader sees a part of it.

It is many inserts into many tables. So it is loaded into tables of the same shape in a database
beside, and each table gets all of its rows in one step (ATTACH PARTITION, which links the files):
first history and outcomes, then the tables that say what is current. What the sink reads after that
in the order of the topics changes nothing any more.

The embedded engine and a server both take that. Neither has a step for several tables at once.
"""

import logging
import time
from collections.abc import Callable, Iterator
from itertools import islice
from threading import Lock
from typing import Final

from streams.avro.codec import Registry
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.shown_generation import (
    ANNOUNCED_SECONDS,
    ShownGeneration,
    announce,
    record_shown,
    shown_generation,
)
from streams.clickhouse.table import Table
from streams.clickhouse.tables import ASSETS, GENERATIONS, LOADED, MODEL_VERSION, kinds, tables
from streams.core import contract_types as avro
from streams.core.rejection_limits import NO_LIMITS
from streams.engine.failpoints import failpoint
from streams.engine.generations import GENERATION_HEADER, generations
from streams.kafka.batch import Batch, ConsumedRecord
from streams.kafka.topic_reader import read
from streams.sink.loader import Loader

logger = logging.getLogger(__name__)

INSERT_RECORDS: Final = 10_000
_VISIBLE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1


def switched_to(batch: Batch) -> int | None:
    """The generation whose switch has published records of a batch; None: it is none of a switch.

    Of several the newest.
    """
    numbers = [
        int(value)
        for record in batch.records
        for name, value in record.headers
        if name == GENERATION_HEADER and value is not None and value.isdigit()
    ]
    return max(numbers, default=None)


class Switches:
    """Loads each switch once. Safe to use from several threads, and by several sinks at once.

    Args:
        clickhouse: Where the rows go.
        bootstrap: Kafka bootstrap servers.
        registry: Schemas.
        topic_id_of: UUID of a topic.
    """

    def __init__(
        self,
        clickhouse: ClickHouse,
        bootstrap: str,
        registry: Registry,
        topic_id_of: Callable[[str], str],
    ) -> None:
        self._clickhouse = clickhouse
        self._bootstrap = bootstrap
        self._registry = registry
        self._topic_id_of = topic_id_of
        self._lock = Lock()
        (self._seen,) = shown_generation().run(clickhouse)

    def show_running(self) -> None:
        """Load the switch to the running generation, unless that was done; errors as in `show`."""
        running = generations(self._bootstrap, self._registry).get("running")
        if running is not None:
            self.show(running["generation"])
        if self._seen.in_part:
            # Of a Kafka that is gone, or of another one: what is there now comes in its turn.
            self._record_shown(self._seen.begun)

    def show(self, generation: int) -> None:
        """Load all that a switch has published, unless that was done. Blocks.

        Of a generation that another has replaced since nothing is known any more: its records are
        loaded one after the other.

        Raises:
            SinkError, BrokerError, TopicMismatchError, RegistryError: nobody has seen a part of a
                table; do it again.
        """
        with self._lock:
            if generation <= self._seen.whole:
                return
            running = generations(self._bootstrap, self._registry).get("running")
            if running is None or running["generation"] != generation:
                return
            began = time.monotonic()
            records = self._show(running)
            self._record_shown(generation)
            logger.info(
                "Generation %d is shown: %d records in %.1f s",
                generation,
                records,
                time.monotonic() - began,
            )

    def _record_shown(self, generation: int) -> None:
        record_shown(self._clickhouse, generation, int(time.time() * 1000))
        self._seen = ShownGeneration(generation, generation)

    def _show(self, running: avro.Generation) -> int:
        clickhouse = self._clickhouse
        ((present,),) = clickhouse.query("SELECT currentDatabase()").rows
        beside = f"{present}_next"
        clickhouse.command(f"CREATE DATABASE IF NOT EXISTS `{beside}`")
        filled = [*_before_current(), *_current()]
        for table in filled:
            clickhouse.command(
                f"CREATE TABLE IF NOT EXISTS `{beside}`.{table.name} AS `{present}`.{table.name}"
            )
        with clickhouse.in_database(beside) as other:
            loader = Loader(other, self._registry.writer_schema, self._topic_id_of, NO_LIMITS)
            records = 0
            for batch in _published(self._bootstrap, running):
                # What is no row is put aside when it is read in its turn.
                loader.insert_all([batch], self._topic_id_of(batch.topic), NO_LIMITS)
                records += len(batch.records)
        failpoint("before_attach")
        announce(clickhouse, running["generation"])
        time.sleep(ANNOUNCED_SECONDS)
        for table in filled:
            clickhouse.command(
                f"ALTER TABLE {table.name} ATTACH PARTITION tuple() FROM `{beside}`.{table.name}"
            )
            failpoint("in_attach", table.name)
        clickhouse.command(f"DROP DATABASE IF EXISTS `{beside}` SYNC")
        return records


def _current() -> tuple[Table, ...]:
    """Tables that say what is current, those of the kinds first."""
    return (*(kind.latest for kind in kinds().values()), ASSETS)


def _before_current() -> tuple[Table, ...]:
    apart = {table.name for table in (*_current(), LOADED, MODEL_VERSION, GENERATIONS)}
    return tuple(table for table in tables() if table.name not in apart)


def _published(bootstrap: str, running: avro.Generation) -> Iterator[Batch]:
    """What a switch has published, as batches of each partition."""
    for one in running["published"]:
        records = iter(_range(bootstrap, one))
        while part := list(islice(records, INSERT_RECORDS)):
            yield Batch(one["topic"], one["partition"], part)


def _range(bootstrap: str, one: avro.PublishedRange) -> Iterator[ConsumedRecord]:
    """Records of a range; waits for its end, which the broker may show a moment after another."""
    following, deadline = one["first"], time.monotonic() + _VISIBLE_SECONDS
    while following <= one["last"]:
        for record in read(
            bootstrap, one["topic"], partition=one["partition"], from_offset=following
        ):
            if record.offset > one["last"]:
                return
            following = record.offset + 1
            yield record
        if time.monotonic() > deadline:
            return  # compacted
        time.sleep(_LOOK_SECONDS)
