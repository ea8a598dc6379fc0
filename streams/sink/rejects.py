"""The way back for records that were put aside in `sink_rejects`: loading them again.

They are loaded from the bytes that were kept, not published again: a second record of a compacted
topic would replace the newer one that followed it.
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.tables import SINK_REJECTS
from streams.core.rejection_limits import NO_LIMITS
from streams.kafka.batch import Batch
from streams.kafka.topic_reader import Record
from streams.sink.loader import Loader

_COLUMNS = (
    "topic, topic_id, partition, offset, kafka_timestamp, base64Encode(key), base64Encode(value)"
)
"""Bytes as text: the client would give some as their hexadecimal digits."""

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RejectChoice:
    """Which records are meant; None does not restrict.

    Attributes:
        rule: Reason code.
        since: First record time.
        until: Record time that is not meant any more.
        limit: Most records.
    """

    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 10_000

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Condition of a query, and its parameters."""
        wanted = {
            "rule_id = {rule:String}": ("rule", self.rule),
            "record_time >= {since:DateTime64(3, 'UTC')}": ("since", self.since),
            "record_time < {until:DateTime64(3, 'UTC')}": ("until", self.until),
        }
        set_ones = {sql: pair for sql, pair in wanted.items() if pair[1] is not None}
        return " AND ".join(set_ones) or "true", dict(set_ones.values())


@dataclass(slots=True)
class RejectReport:
    """What loading rejected records again did.

    Attributes:
        loaded: Records that are rows now, by topic.
        rejected: Records that are none again, by reason code.
    """

    loaded: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


def load_again(clickhouse: ClickHouse, loader: Loader, choice: RejectChoice) -> RejectReport:
    """Load chosen records again; those that become rows leave `sink_rejects`. Blocking.

    Raises:
        SinkError: ClickHouse failed; run it again.
        RegistryError: the registry did not answer, or lacks a schema that it had.
    """
    condition, parameters = choice.condition()
    rows = clickhouse.query(
        f"SELECT {_COLUMNS} FROM {SINK_REJECTS.name} FINAL WHERE {condition} "  # noqa: S608
        f"ORDER BY topic, topic_id, partition, offset LIMIT {choice.limit:d}",
        parameters,
    ).rows
    report = RejectReport()
    for (topic, topic_id, partition), found in groupby(rows, lambda row: row[:3]):
        kept = [_record(row) for row in found]
        for start in range(0, len(kept), _AT_ONCE):
            batch = Batch(topic, partition, kept[start : start + _AT_ONCE])
            rejected = {
                reject.record.offset: reject.reason.rule_id
                for reject in loader.insert_all([batch], topic_id, NO_LIMITS)
            }
            loaded = [one.offset for one in batch.records if one.offset not in rejected]
            report.loaded[topic] += len(loaded)
            report.rejected.update(rejected.values())
            _forget(clickhouse, (topic, topic_id, partition), loaded)
    return report


def _record(row: Sequence[Any]) -> Record:
    topic, _, partition, offset, timestamp, key, value = row
    return Record(topic, partition, offset, timestamp, _bytes(key), _bytes(value), ())


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def _forget(clickhouse: ClickHouse, place: tuple[str, str, int], offsets: Iterable[int]) -> None:
    listed = ", ".join(map(str, offsets))
    if listed:
        topic, topic_id, partition = place
        clickhouse.command(
            f"DELETE FROM {SINK_REJECTS.name} WHERE topic = {{topic:String}} "  # noqa: S608
            f"AND topic_id = {{topic_id:String}} AND partition = {partition:d} "
            f"AND offset IN ({listed})",
            {"topic": topic, "topic_id": topic_id},
        )
