"""Owning input partitions: fence the owner before, restore the state, check it against the log.

Blocking: runs in an executor.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, KafkaException, TopicPartition
from faust.types import TP

from streams.avro.codec import Decoder, Encoder
from streams.core import contract_types as avro
from streams.core.errors import FencedError, StateError
from streams.engine.applied import (
    NOTHING_APPLIED,
    Applied,
    InputLog,
    checked,
    crc_of,
    record_crc,
    require_same_record,
)
from streams.engine.failpoints import failpoint
from streams.engine.restore import first_record, partition_reader, restore_partition
from streams.engine.stage import Stage
from streams.engine.store import APPLIED_KEY, PartitionStore, Position
from streams.engine.transactions import (
    Changelog,
    Outgoing,
    PartitionTransactions,
    transactional_id,
)
from streams.kafka.batch import Batch
from streams.kafka.broker import Broker, PartitionId
from streams.kafka.topic_admin import partition_mismatch
from streams.topics import Topic

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Survey:
    """What the broker knows of the partitions a worker is going to acquire.

    Attributes:
        topic_uuids: Identity of every input and changelog topic by name.
        committed: Committed offsets of the group, where there are any.
    """

    topic_uuids: Mapping[str, str]
    committed: Mapping[TP, int]


@dataclass(slots=True)
class Owned:
    """An input partition of which this process is the only writer, with its restored table.

    Attributes:
        stage: Its stage.
        transactions: Its producer.
        store: Its restored table.
        changelog_uuid: Identity of the changelog topic.
        applied: What of the input is in the table.
        applied_encoder: Writes that to the changelog.
        restored_entries: How many changelog entries were read to restore it.
    """

    stage: Stage
    transactions: PartitionTransactions
    store: PartitionStore
    changelog_uuid: str
    applied: Applied
    applied_encoder: Encoder[avro.Applied]
    restored_entries: int

    @property
    def next_changelog_offset(self) -> int:
        """First changelog offset that is not in the table."""
        position = self.store.position()
        return 0 if position is None else position.next_offset

    def commit(
        self, batch: Batch, outputs: Sequence[Outgoing], changes: Mapping[bytes, bytes | None]
    ) -> None:
        """Publish a batch in one transaction, then store it.

        Raises:
            FencedError, TransactionError: it was not published.
            StateError: it was not stored; the changelog has it.
        """
        last = batch.records[-1]
        applied = replace(self.applied, offset=last.offset, record_crc=record_crc(last))
        entries = {**changes, APPLIED_KEY: self.applied_encoder.encode(applied.to_avro())}
        changelog, partition = self.stage.table.changelog_name, batch.partition
        end = self.transactions.commit(outputs, Changelog(changelog, partition, entries))
        failpoint("after_commit", self.stage.name)
        self.store.write(
            entries, Position(changelog, self.changelog_uuid, partition, end + 1, time.time())
        )
        self.applied = applied
        failpoint("after_local_write", self.stage.name)

    def release(self) -> FencedError | None:
        """Let the next owner have it; returns the error when there is one already."""
        try:
            self.transactions.prove_ownership(
                self.stage.table.changelog_name, self.applied.partition
            )
        except FencedError as error:
            return error
        finally:
            self.transactions.close()
        return None


class Ownership:
    """Makes this process the owner of input partitions, for one consumer group.

    Args:
        group: Consumer group; part of the transactional ids.
        bootstrap: Kafka bootstrap servers.
        applied_encoder, applied_decoder: Write and read the last applied offset in a changelog.
        generation: Generation of this worker.
        names: What topics are called that outputs go to, where they have another name.
    """

    def __init__(
        self,
        group: str,
        bootstrap: str,
        applied_encoder: Encoder[avro.Applied],
        applied_decoder: Decoder[avro.Applied],
        generation: int,
        names: Mapping[str, str],
    ) -> None:
        self._names = names
        self._group = group
        self._bootstrap = bootstrap
        self._applied_encoder = applied_encoder
        self._applied_decoder = applied_decoder
        self._generation = generation

    def survey(self, stages: Mapping[TP, Stage]) -> Survey:
        """Ask the broker about input partitions and the changelogs of their stages.

        Raises:
            TopicMismatchError: a topic is missing, or an input was given other partitions.
            BrokerError: no answer.
        """
        broker = Broker(self._bootstrap)
        changelogs = {stage.table.changelog_name for stage in stages.values()}
        described = broker.described([*{tp.topic for tp in stages}, *changelogs])
        for tp, stage in stages.items():
            found = len(described[tp.topic].partitions)
            kept = len(described[stage.table.changelog_name].partitions)
            if found != kept:
                # Somebody added partitions while this worker ran: nobody is assigned them.
                raise partition_mismatch(Topic(tp.topic, kept), found)
        uuids = {name: str(description.topic_id) for name, description in described.items()}
        committed = broker.committed(self._group, [PartitionId(*tp) for tp in stages])
        return Survey(uuids, {TP(*partition): offset for partition, offset in committed.items()})

    def acquire(
        self, tp: TP, stage: Stage, survey: Survey, require_wanted: Callable[[], None]
    ) -> Owned:
        """Become the only writer of a partition and bring its table up to date.

        Args:
            tp: Input partition.
            stage: Its stage.
            survey: What the broker knows of it.
            require_wanted: Raises when the partition is revoked; nothing is owned then.

        Raises:
            FencedError, TransactionError, StateError: this worker must not run.
        """
        require_wanted()
        failpoint("before_fence", stage.name)
        transactions = PartitionTransactions(
            self._bootstrap, transactional_id(self._group, *tp), self._names
        )
        try:
            self._fence(transactions, require_wanted)
            failpoint("after_fence", stage.name)
            owned = self._restored(tp, stage, survey, transactions, require_wanted)
            failpoint("after_check", stage.name)
            require_wanted()
        except BaseException:
            transactions.close()
            raise
        return owned

    @staticmethod
    def _fence(transactions: PartitionTransactions, require_wanted: Callable[[], None]) -> None:
        try:
            transactions.fence()
        except FencedError:
            require_wanted()  # else whoever came with the next rebalance was faster
            raise

    def _restored(
        self,
        tp: TP,
        stage: Stage,
        survey: Survey,
        transactions: PartitionTransactions,
        require_wanted: Callable[[], None],
    ) -> Owned:
        changelog = stage.table.changelog_name
        uuid = survey.topic_uuids[changelog]
        store = stage.table.store.open(tp.partition)
        reader = partition_reader(self._bootstrap)
        try:
            restored = restore_partition(
                store, changelog, uuid, tp.partition, reader, require_wanted
            )
            applied = self._checked(tp, store, survey, reader)
        finally:
            reader.close()
        return Owned(
            stage, transactions, store, uuid, applied, self._applied_encoder, restored.entries
        )

    def _checked(self, tp: TP, store: PartitionStore, survey: Survey, reader: Consumer) -> Applied:
        value = store.get(APPLIED_KEY)
        entry = None if value is None else Applied.from_avro(self._applied_decoder.decode(value))
        # Asked after the restore: another owner may have gone on until this process fenced it.
        log = InputLog(survey.topic_uuids[tp.topic], *_range_of(reader, tp))
        applied = checked(tp, entry, log, survey.committed.get(tp), self._generation)
        if max(log.low, NOTHING_APPLIED + 1) <= applied.offset:
            require_same_record(tp, applied, _crc_at(reader, tp, applied.offset))
        if entry is None or applied.deleted_unread != entry.deleted_unread:
            _log_deleted(applied)
        return applied


def _range_of(reader: Consumer, tp: TP) -> tuple[int, int]:
    try:
        low, high = reader.get_watermark_offsets(
            TopicPartition(*tp), timeout=_ANSWER_SECONDS, cached=False
        )
    except KafkaException as error:
        raise _unreadable(tp, error) from error
    return int(low), int(high)


def _crc_at(reader: Consumer, tp: TP, offset: int) -> int | None:
    try:
        record = first_record(reader, tp.topic, tp.partition, offset)
    except KafkaException as error:
        raise _unreadable(tp, error) from error
    if record is None or record.offset() != offset:
        return None  # compacted, or marked as applied without being read
    return crc_of(record.key(), record.value())


def _unreadable(tp: TP, error: KafkaException) -> StateError:
    return StateError(
        f"Input {tp.topic}/{tp.partition} cannot be read: {error}. Check the broker and start "
        "again."
    )


def _log_deleted(applied: Applied) -> None:
    """Say which records were deleted before anybody read them."""
    for unread in applied.deleted_unread[-1:]:
        logger.error(
            "%s/%d: retention deleted offsets %d to %d before they were read; `make "
            "audit` names them. Poll their sources whole again to bring their content back.",
            applied.topic,
            applied.partition,
            unread.first,
            unread.end - 1,
        )
