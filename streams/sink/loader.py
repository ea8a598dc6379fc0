"""Loads batches into ClickHouse: plan, insert, then the caller acknowledges."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streams.avro.codec import UndecodableError
from streams.avro.contracts import AvroSchema
from streams.clickhouse.client import ClickHouse, RefusedError
from streams.clickhouse.tables import LOADED, SINK_REJECTS
from streams.core.errors import Rejected, RejectionLimitError
from streams.core.record_times import clamped_ms
from streams.core.rejection_limits import NO_LIMITS, RecentVerdicts, RejectionLimits
from streams.kafka.batch import Batch
from streams.sink.landing import (
    BAD_AVRO,
    INCOMPATIBLE_SCHEMA,
    UNKNOWN_KIND,
    Landing,
    Route,
    route,
)
from streams.sink.plan import BAD_FRAMING, Insert, Reject, plan_batches
from streams.topics import MARKET_INFRASTRUCTURE

REFUSED = "refused_by_clickhouse"
UNKNOWN_SCHEMA_ID = "unknown_schema_id"
REJECT_REASONS = (
    BAD_AVRO,
    BAD_FRAMING,
    INCOMPATIBLE_SCHEMA,
    REFUSED,
    UNKNOWN_KIND,
    UNKNOWN_SCHEMA_ID,
)
"""Reason codes of `sink_rejects`."""

_SHOWN_LENGTH = 200


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What batches became; `loaded` and `rejected` add up to their records.

    Attributes:
        loaded: Records that became rows.
        rules: Records that went to `sink_rejects`, by reason code.
        seconds: Time until ClickHouse had confirmed every insert.
    """

    loaded: int
    rules: Mapping[str, int]
    seconds: float

    @property
    def rejected(self) -> int:
        """Records that went to `sink_rejects`."""
        return sum(self.rules.values())


@dataclass(slots=True)
class _Refusals:
    """Inserts of one record each that ClickHouse refused one after the other."""

    limit: int
    consecutive: int = 0

    def add(self) -> None:
        """One more; raises `RejectionLimitError` at the limit: it refuses everything."""
        self.consecutive += 1
        if self.consecutive >= self.limit:
            raise RejectionLimitError(
                f"ClickHouse refused {self.consecutive:,} consecutive inserts of one record each"
            )


