"""Faust transport that delivers micro-batches and commits only what is applied.

URL scheme `batch://host:port`. Differences from Faust's own Kafka transport:

- readers are read committed, so nothing of an aborted transaction is ever seen;
- a data topic delivers one message for each fetched partition, whose value is the list of records
  and whose offset is the last one's (Faust's per-event machinery costs 100 µs an event);
- when every partition's buffer is full, reading goes on as soon as one has room; Faust looks again
  a second later, which took a third of the time of a full load (measured);
- an offset out of range is never passed over without a word: what retention deleted before it was
  read is named and remembered, and where the log ends before the offset, the app is asked;
- the offset to commit is what the engine says it has applied (`mark_applied`). Faust's own
  acknowledgements are not used for that: a stream also acknowledges events it skips while a
  rebalance is under way, which would lose them.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import aiokafka
import faust
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    Consumer,
    Transport,
)
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP, AppT, ConsumerMessage, Message

from streams.engine.applied import OffsetRange
from streams.kafka.batch import Batch

logger = logging.getLogger(__name__)

_FETCH_MAX_WAIT_MS = 100
_LOOK_AGAIN_SECONDS = 1.0


class BatchScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
    """Hands on one message for each fetched partition instead of one for each record."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield each partition with all its fetched records."""
        for tp, fetched in records.items():
            if fetched:
                yield tp, fetched


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Leaves keys and values alone: an event's value is its `Batch`."""

    def loads_key(self, app: AppT, message: Message, **_: Any) -> Any:
        """The batch has no key of its own."""
        return message.key

    def loads_value(self, app: AppT, message: Message, **_: Any) -> Any:
        """The batch as the transport made it."""
        return message.value


class _BatchConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust offers no setting for either; both are read when the consumer starts.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = _FETCH_MAX_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        try:
            fetched: Mapping[TP, list[Any]] = await super()._fetch_records(
                consumer, active_partitions, timeout, max_records
            )
        except NoOffsetForPartitionError as error:
            await consumer.seek_to_beginning(error.args[0])
        except OffsetOutOfRangeError as error:
            for partition, offset in error.args[0].items():
                await self._find_range(consumer, partition, offset)
        else:
            return fetched
        return {}

    async def _find_range(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        partition: aiokafka.TopicPartition,
        offset: int,
    ) -> None:
        """Go on behind what was deleted, or as the app says when the log ends before the offset."""
        tp = TP(partition.topic, partition.partition)
        high = (await consumer.end_offsets([partition]))[partition]
        if offset > high:
            self.app.on_shorter_log(tp, offset - 1, high)
            await consumer.seek_to_beginning(partition)
            return
        low = (await consumer.beginning_offsets([partition]))[partition]
        if offset < low:
            self.consumer.add_deleted(tp, OffsetRange(offset, low))
            await consumer.seek_to_beginning(partition)


class BatchConsumer(Consumer):  # type: ignore[misc]
    """Faust consumer with the differences named in the module's docstring."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._applied: dict[TP, int] = {}
        self._deleted: dict[TP, tuple[OffsetRange, ...]] = {}
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> _BatchConsumerThread:
        return _BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: list[Any]) -> ConsumerMessage:
        last = record[-1]
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=last.timestamp_type,
            headers=(),
            key=None,
            value=Batch(tp.topic, tp.partition, record),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        if self.flow_active and not self._get_active_partitions():
            self._room.clear()
            await self.wait(self._room, timeout=_LOOK_AGAIN_SECONDS)
            return {}, self._get_active_partitions()
        found: tuple[Any, Any] = await super()._wait_next_records(timeout)
        return found

    def on_buffer_drop(self, tp: TP) -> None:
        """A partition's buffer has room again: read it."""
        super().on_buffer_drop(tp)
        self._room.set()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to the committed offsets, and to the beginning where there is none yet.

        Faust leaves those where they are: what was fetched and skipped while a rebalance was
        under way would never be read.
        """
        offsets: Mapping[TP, int] = await super().seek_to_committed()
        never = [
            self._new_topicpartition(*tp) for tp in self.assignment() if offsets.get(tp) is None
        ]
        if never:
            await self._thread.seek_to_beginning(*never)
        return offsets

    def mark_applied(self, tp: TP, offset: int) -> None:
        """Say that inputs up to `offset` are applied for good: they may be committed."""
        self._applied[tp] = max(offset, self._applied.get(tp, -1))

    def add_deleted(self, tp: TP, deleted: OffsetRange) -> None:
        """Remember offsets that retention deleted before they were read."""
        logger.error(
            "%s/%d: retention deleted offsets %d to %d before they were read",
            *tp,
            deleted.first,
            deleted.end - 1,
        )
        self._deleted[tp] = (*self._deleted.get(tp, ()), deleted)

    def take_deleted(self, tp: TP, offset: int) -> tuple[OffsetRange, ...]:
        """Offsets deleted unread before an offset that was read; each is returned once."""
        found = self._deleted.get(tp, ())
        self._deleted[tp] = tuple(deleted for deleted in found if deleted.end > offset)
        return tuple(deleted for deleted in found if deleted.end <= offset)

    def ack(self, message: Message) -> bool:
        """Forget a message Faust tracks; never moves the offset to commit."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self._applied if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        applied = self._applied.get(tp)
        return None if applied is None else applied + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets have gaps (transaction markers, compaction); the applied offset needs no book."""

    async def on_partitions_revoked(self, revoked: Iterable[TP]) -> None:
        """Let running batches end, commit what is applied, then forget the partitions."""
        await self.app.revoke()
        await self.commit()
        for tp in revoked:
            self._applied.pop(tp, None)
            self._deleted.pop(tp, None)
        await super().on_partitions_revoked(revoked)


class BatchTransport(Transport):  # type: ignore[misc]
    """Registered under `faust.transports` as `batch`."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
