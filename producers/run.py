"""One run of one source: lock, read the checkpoint, pull, publish, flush, store the checkpoint.

A crash between publishing and storing makes the next run read the same again; the pipeline finds
the repeated records unchanged.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Literal

from producers.checkpoint import Attempt, CheckpointStore, FinishedRun, open_store
from producers.config import load_config
from producers.connector import (
    InfrastructureConnector,
    KnownPlant,
    Pull,
    PullRequest,
    RawItem,
)
from producers.connectors import CONNECTORS
from producers.errors import CheckpointError, ConfigurationError, PartlyReadError
from producers.http import DownloadProgress, HttpSource
from producers.known_plants import known_plants
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_encoder
from streams.core import contract_types as avro
from streams.core.errors import InfrastructureError
from streams.core.records import RawRecord
from streams.kafka.topic_writer import TopicWriter
from streams.topics import raw_topic

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
    """What the caller asks of a run; see `PullRequest`."""

    since: date | None = None
    until: date | None = None
    limit: int | None = None

    def request(
        self,
        checkpoint: dict[str, str],
        plants: Callable[[], Iterable[KnownPlant]] = tuple,
    ) -> PullRequest:
        """The request of a run that starts now.

        Args:
            checkpoint: What the run before returned.
            plants: See `PullRequest.known_plants`; no plants unless given.
        """
        today = datetime.now(UTC).date()
        return PullRequest(checkpoint, today, self.since, self.until, self.limit, plants)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one run did.

    Attributes:
        polled: Items the source gave; 0 when it said nothing changed.
        delisted: Records published as no longer listed.
        published: Records the broker confirmed: polled plus delisted.
        unchanged: The source said nothing changed.
        elapsed_seconds: Wall time.
    """

    source: str
    run_id: str
    polled: int
    delisted: int
    published: int
    unchanged: bool
    elapsed_seconds: float


class Envelope:
    """Wraps the items of one run into raw records."""

    def __init__(self, connector: InfrastructureConnector, run_id: str) -> None:
        self._connector = connector
        self._run_id = run_id

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
        return RawRecord(
            source_id=self._connector.source_id,
            stream=stream,
            record_id=record_id,
            event=event,
            fetched_at=datetime.now(UTC),
            source_updated_at=source.source_updated_at if item is not None else None,
            release=source.release,
            run_id=self._run_id,
            origin=source.origin,
            licence=source.credit.licence if source.credit else self._connector.licence,
            attribution=source.credit.attribution if source.credit else self._connector.attribution,
            item=item,
        )


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
        RegistryError: the schema registry does not answer or lacks the schema.
        TopicMismatchError: the raw topic is missing.
        BrokerError: no Kafka broker answers, or it has not confirmed every record; the checkpoint
            has not moved.
    """
    began = time.monotonic()
    connector, http = connect(name, environment, on_download)
    topic = raw_topic(name)
    with http, open_store(services.postgres_dsn) as store:
        store.lock(connector.source_id)
        with _recorded(store, connector.source_id, http) as attempted:
            with Registry(services.schema_registry_url) as registry:
                encoder = topic_encoder(registry, topic, avro.RawRecord)
            with TopicWriter(services.kafka_bootstrap, [topic.name]) as writer:
                attempted.writer = writer

                def publish(record: RawRecord) -> None:
                    writer.send(
                        topic.name, record.record_id.encode(), encoder.encode(record.to_avro())
                    )

                plants = partial(
                    known_plants, services.kafka_bootstrap, services.schema_registry_url
                )
                request = options.request(store.latest(connector.source_id), plants)
                run = _Run(connector, request, store, publish)
                run.publish_items(http, on_progress)
                run.publish_delisted()
                writer.finish()
                run.finish()
                run.raise_failures()
                return RunSummary(
                    source=name,
                    run_id=run.run_id,
                    polled=run.polled,
                    delisted=len(run.gone),
                    published=writer.confirmed,
                    unchanged=run.pull.unchanged,
                    elapsed_seconds=time.monotonic() - began,
                )


@dataclass(slots=True)
class _Attempted:
    """What a run has come to; no writer before registry and broker have answered."""

    writer: TopicWriter | None = None

    @property
    def published(self) -> int:
        return 0 if self.writer is None else self.writer.confirmed


@contextmanager
def _recorded(store: CheckpointStore, source_id: str, http: HttpSource) -> Iterator[_Attempted]:
    """Record how a run ends, for the metrics; an error goes on as it came."""
    attempted = _Attempted()

    def record(error: str | None) -> None:
        hits = http.rate_limit_hits
        store.record_attempt(
            Attempt(source_id, datetime.now(UTC), attempted.published, hits, error)
        )

    try:
        yield attempted
    except InfrastructureError as error:
        with suppress(CheckpointError):  # the first error says more
            record(type(error).__name__)
        raise
    record(None)


class _Run:
    """The steps of one run, in the order they are called."""

    def __init__(
        self,
        connector: InfrastructureConnector,
        request: PullRequest,
        store: CheckpointStore,
        publish: Callable[[RawRecord], None],
    ) -> None:
        self.run_id = uuid.uuid4().hex
        self.started_at = datetime.now(UTC)
        self.polled = 0
        self.gone: dict[str, str] = {}
        self._connector = connector
        self._store = store
        self._publish = publish
        self._envelope = Envelope(connector, self.run_id)
        self._request = request
        self._listed: dict[str, str] = {}
        self._appeared: dict[str, str] = {}
        self._last_items: dict[str, RawItem] = {}
        self.pull = Pull(dict(self._request.checkpoint))

    def publish_items(self, http: HttpSource, on_progress: Progress | None) -> None:
        """Pull and publish everything the source gives."""
        for item in self._connector.pull_or_subscribe(http, self._request, self.pull):
            self._publish(self._envelope.observed(item))
            self._listed[item.record_id] = item.stream
            self._last_items[item.stream] = item
            self.polled += 1
            if on_progress:
                on_progress(self.polled, self.pull.expected)

    def publish_delisted(self) -> None:
        """Publish what the previous complete release of a stream listed and this one does not."""
        complete = {name for name in self._last_items if self.pull.is_complete(name)}
        if not complete:
            return
        before = self._store.listed(self._connector.source_id)
        self.gone = {
            key: stream
            for key, stream in before.items()
            if stream in complete and key not in self._listed
        }
        self._appeared = {
            key: stream
            for key, stream in self._listed.items()
            if stream in complete and key not in before
        }
        for record_id, stream in sorted(self.gone.items()):
            self._publish(
                self._envelope.no_longer_listed(record_id, stream, self._last_items[stream])
            )

    def finish(self) -> None:
        """Store the next checkpoint. Call it after the broker has confirmed everything."""
        self._store.finish(
            FinishedRun(
                source_id=self._connector.source_id,
                run_id=self.run_id,
                started_at=self.started_at,
                finished_at=datetime.now(UTC),
                items=self.polled,
                delisted=len(self.gone),
                complete=self.pull.complete or bool(self.pull.complete_streams),
                checkpoint=self.pull.checkpoint,
            ),
            self._appeared,
            self.gone,
        )

    def raise_failures(self) -> None:
        """Say which streams could not be read, after the others were recorded.

        Raises:
            PartlyReadError: there are such streams.
        """
        if self.pull.failures:
            failed = " ".join(f"{name}: {error}" for name, error in self.pull.failures.items())
            raise PartlyReadError(
                f"Published {self.polled} items of the other streams of "
                f"{self._connector.source_id}, but could not read {failed}"
            ) from next(iter(self.pull.failures.values()))