class Loader:
    """Loads batches of the sink's topics. Safe to use from several threads."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        writer_schema: Callable[[int], AvroSchema | None],
        topic_id_of: Callable[[str], str],
        limits: RejectionLimits,
    ) -> None:
        """Prepare; `ensure_schema` must have run.

        Args:
            clickhouse: Where the rows go.
            writer_schema: Schema of an id, None when there is none (`Registry.writer_schema`).
            topic_id_of: UUID of a topic; a recreated topic has another one.
            limits: Where a partition does not go on.
        """
        self._clickhouse = clickhouse
        self._writer_schema = writer_schema
        self._topic_id_of = topic_id_of
        self._limits = limits
        self._recent: dict[tuple[str, int], RecentVerdicts] = {}
        self._routes: dict[tuple[str, int], Route | Rejected] = {}
        self._created: set[str] = set()

    def load(self, *batches: Batch) -> LoadResult:
        """Load batches of one topic; returns when every row is stored.

        Blocks: call it in an executor. Loading them again, however they are cut, changes nothing.

        Raises:
            RejectionLimitError: so many are no rows that something else is wrong; none of them was
                put aside: do not acknowledge the batches.
            SinkError: ClickHouse failed or did not answer: do not acknowledge the batches.
            RegistryError: the registry did not answer, or lacks a schema that this deployment has
                used: do not acknowledge the batches.
        """
        return self._load(batches, self._limits)

    def load_resumed(self, batch: Batch) -> LoadResult:
        """Load a batch of which any number may be rejected: somebody has looked.

        Raises:
            SinkError, RegistryError: as for `load`.
        """
        return self._load((batch,), NO_LIMITS)

    def _load(self, batches: Sequence[Batch], limits: RejectionLimits) -> LoadResult:
        started = time.monotonic()
        topic_id = self._topic_id_of(batches[0].topic)
        rejects = self.insert_all(batches, topic_id, limits)
        self._keep_within_limits(batches, rejects, limits)
        if rejects:
            self._store_rejects(topic_id, rejects)
        if batches[0].topic == MARKET_INFRASTRUCTURE.name:
            self._store_loaded(topic_id, batches)
        return LoadResult(
            sum(len(batch.records) for batch in batches) - len(rejects),
            Counter(reject.reason.rule_id for reject in rejects),
            time.monotonic() - started,
        )

    def insert_all(
        self, batches: Sequence[Batch], topic_id: str, limits: RejectionLimits
    ) -> list[Reject]:
        """Insert batches of a topic; returns the records that are no rows, which are not stored.

        Raises:
            RejectionLimitError, SinkError, RegistryError: as for `load`.
        """
        refusals = _Refusals(limits.consecutive)
        plan = plan_batches(batches, topic_id, self._route_of)
        rejects = list(plan.rejects)
        try:
            for insert in plan.inserts:
                self._create(insert.landing)
                rejects.extend(self._insert(insert, refusals))
        except RejectionLimitError as error:
            raise self._too_many(batches[-1], str(error)) from error
        return rejects

    def _insert(self, insert: Insert, refusals: _Refusals) -> Sequence[Reject]:
        """Insert, halving what ClickHouse refuses until the refused records are alone."""
        avro_file = insert.avro_file()
        try:
            self._clickhouse.insert(insert.landing.name, avro_file)
        except RefusedError as error:
            if len(insert.records) == 1:
                refusals.add()
                return [Reject(insert.records[0], Rejected(REFUSED, str(error)))]
            return [reject for half in insert.halves() for reject in self._insert(half, refusals)]
        refusals.consecutive = 0
        return []

    def _keep_within_limits(
        self, batches: Sequence[Batch], rejects: Sequence[Reject], limits: RejectionLimits
    ) -> None:
        rejected = {
            (reject.record.partition, reject.record.offset): reject.reason for reject in rejects
        }
        after: dict[tuple[str, int], RecentVerdicts | None] = {}
        for batch in batches:
            verdicts = [(batch.partition, record.offset) in rejected for record in batch.records]
            partition = (batch.topic, batch.partition)
            if limits is NO_LIMITS or (not any(verdicts) and len(verdicts) >= limits.of_records):
                after[partition] = None  # nothing recent counts
                continue
            recent = after.get(partition) or self._recent.get(partition) or RecentVerdicts(limits)
            reason = recent.exceeded_by(verdicts)
            if reason is not None:
                first = batch.records[verdicts.index(True)]
                why = rejected[batch.partition, first.offset]
                shown = f"{why.rule_id}: {why.message[:_SHOWN_LENGTH]}"
                raise self._too_many(batch, f"{reason}, the first: {shown}")
            after[partition] = recent.after(verdicts)
        for partition, verdicts_after in after.items():
            if verdicts_after is None:
                self._recent.pop(partition, None)
            else:
                self._recent[partition] = verdicts_after

    def _too_many(self, batch: Batch, reason: str) -> RejectionLimitError:
        return RejectionLimitError(
            f"{batch.topic}/{batch.partition}: {reason} (up to offset {batch.last_offset}). "
            "Nothing of this batch is acknowledged. Look at ClickHouse and at what writes to the "
            "topic: it is tried again by itself, and "
            f"`make resume SOURCE={batch.topic}` puts the records aside in sink_rejects."
        )

    def _store_rejects(self, topic_id: str, rejects: Sequence[Reject]) -> None:
        self._clickhouse.insert_rows(
            SINK_REJECTS,
            [
                (
                    reject.record.topic,
                    topic_id,
                    reject.record.partition,
                    reject.record.offset,
                    clamped_ms(reject.record.timestamp),
                    reject.record.timestamp,
                    reject.record.key,
                    reject.record.value,
                    reject.reason.rule_id,
                    reject.reason.message,
                )
                for reject in rejects
            ],
        )

    def _store_loaded(self, topic_id: str, batches: Sequence[Batch]) -> None:
        # A batch is several inserts: until all are stored, a reader of changes must not pass it.
        ends = [batch.records[-1] for batch in batches]
        self._clickhouse.insert_rows(
            LOADED,
            [(topic_id, last.partition, last.offset, clamped_ms(last.timestamp)) for last in ends],
        )

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
