"""One record through all stages, read from the topics and from ClickHouse.

Topics are read by key, one partition each, wherever the key chooses it; assets in
`normalized.assets` lie where their region is.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.clickhouse.table import quoted
from streams.clickhouse.tables import KINDS, SERIES_KINDS
from streams.core import contract_types as avro
from streams.core.errors import InfrastructureError, SinkError
from streams.core.keys import observation_record_id
from streams.core.records import RawCoordinates, source_key
from streams.core.topic_record import TopicRecord
from streams.core.trace import Found, StoredRow, Trace, canonical_ids, place, trace
from streams.kafka.decoding import Decoding
from streams.kafka.topic_reader import read, read_all, read_keys
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    MARKET_INFRASTRUCTURE,
    NORMALIZED_ASSETS,
    NORMALIZED_OBSERVATIONS,
    RECORD_OUTCOMES,
    Topic,
    raw_topic,
)

_RAW_TOPICS: Mapping[str, Topic] = {
    connector.source_id: raw_topic(name) for name, connector in CONNECTORS.items()
}
"""Raw topic by source id."""

_STREAM_KINDS: Mapping[tuple[str, str], str] = {
    (connector.source_id, stream.name): stream.kind
    for connector in CONNECTORS.values()
    for stream in connector.discover()
}
"""Canonical kind by source id and stream."""

_RECORDS: Mapping[Topic, type[Any]] = {
    **dict.fromkeys(_RAW_TOPICS.values(), avro.RawRecord),
    NORMALIZED_ASSETS: avro.NormalizedAsset,
    NORMALIZED_OBSERVATIONS: avro.NormalizedObservation,
    RECORD_OUTCOMES: avro.RecordOutcome,
    DEAD_LETTERS: avro.DeadLetter,
    MARKET_INFRASTRUCTURE: avro.InfrastructureRecord,
}
"""What the values of each topic are."""

_COORDINATES = re.compile(r"(?P<topic>raw\.[\w.-]+)[/:](?P<partition>\d+)[/:](?P<offset>\d+)")


Ask = Callable[[str], Sequence[Mapping[str, Any]]]
"""Answers a SELECT with its rows; raises SinkError."""


class TraceError(InfrastructureError):
    """Nothing is known by this name."""


class SourceRecord(NamedTuple):
    """One record of one source, by the source's own id."""

    source_id: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Followed:
    """What a name stands for.

    Attributes:
        coordinates: One raw record; None: every raw record of the source records.
        sources: Source records.
        lineages: Raw records that need not have the key of their source record.
        canonical: Ids of canonical records.
    """

    coordinates: RawCoordinates | None = None
    sources: frozenset[SourceRecord] = frozenset()
    lineages: frozenset[RawCoordinates] = frozenset()
    canonical: frozenset[str] = frozenset()


def follow(settings: Settings, ask: Ask, name: str, day: date | None = None) -> Trace:
    """Everything the topics and ClickHouse have of a record.

    Args:
        settings: Where Kafka and the registry are.
        ask: Asks ClickHouse.
        name: Raw coordinates (`raw.alsi_lng/2/1234`), id of an asset, source record id (alone or
            as `source:id`), or a series (with the day): terminal, EIC, country or EU.
        day: Gas day of the series.

    Raises:
        TraceError: nothing has this name.
        BrokerError, TopicMismatchError, RegistryError: the topics could not be read.
        SinkError: a series, or a terminal's readable id, and ClickHouse does not answer.
    """
    with open_registry(settings.kafka_bootstrap, settings.schema_registry_url) as registry:
        topics = _Topics(settings, registry)
        return _traced(ask, topics, _followed(ask, topics, name, day))


