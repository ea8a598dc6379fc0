"""Loads micro-batches into ClickHouse: plan, insert, then the caller acknowledges."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streams.avro.codec import UndecodableError
from streams.avro.contracts import AvroSchema
from streams.clickhouse.client import ClickHouse, RefusedError
from streams.clickhouse.tables import LOADED, SINK_REJECTS
from streams.core.errors import Rejected
from streams.kafka.batch import Batch
from streams.sink.landing import Landing, Route, route
from streams.sink.plan import Insert, Reject, plan_batch
from streams.topics import MARKET_INFRASTRUCTURE

REFUSED = "refused_by_clickhouse"
UNKNOWN_SCHEMA_ID = "unknown_schema_id"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one batch became; `loaded` and `rejected` add up to its records.

    Attributes:
        loaded: Records that became rows.
        rejected: Records that went to `sink_rejects`.
        seconds: Time until ClickHouse had confirmed every insert.
    """

    loaded: int
    rejected: int
    seconds: float


class Loader:
    """Loads batches of the sink's topics. Safe to use from several threads."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        writer_schema: Callable[[int], AvroSchema | None],
        topic_id_of: Callable[[str], str],
    ) -> None:
        """Prepare; `ensure_schema` must have run.

        Args:
            clickhouse: Where the rows go.
            writer_schema: Schema of an id, None when there is none (`Registry.writer_schema`).
            topic_id_of: UUID of a topic; a recreated topic has another one.
        """
        self._clickhouse = clickhouse
        self._writer_schema = writer_schema
        self._topic_id_of = topic_id_of
        self._routes: dict[tuple[str, int], Route | Rejected] = {}
        self._created: set[str] = set()

    def load(self, batch: Batch) -> LoadResult:
        """Load one batch; returns when every row is stored. Loading it again changes nothing.

        Blocks: call it in an executor.

        Raises:
            SinkError: ClickHouse failed or did not answer: do not acknowledge the batch.
            RegistryError: the registry did not answer: do not acknowledge the batch.
        """
        started = time.monotonic()
        topic_id = self._topic_id_of(batch.topic)
        plan = plan_batch(batch, topic_id, self._route_of)
        rejects = list(plan.rejects)
        for insert in plan.inserts:
            self._create(insert.landing)
            rejects.extend(self._insert(insert))
        if rejects:
            self._store_rejects(topic_id, rejects)
        if batch.topic == MARKET_INFRASTRUCTURE.name and batch.records:
            self._store_loaded(topic_id, batch)
        return LoadResult(
            len(batch.records) - len(rejects), len(rejects), time.monotonic() - started
        )

    def _insert(self, insert: Insert) -> Sequence[Reject]:
        """Insert, halving what ClickHouse refuses until the refused records are alone."""
        avro_file = insert.avro_file()
        try:
            self._clickhouse.insert(insert.landing.name, avro_file, insert.token(avro_file))
        except RefusedError as error:
            if len(insert.records) == 1:
                return [Reject(insert.records[0], Rejected(REFUSED, str(error)))]
            return [reject for half in insert.halves() for reject in self._insert(half)]
        return []

    def _store_rejects(self, topic_id: str, rejects: Sequence[Reject]) -> None:
        self._clickhouse.insert_rows(
            SINK_REJECTS,
            [
                (
                    reject.record.topic,
                    topic_id,
                    reject.record.partition,
                    reject.record.offset,
                    reject.record.timestamp,
                    reject.record.key,
                    reject.record.value,
                    reject.reason.rule_id,
                    reject.reason.message,
                )
                for reject in rejects
            ],
        )

    def _store_loaded(self, topic_id: str, batch: Batch) -> None:
        # A batch is several inserts: until all are stored, a reader of changes must not pass it.
        last = batch.records[-1]
        row = (topic_id, last.partition, last.offset, last.timestamp)
        self._clickhouse.insert_rows(LOADED, [row])

    def _route_of(self, topic: str, schema_id: int) -> Route | Rejected:
        if (topic, schema_id) in self._routes:
            return self._routes[topic, schema_id]
        try:
            schema = self._writer_schema(schema_id)
        except UndecodableError as error:
            return Rejected(error.rule_id, str(error))
        if schema is None:
            return Rejected(UNKNOWN_SCHEMA_ID, f"The registry has no schema {schema_id}.")
        self._routes[topic, schema_id] = route(topic, schema)
        return self._routes[topic, schema_id]

    def _create(self, landing: Landing) -> None:
        # Two threads may do this at once: the statements may run twice.
        if landing.name not in self._created:
            for statement in landing.statements:
                self._clickhouse.command(statement)
            self._created.add(landing.name)
