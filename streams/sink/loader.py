"""Loads micro-batches into ClickHouse: plan, then insert, then the caller acknowledges."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.batch import Batch
from streams.core.records import AvroRecord
from streams.sink.clickhouse import ClickHouse
from streams.sink.plan import plan_batch


class RecordDecoder(Protocol):
    """Reads framed records of one contract (`streams.codec.Decoder` does)."""

    def decode(self, value: bytes | None) -> AvroRecord:
        """Raises `UndecodableError` for bytes that are no record."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one batch became.

    Attributes:
        records: Records in the batch.
        rejected: Of these, records that went to `sink_rejects`.
        rows: Rows inserted by table.
        plan_seconds: Time of decoding and mapping.
        insert_seconds: Time until ClickHouse confirmed every insert.
    """

    records: int
    rejected: int
    rows: Mapping[str, int]
    plan_seconds: float
    insert_seconds: float


class Loader:
    """Loads batches of the sink's topics. Safe to call from several threads."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        decoders: Mapping[str, RecordDecoder],
        topic_id_of: Callable[[str], str],
    ) -> None:
        """Args are the engine, one decoder a topic, and the UUID of a topic by its name."""
        self._clickhouse = clickhouse
        self._decoders = decoders
        self._topic_id_of = topic_id_of

    def load(self, batch: Batch) -> LoadResult:
        """Load one batch; returns when every row is stored. Loading it again changes nothing.

        Blocks: call it in an executor.

        Raises:
            SinkError: ClickHouse refused or did not answer: do not acknowledge the batch.
            RegistryError: the registry did not answer: do not acknowledge the batch.
        """
        started = time.monotonic()
        decode = self._decoders[batch.topic].decode
        plan = plan_batch(batch, self._topic_id_of(batch.topic), decode)
        planned = time.monotonic()
        for insert in plan.inserts:
            self._clickhouse.insert(insert)
        return LoadResult(
            len(batch.records),
            plan.rejected,
            {insert.table.name: insert.row_count for insert in plan.inserts},
            planned - started,
            time.monotonic() - planned,
        )