def _traced(ask: Ask, topics: "_Topics", followed: Followed) -> Trace:
    raw = [record for source in followed.sources for record in topics.raw(source)]
    for at in followed.lineages - {one.coordinates for one in raw}:
        raw += topics.raw_at(at)
    if not raw:
        names = ", ".join(source_key(*source) for source in sorted(followed.sources))
        raise TraceError(
            f"No raw topic has a record of {names}: poll its source, or look at the id."
        )
    outcomes = topics.of_keys(
        RECORD_OUTCOMES, {one.coordinates.key for one in raw if one.copy_of is None}
    )
    identities = followed.canonical | canonical_ids(outcomes)
    if followed.coordinates is not None:
        at = followed.coordinates
        raw = [one for one in raw if at in (one.coordinates, one.copy_of)]
        outcomes = [one for one in outcomes if one.key == at.key]
    canonical = topics.of_keys(MARKET_INFRASTRUCTURE, identities)
    rows: list[StoredRow] | None = None
    notes: tuple[str, ...] = ()
    try:
        rows = _rows(ask, {one.content["record_id"]: one.content["kind"] for one in canonical})
    except SinkError as error:
        notes = (f"ClickHouse was not asked: {error}",)
    found = trace(
        Found(
            raw,
            topics.normalized(raw),
            outcomes,
            topics.of_keys(DEAD_LETTERS, {one.coordinates.key for one in raw}),
            canonical,
            rows,
            topics.foreign,
        )
    )
    return replace(found, notes=(*found.notes, *notes))


def _followed(ask: Ask, topics: "_Topics", name: str, day: date | None) -> Followed:
    if at := _COORDINATES.fullmatch(name):
        raw = RawCoordinates(at["topic"], int(at["partition"]), int(at["offset"]))
        return _of_coordinates(topics, raw)
    if day is not None:
        return Followed(sources=_of_series(ask, name, day))
    if _is_asset_id(name):
        return _of_asset(topics, name)
    kind, _, rest = name.partition(":")
    source_id, _, record_id = (rest if kind in KINDS else name).partition(":")
    if record_id and source_id in _RAW_TOPICS:
        return Followed(sources=frozenset({SourceRecord(source_id, record_id)}))
    named = {SourceRecord(source_id, name) for source_id in _RAW_TOPICS}
    if sources := frozenset(source for source in named if topics.raw(source)):
        return Followed(sources=sources)
    terminals = ask(
        f"SELECT record_id FROM lng_terminals WHERE upper(terminal_id) = {_upper(name)}",  # noqa: S608
    )
    if len(terminals) == 1:
        return _of_asset(topics, terminals[0]["record_id"])
    raise TraceError(
        f"{name} is neither raw coordinates nor the id of an asset, a source record or a terminal; "
        "a gas day is found by terminal, EIC, country or EU and its day, DAY=2025-10-01."
    )


def _of_coordinates(topics: "_Topics", at: RawCoordinates) -> Followed:
    found = [record for record in topics.raw_at(at) if record.coordinates == at]
    if not found:
        raise TraceError(
            f"There is no record at {place(at)}: `make inspect TOPIC={at.topic} ARGS=--count` says "
            "what there is."
        )
    (record,) = found
    raw = record.content
    sources = {SourceRecord(raw["source_id"], raw["record_id"])} if raw else set()
    original = record.copy_of or at
    return Followed(original, frozenset(sources), frozenset({original}))


def _of_asset(topics: "_Topics", record_id: str) -> Followed:
    versions = topics.of_keys(MARKET_INFRASTRUCTURE, {record_id})
    if not versions:
        raise TraceError(f"{MARKET_INFRASTRUCTURE.name} has no record {record_id}: look at the id.")
    members = [member for version in versions for member in version.content["members"]]
    return Followed(
        sources=frozenset(SourceRecord(it["source_id"], it["record_id"]) for it in members),
        lineages=frozenset(RawCoordinates.from_avro(it["lineage"]) for it in members),
        canonical=frozenset({record_id}),
    )


def _of_series(ask: Ask, name: str, day: date) -> frozenset[SourceRecord]:
    """Source records of a gas day; several where operators share a terminal.

    They need not exist: a day that was rejected has raw records, too, and no row.
    """
    named = ("terminal_id", "entity_id", "facility_eic", "company_eic")
    condition = " OR ".join(f"upper({column}) = {_upper(name)}" for column in named)
    found = ask(
        "SELECT DISTINCT arrayJoin(source_ids) AS source_id, entity_id "  # noqa: S608
        f"FROM lng_inventory_history WHERE {condition}",
    )
    if not found:
        raise TraceError(
            f"No series is called {name}; `make inspect TOPIC=lng.gas_days ARGS='--last 50'` shows "
            "some that are."
        )
    return frozenset(
        SourceRecord(row["source_id"], observation_record_id(row["entity_id"], day))
        for row in found
    )


