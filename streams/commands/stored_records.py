"""Whether ClickHouse holds exactly what `market.infrastructure` says, by digest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streams.clickhouse.content_digest import digests_query, records_query
from streams.clickhouse.output_format import OutputFormat
from streams.commands.sql import ask
from streams.core.audit import Published
from streams.core.content_digest import Digests, bucket_of, difference
from streams.core.errors import SinkError
from streams.kafka.topic_admin import end_offsets, lag
from streams.settings import Settings
from streams.topics import MARKET_INFRASTRUCTURE


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """What the comparison came to.

    Attributes:
        problems: A sentence for each kind that differs.
        not_compared: Why nothing was compared; None when it was.
        records: Records that are equal.
    """

    problems: tuple[str, ...] = ()
    not_compared: str | None = None
    records: int = 0


def compare_stored(settings: Settings, published: Published) -> StoredRecords:
    """Compare the highest version of every canonical record with what ClickHouse holds.

    Raises:
        BrokerError, TopicMismatchError: Kafka could not be asked.
    """
    bootstrap, topic = settings.kafka_bootstrap, MARKET_INFRASTRUCTURE.name
    left = sum(lag(bootstrap, settings.sink_app_id, [topic]).values())
    if left:
        return StoredRecords(not_compared=f"the sink has still {left:,} offsets of {topic} to read")
    try:
        stored = _stored_digests(settings)
        expected = published.digests()
        kinds = sorted(
            kind
            for kind in stored.keys() | expected.keys()
            if stored.get(kind, Digests()) != expected.get(kind, Digests())
        )
        if kinds and sum(end_offsets(bootstrap, [topic]).values()) != published.read_offsets:
            return StoredRecords(not_compared=f"{topic} grew meanwhile; run it again when it rests")
        problems = tuple(
            _difference(settings, kind, published, stored.get(kind, Digests()), expected)
            for kind in kinds
        )
    except SinkError as error:
        return StoredRecords(not_compared=str(error))
    equal = sum(digests.records for kind, digests in stored.items() if kind not in kinds)
    return StoredRecords(problems, records=equal)


def _stored_digests(settings: Settings) -> dict[str, Digests]:
    found: dict[str, Digests] = {}
    for row in _rows(settings, digests_query()):
        digests = found.setdefault(row["kind"], Digests())
        digests.add(row["bucket"], int(row["digest"]), int(row["records"]))
    return found


def _difference(
    settings: Settings,
    kind: str,
    published: Published,
    stored: Digests,
    expected: Mapping[str, Digests],
) -> str:
    buckets = expected.get(kind, Digests()).differing(stored)
    first = buckets[0]
    found = {
        row["record_id"]: (int(row["version"]), int(row["digest"]))
        for row in _rows(settings, records_query(kind, first))
    }
    wanted = {
        record_id: (newest.version, newest.digest)
        for record_id, newest in published.newest.items()
        if newest.kind == kind and bucket_of(record_id) == first
    }
    return difference(kind, wanted, found, len(buckets))


def _rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = orjson.loads(ask(settings, sql, OutputFormat.JSON))
    return rows
