"""One run of one source: lock, read the checkpoint, pull, publish, flush, store the checkpoint.

A crash between publishing and storing makes the next run read the same again; the pipeline finds
the repeated records unchanged.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal

from producers.checkpoint import CheckpointStore, open_store
from producers.config import load_config
from producers.connector import (
    InfrastructureConnector,
    KnownPlant,
    Pull,
    PullRequest,
    RawItem,
)
from producers.connectors import CONNECTORS
from producers.errors import CheckpointError, ConfigurationError, LossError, PartlyReadError
from producers.fetch_clock import FetchClock, clock_warnings
from producers.http import DownloadProgress, HttpSource
from producers.known_plants import known_plants
from producers.published import Published, digest_of
from producers.raw_log import RawLog, known_part, lost_since
from producers.run_history import Attempt, FinishedRun
from producers.seen_fields import FieldCounts, item_schema
from producers.storable_text import storable
from producers.unfinished import Unfinished, unfinished_since
from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.avro.topic_codecs import topic_encoder, topic_head_decoder
from streams.core import contract_types as avro
from streams.core.errors import RecordTooLargeError
from streams.core.records import RawRecord
from streams.kafka.topic_admin import end_offsets, require_topics, topic_uuids
from streams.kafka.topic_writer import TopicWriter
from streams.kafka.used_schemas import open_registry
from streams.topics import raw_topic

log = logging.getLogger(__name__)

TOO_LARGE = "too_large"
"""Reason of an item that its raw topic does not take."""

_NAMED_ITEMS = 10
"""Items left out that are named one by one; all are counted."""

_LARGEST_LOSS = 0.2
"""Share of a stream that may be gone without a word of a person."""

_BELIEVED_AHEAD = timedelta(days=1)
"""How far behind the fetch a source may say it changed an item: days end late in the west."""

Progress = Callable[[int, int | None], None]
"""Called with the items pulled so far and the items expected (None when unknown)."""


@dataclass(frozen=True, slots=True)
class Services:
    """Addresses of what a run writes to."""

    kafka_bootstrap: str
    schema_registry_url: str
    postgres_dsn: str


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the caller asks of a run; see `PullRequest`.

    Attributes:
        whole: Read everything again and date it by the present, as a first run does.
        accept_loss: What releases have lost is really gone.
        present: When the run is, for a simulation; None asks the checkpoint database.
    """

    since: date | None = None
    until: date | None = None
    limit: int | None = None
    whole: bool = False
    accept_loss: bool = False
    present: datetime | None = None

    def request(
        self,
        checkpoint: dict[str, str],
        plants: Callable[[], Iterable[KnownPlant]] = tuple,
        today: date | None = None,
        reread: frozenset[str] = frozenset(),
    ) -> PullRequest:
        """The request of a run that starts now.

        Args:
            checkpoint: What the run before returned.
            plants: See `PullRequest.known_plants`; no plants unless given.
            today: Date of the run, UTC; None asks the clock of this machine.
            reread: See `PullRequest.reread`.
        """
        today = today or datetime.now(UTC).date()
        return PullRequest(
            checkpoint, today, self.since, self.until, self.limit, plants, self.accept_loss, reread
        )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one run did.

    Attributes:
        polled: Items the source gave; 0 when it said nothing changed.
        delisted: Records published as no longer listed.
        left_out: Items that were not published, by reason.
        already_published: Items that say what was published of them last.
        published: Records the broker confirmed: polled plus delisted, without those left out and
            those already published.
        unchanged: The source said nothing changed.
        elapsed_seconds: Wall time.
    """

    source: str
    run_id: str
    polled: int
    delisted: int
    left_out: Mapping[str, int]
    already_published: int
    published: int
    unchanged: bool
    elapsed_seconds: float


def _machine_time() -> datetime:
    return datetime.now(UTC)


class Envelope:
    """Wraps the items of one run into raw records.

    A release is fetched at one moment: whoever asks what was known then gets all of it or nothing,
    never a plant with half of its units.

    Args:
        connector: The source.
        run_id: The run.
        fetch_time: Says when what comes now was fetched; the clock of this machine unless given.
    """

    def __init__(
        self,
        connector: InfrastructureConnector,
        run_id: str,
        fetch_time: Callable[[], datetime] = _machine_time,
    ) -> None:
        self._connector = connector
        self._run_id = run_id
        self._fetch_time = fetch_time
        self._fetched: dict[tuple[str, str], datetime] = {}

    def observed(self, item: RawItem) -> RawRecord:
        """An item as pulled."""
        return self._record("observed", item.record_id, item.stream, item, item.item)

    def no_longer_listed(self, record_id: str, stream: str, release: RawItem) -> RawRecord:
        """A record that the release which `release` belongs to does not list any more."""
        return self._record("no_longer_listed", record_id, stream, release, None)

    def _record(
        self,
        event: Literal["observed", "no_longer_listed"],
        record_id: str,
        stream: str,
        source: RawItem,
        item: Mapping[str, Any] | None,
    ) -> RawRecord:
        fetched_at = self._fetched_at(stream, source.release)
        updated_at = source.source_updated_at if item is not None else None
        if updated_at is not None and updated_at - fetched_at > _BELIEVED_AHEAD:
            # Its own clock or a slip of the pen; it would hide every update until then.
            updated_at = fetched_at
        return RawRecord(
            source_id=self._connector.source_id,
            stream=stream,
            record_id=record_id,
            event=event,
            fetched_at=fetched_at,
            source_updated_at=updated_at,
            release=source.release,
            run_id=self._run_id,
            origin=source.origin,
            licence=source.credit.licence if source.credit else self._connector.licence,
            attribution=source.credit.attribution if source.credit else self._connector.attribution,
            item=item,
        )

    def _fetched_at(self, stream: str, release: str | None) -> datetime:
        """The present; of an item of a release, the fetch time of its first one in this run."""
        if release is None:
            return self._fetch_time()
        key = stream, release
        if key not in self._fetched:
            self._fetched[key] = self._fetch_time()
        return self._fetched[key]


def connector_class_of(name: str) -> type[InfrastructureConnector]:
    """The connector of a source.

    Raises:
        ConfigurationError: there is no such source; names those there are.
    """
    if name not in CONNECTORS:
        raise ConfigurationError(f"There is no source {name!r}; known: {', '.join(CONNECTORS)}.")
    return CONNECTORS[name]


def connect(
    name: str,
    environment: Mapping[str, str],
    on_download: DownloadProgress | None = None,
) -> tuple[InfrastructureConnector, HttpSource]:
    """A configured connector and a client for one run of it; close the client after the run.

    Raises:
        ConfigurationError: unknown source, or a wrong configuration.
    """
    connector_class = connector_class_of(name)
    connector = connector_class(load_config(name, connector_class.config_model, environment))
    http = HttpSource(
        connector.config.http,
        secret_headers=connector.secret_headers(),
        secret_address=connector.secret_address(),
        key_variable=connector.key_variable,
        on_download=on_download,
    )
    return connector, http


def run_once(
    name: str,
    options: RunOptions,
    services: Services,
    environment: Mapping[str, str],
    on_progress: Progress | None = None,
    on_download: DownloadProgress | None = None,
) -> RunSummary:
    """Poll a source once.

    Raises:
        ProducerError: see `producers.errors`; the checkpoint has not moved.
        SettingsError: the schema registry is another one than this deployment has used.
        RegistryError: the schema registry does not answer or lacks the schema.
        TopicMismatchError: the raw topic is missing or not as declared.
        BrokerError: no Kafka broker answers, or it has not confirmed every record; the checkpoint
            has not moved.
    """
    began = time.monotonic()
    try:
        connector, http = connect(name, environment, on_download)
    except ConfigurationError as error:
        _record_misconfigured(name, services, error)
        raise
    topic = raw_topic(name)
    with http, open_store(services.postgres_dsn) as store:
        store.lock(connector.source_id)
        previous = store.latest(connector.source_id)
        clock = _fetch_clock(connector, store, None if options.whole else previous, options.present)
        run_id = uuid.uuid4().hex
        with _recorded(store, connector.source_id, run_id, http, clock) as attempted:
            with open_registry(services.kafka_bootstrap, services.schema_registry_url) as registry:
                encoder = topic_encoder(registry, topic, avro.RawRecord)
            require_topics(services.kafka_bootstrap, [topic], written=[topic])
            with TopicWriter(services.kafka_bootstrap, [topic.name]) as writer:
                attempted.writer = writer

                def publish(record: RawRecord) -> None:
                    writer.send(
                        topic.name, record.record_id.encode(), encoder.encode(record.to_avro())
                    )

                plants = partial(
                    known_plants, services.kafka_bootstrap, services.schema_registry_url
                )
                raw_log = read_raw_log(services.kafka_bootstrap, topic.name)
                afresh = options.whole or previous is None
                if previous is not None:
                    lost = lost_since(topic.name, previous.raw_log, raw_log)
                    if lost is not None:
                        log.warning("%s: %s: everything is polled again", name, lost)
                        afresh = True
                checkpoint = {} if afresh or previous is None else previous.checkpoint
                before = known_part(
                    topic.name, None if previous is None else previous.raw_log, raw_log
                )
                unfinished = _unfinished(connector, services, before, raw_log, with_ids=not afresh)
                known = dict if afresh else partial(store.published, connector.source_id)
                published = Published(known, unfinished.record_ids)
                request = options.request(
                    checkpoint, plants, clock.present().date(), unfinished.streams
                )
                run = _Run(
                    run_id, connector, request, store, publish, clock, published, unfinished.listed
                )
                attempted.left_out = run.left_out
                run.publish_items(http, on_progress)
                run.publish_delisted()
                writer.finish()
                if run.polled or not run.pull.failures:
                    if all(map(run.pull.is_complete, unfinished.streams)):
                        before = read_raw_log(services.kafka_bootstrap, topic.name)
                    run.finish(before, afresh=afresh)
                raise_failures(connector.source_id, run.pull, run.polled)
                return RunSummary(
                    source=name,
                    run_id=run.run_id,
                    polled=run.polled,
                    delisted=len(run.gone),
                    left_out=run.left_out,
                    already_published=run.already_published,
                    published=writer.confirmed,
                    unchanged=run.pull.unchanged,
                    elapsed_seconds=time.monotonic() - began,
                )


def _unfinished(
    connector: InfrastructureConnector,
    services: Services,
    before: RawLog,
    now: RawLog,
    *,
    with_ids: bool,
) -> Unfinished:
    """What runs have published and not recorded; says so where there is any."""
    if before.ends == now.ends:
        return Unfinished()
    topic = raw_topic(connector.name)
    released = {stream.name for stream in connector.discover() if stream.released}
    with Registry(services.schema_registry_url) as registry:
        decoder = topic_head_decoder(registry, topic, "event")
        found = unfinished_since(
            services.kafka_bootstrap,
            topic.name,
            decoder,
            before,
            now,
            released,
            with_ids=with_ids,
        )
    if found.count:
        log.info(
            "%s: %s records were published by runs that recorded nothing: what they say is "
            "compared with the source",
            *(connector.name, f"{found.count:,}"),
        )
    return found


def _record_misconfigured(name: str, services: Services, error: ConfigurationError) -> None:
    """Count a run that could not begin as a failed attempt, where the database answers."""
    source_id = connector_class_of(name).source_id
    with suppress(CheckpointError), open_store(services.postgres_dsn) as store:
        number = store.begin_attempt(source_id, uuid.uuid4().hex)
        ended_at, name_of = store.present(), type(error).__name__
        store.end_attempt(Attempt(number, ended_at, 0, 0, name_of, {}, str(error)))


def read_raw_log(bootstrap: str, topic: str) -> RawLog:
    """A raw topic as the broker has it now.

    Raises:
        TopicMismatchError: it is missing.
        BrokerError: no answer.
    """
    ends = end_offsets(bootstrap, [topic])
    return RawLog(
        topic_uuids(bootstrap, [topic])[topic],
        tuple(ends[partition] for partition in sorted(ends)),
    )


def _fetch_clock(
    connector: InfrastructureConnector,
    store: CheckpointStore,
    previous: FinishedRun | None,
    simulated: datetime | None,
) -> FetchClock:
    """The clock of a run; says what is odd about it."""
    last_fetch = None if previous is None else previous.fetched_until
    if simulated is not None:
        return FetchClock(simulated, last_fetch)
    present = store.present()
    schedule = connector.config.schedule
    for warning in clock_warnings(connector.name, schedule, present, last_fetch, _machine_time()):
        log.warning("%s", warning)
    return FetchClock(present, last_fetch)


@dataclass(slots=True)
class _Attempted:
    """What a run has come to; no writer before registry and broker have answered."""

    writer: TopicWriter | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def published(self) -> int:
        return 0 if self.writer is None else self.writer.confirmed


@contextmanager
def _recorded(
    store: CheckpointStore, source_id: str, run_id: str, http: HttpSource, clock: FetchClock
) -> Iterator[_Attempted]:
    """Record that a run begins and how it ends, for the metrics; an error goes on as it came."""
    attempted = _Attempted()
    number = store.begin_attempt(source_id, run_id)

    def record(error: Exception | None) -> None:
        store.end_attempt(
            Attempt(
                number,
                clock.present(),
                attempted.published,
                http.rate_limit_hits,
                None if error is None else type(error).__name__,
                dict(attempted.left_out),
                None if error is None else str(error),
            )
        )

    try:
        yield attempted
    except Exception as error:
        # Also one that nobody foresaw, which ends the process: the metrics must know.
        with suppress(CheckpointError):  # the first error says more
            record(error)
        raise
    record(None)


class _Run:
    """The steps of one run, in the order they are called."""

    def __init__(
        self,
        run_id: str,
        connector: InfrastructureConnector,
        request: PullRequest,
        store: CheckpointStore,
        publish: Callable[[RawRecord], None],
        clock: FetchClock,
        published: Published,
        unfinished: Mapping[str, str],
    ) -> None:
        self.run_id = run_id
        self.started_at = clock.present()
        self.polled = 0
        self.already_published = 0
        self._published = published
        self._unfinished = unfinished
        self._clock = clock
        self.gone: dict[str, str] = {}
        self._connector = connector
        self._store = store
        self._publish = publish
        self._envelope = Envelope(connector, self.run_id, clock.fetch_time)
        self._request = request
        self._listed: dict[str, str] = {}
        self._appeared: dict[str, str] = {}
        self._last_items: dict[str, RawItem] = {}
        agreed = contract(raw_topic(connector.name).contract_name)
        self._fields = FieldCounts(item_schema(agreed.latest))
        self.pull = Pull(dict(self._request.checkpoint))
        self.left_out = self.pull.left_out

    def publish_items(self, http: HttpSource, on_progress: Progress | None) -> None:
        """Pull and publish everything the source gives."""
        for pulled in self._connector.pull_or_subscribe(http, self._request, self.pull):
            record_id = storable(pulled.record_id)
            same = record_id == pulled.record_id
            item = pulled if same else replace(pulled, record_id=record_id)
            self._publish_item(item)
            self._fields.add(item.stream, item.item)
            self._listed[item.record_id] = item.stream
            self._last_items[item.stream] = item
            self.polled += 1
            if on_progress:
                on_progress(self.polled, self.pull.expected)

    def _publish_item(self, item: RawItem) -> None:
        digest = digest_of(item)
        if self._published.has(item.record_id, digest):
            self.already_published += 1
            return
        try:
            self._publish(self._envelope.observed(item))
            self._published.add(item.record_id, digest)
        except RecordTooLargeError as error:
            # It stays listed: what was published of it before is not withdrawn.
            self.left_out[TOO_LARGE] += 1
            if self.left_out[TOO_LARGE] <= _NAMED_ITEMS:
                log.warning(
                    "%s: %s of stream %s is not published. %s Then read it again: "
                    "`python -m producers %s --whole`.",
                    *(self._connector.name, item.record_id, item.stream),
                    *(error, self._connector.name),
                )

    def publish_delisted(self) -> None:
        """Publish what was listed of a stream and is not in this complete release of it."""
        complete = {name for name in self._last_items if self.pull.is_complete(name)}
        if not complete:
            return
        recorded = self._store.listed(self._connector.source_id)
        before = {**self._unfinished, **recorded}
        for stream in sorted(complete):
            if self._loses_too_much(stream, before):
                complete.remove(stream)
        self.gone = {
            key: stream
            for key, stream in before.items()
            if stream in complete and key not in self._listed
        }
        self._appeared = {
            key: stream
            for key, stream in self._listed.items()
            if stream in complete and key not in recorded
        }
        for record_id, stream in sorted(self.gone.items()):
            self._publish(
                self._envelope.no_longer_listed(record_id, stream, self._last_items[stream])
            )
            self._published.remove(record_id)

    def _loses_too_much(self, stream: str, before: Mapping[str, str]) -> bool:
        """Whether a person must say first that what the stream lost is gone.

        Its failure is noted then, and its checkpoint stays where it was.

        Raises:
            LossError: the source has no other stream.
        """
        known = {key for key, name in before.items() if name == stream}
        lost = len(known - self._listed.keys())
        if self._request.accept_loss or lost <= len(known) * _LARGEST_LOSS:
            return False
        error = LossError(
            f"{lost:,} of {len(known):,} records of stream {stream} are not listed any more. "
            "Nothing is withdrawn: the list may be cut short, or have another form. When they are "
            f"really gone: `make poll SOURCE={self._connector.name} ARGS=--accept-loss`."
        )
        if len(self._connector.discover()) == 1:
            raise error
        self.pull.failures[stream] = error
        self.pull.complete = False
        self.pull.complete_streams.discard(stream)
        old, new = self._request.checkpoint, self.pull.checkpoint
        for key in old.keys() | new.keys():
            if self._connector.is_checkpoint_of(key, stream):
                new.pop(key, None)
                new |= {key: old[key]} if key in old else {}
        return True

    def finish(self, raw_log: RawLog, *, afresh: bool) -> None:
        """Store the next checkpoint. Call it after the broker has confirmed everything.

        Args:
            raw_log: The part of the raw topic that is recorded as done.
            afresh: What earlier runs have published does not count any more.
        """
        self._store.finish(
            FinishedRun(
                source_id=self._connector.source_id,
                run_id=self.run_id,
                started_at=self.started_at,
                finished_at=self._clock.present(),
                items=self.polled,
                delisted=len(self.gone),
                complete=self.pull.complete or bool(self.pull.complete_streams),
                checkpoint=self.pull.checkpoint,
                raw_log=raw_log,
                fetched_until=self._clock.fetch_time(),
                left_out=dict(self.left_out),
                already_published=self.already_published,
            ),
            self._appeared,
            self.gone,
            self._fields,
            self._published.changes,
            afresh=afresh,
        )


def raise_failures(source_id: str, pull: Pull, polled: int) -> None:
    """Say which streams could not be read, after the others were recorded.

    Raises:
        SourceError: nothing was read, and this is the one reason.
        PartlyReadError: there are such streams.
    """
    if not pull.failures:
        return
    first = next(iter(pull.failures.values()))
    if not polled and len(pull.failures) == 1:
        raise first
    failed = " ".join(f"{name}: {error}" for name, error in pull.failures.items())
    done = f"Published {polled} items of the other streams of {source_id}, but could"
    raise PartlyReadError(
        f"{done if polled else f'{source_id}: could'} not read {failed}"
    ) from first