def _rows(ask: Ask, kinds: Mapping[str, str]) -> list[StoredRow]:
    """Every stored version of canonical records, by id and kind."""
    selects = []
    for kind in sorted(set(kinds.values())):
        ids = ", ".join(
            quoted(record_id) for record_id in sorted(kinds) if kinds[record_id] == kind
        )
        selects.append(
            f"SELECT '{kind}' AS kind, record_id, version, record_status, "  # noqa: S608
            "version = max(version) OVER (PARTITION BY record_id) AS current, "
            "known_at, published_at, partition, offset "
            f"FROM {KINDS[kind]}_history WHERE record_id IN ({ids})"
        )
    if not selects:
        return []
    return [
        StoredRow(
            row["kind"],
            row["record_id"],
            int(row["version"]),
            row["record_status"],
            bool(row["current"]),
            _utc(row["known_at"]),
            None if row["published_at"] is None else _utc(row["published_at"]),
            row["partition"],
            None if row["offset"] is None else int(row["offset"]),
        )
        for row in ask(" UNION ALL ".join(selects))
    ]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _upper(name: str) -> str:
    return quoted(name.upper())


def _is_asset_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


class _Topics:
    """Reads topics; values have every field of the newest contract.

    Attributes:
        foreign: What was found of the asked keys that the pipeline has not written.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.foreign: list[TopicRecord] = []
        self._bootstrap = settings.kafka_bootstrap
        self._decodings = {
            topic.name: Decoding(registry, topic_decoder(registry, topic, record))
            for topic, record in _RECORDS.items()
        }

    def raw(self, source: SourceRecord) -> list[TopicRecord]:
        """Raw records of a source record, copies included."""
        topic = _RAW_TOPICS[source.source_id]
        return self._by_keys(topic.name, {source.record_id})

    def raw_at(self, at: RawCoordinates) -> list[TopicRecord]:
        """A raw record, and copies of it, which come later in its partition."""
        if at.topic not in {topic.name for topic in _RAW_TOPICS.values()}:
            names = ", ".join(sorted(topic.name for topic in _RAW_TOPICS.values()))
            raise TraceError(f"{at.topic} is no raw topic; these are: {names}.")
        records = (
            record
            for record in read(
                self._bootstrap, at.topic, partition=at.partition, from_offset=at.offset
            )
            if record.offset == at.offset or record.headers
        )
        decoded = map(self._decodings[at.topic].decoded, records)
        return [record for record in decoded if at in (record.coordinates, record.copy_of)]

    def normalized(self, raw: Iterable[TopicRecord]) -> list[TopicRecord]:
        """Normalized records of raw records."""
        series, assets = set(), set()
        for one in raw:
            if not (said := one.content):
                continue
            if _STREAM_KINDS.get((said["source_id"], said["stream"])) in SERIES_KINDS:
                entity_id, _, _ = said["record_id"].rpartition("/")
                series.add(source_key(said["source_id"], entity_id))
            else:
                assets.add(source_key(said["source_id"], said["record_id"]))
        found = self.of_keys(NORMALIZED_OBSERVATIONS, series)
        if assets:
            wanted = {key.encode() for key in assets}
            everywhere = read_all(self._bootstrap, NORMALIZED_ASSETS.name)
            decoded = self._decodings[NORMALIZED_ASSETS.name].decoded
            chosen = (decoded(record) for record in everywhere if record.key in wanted)
            found += self._readable(chosen)
        return found

    def of_keys(self, topic: Topic, keys: Collection[str]) -> list[TopicRecord]:
        """Readable records with one of these keys."""
        return self._readable(self._by_keys(topic.name, keys))

    def _readable(self, records: Iterable[TopicRecord]) -> list[TopicRecord]:
        found: list[TopicRecord] = []
        for record in records:
            (found if record.content else self.foreign).append(record)
        return found

    def _by_keys(self, topic: str, keys: Collection[str]) -> list[TopicRecord]:
        if not keys:
            return []
        found = read_keys(self._bootstrap, topic, {key.encode() for key in keys})
        return [self._decodings[topic].decoded(record) for record in found]
