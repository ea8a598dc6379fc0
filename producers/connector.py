"""What a source must offer: `InfrastructureConnector`, one subclass in one file for each source."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from pydantic import SecretStr

from producers.config import SourceConfig
from producers.errors import ConfigurationError, SourceError
from producers.http import HttpSource
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

UpstreamFields: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Names at the source by canonical kind and field; none: the connector itself knows the value."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a source.

    Attributes:
        name: Stable name, part of every raw record.
        kind: Canonical kind its items become.
        description: One sentence for people.
        released: Whether a run can give all of it, so that a record may be no longer listed.
    """

    name: str
    kind: str
    description: str
    released: bool = True


@dataclass(frozen=True, slots=True)
class Credit:
    """Terms of a record set within a source.

    Attributes:
        licence: SPDX identifier where there is one.
        attribution: Credit the licence asks for.
    """

    licence: str
    attribution: str


@dataclass(frozen=True, slots=True)
class RawItem:
    """One upstream item as pulled; the envelope is added by the run.

    Attributes:
        record_id: The source's own identifier, the message key.
        item: Fields of the raw contract's item record, texts as the source sent them.
        source_updated_at: When the source says it changed the item, UTC; None when it does not say.
        release: Release (ETag or hash) the item belongs to; None for sources without releases.
        origin: Address or file it was read from, without credentials.
        credit: Licence of the item and the credit it asks for; None for those of the connector.
    """

    stream: str
    record_id: str
    item: Mapping[str, Any]
    source_updated_at: datetime | None
    release: str | None
    origin: str
    credit: Credit | None = None


@dataclass(frozen=True, slots=True)
class FileToTry:
    """A file that is read for a person before a source reads it.

    Attributes:
        location: Its address or path.
        path: Where it is on this machine.
        folder: Where files may be put beside each other under the names that a source knows.
        list_name: Which list of its source it is; None when it says that itself.
        nodes: The list that its rows refer to; None for the one beside it.
    """

    location: str
    path: Path
    folder: Path
    list_name: str | None = None
    nodes: Path | None = None


@dataclass(frozen=True, slots=True)
class KnownPlant:
    """A current power plant of the canonical topic.

    Attributes:
        id: Canonical record id.
        fuel: Primary fuel, for example solar or wind.
        latitude: WGS84 degrees.
        longitude: WGS84 degrees.
        country_code: ISO 3166-1 alpha-2; None when not known.
    """

    id: str
    name: str
    fuel: str
    latitude: float
    longitude: float
    country_code: str | None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What one run asks of a connector.

    Attributes:
        checkpoint: What the previous successful run returned; empty on the first run.
        today: Date of the run, UTC; the only clock a connector sees.
        since: First day asked for, None for the connector's own choice (look-back).
        until: Last day asked for, inclusive; None for today.
        limit: Stop after about this many items; None for all. A limited pull is never complete.
        accept_loss: A person has said that what a release has lost is really gone.
        reread: Streams of which more was published than the checkpoint knows: their release is
            yielded whole, also when it is the one of the checkpoint.
        known_plants: Reads the plants other sources have given, for a connector that asks about
            them; reads nothing before it is called.
    """

    checkpoint: Mapping[str, str]
    today: date
    since: date | None = None
    until: date | None = None
    limit: int | None = None
    known_plants: Callable[[], Iterable[KnownPlant]] = tuple
    accept_loss: bool = False
    reread: frozenset[str] = frozenset()


@dataclass(slots=True)
class Pull:
    """Progress of one pull, filled by the connector while its iterator runs.

    Attributes:
        checkpoint: Next checkpoint; stored only after the broker has confirmed every item.
        complete: True once the iterator has yielded a whole release of every stream: the only
            ground on which records may later be called no longer listed.
        complete_streams: Streams of which it has yielded a whole release, for sources whose streams
            are released apart. Records of other streams stay listed.
        failures: Streams that could not be read, each with its error. The run records what the
            others gave, then ends with an error.
        expected: Items expected, for progress bars; None when unknown.
        left_out: Rows that are no items of the source on purpose, by reason.
        unchanged: True when the source said nothing changed (a 304 or the same hash).
    """

    checkpoint: dict[str, str]
    complete: bool = False
    expected: int | None = None
    unchanged: bool = False
    complete_streams: set[str] = field(default_factory=set)
    failures: dict[str, SourceError] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def is_complete(self, stream: str) -> bool:
        """True when a whole release of the stream was yielded."""
        return self.complete or stream in self.complete_streams


class InfrastructureConnector(ABC):
    """A source: what it offers, how to pull it, how to read one item.

    A connector is created from its configuration by the producer job and, without any network, by
    the normalize stage, which uses `map_to_schema` only.
    """

    name: ClassVar[str]
    """Short name: `python -m producers NAME`, topic `raw.NAME`, `config/NAME.yaml`."""

    source_id: ClassVar[str]
    """Source id in every record and metric."""

    licence: ClassVar[str]
    attribution: ClassVar[str]

    upstream_fields: ClassVar[UpstreamFields] = {}
    """Which fields of the source each canonical field is read from, for who asks why."""

    key_variable: ClassVar[str | None] = None
    """Variable that sets the key of the source; None where it needs none."""

    file_variables: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """By stream that is read from one file: variables that point the source to `{file}` alone."""

    also_read: ClassVar[frozenset[str]] = frozenset()
    """Columns of files that are read for more than one field, such as ids."""

    has_days: ClassVar[bool] = False
    """Whether the source can be asked for a range of days."""

    asks_known_plants: ClassVar[bool] = False
    """Whether it may read the plants that other sources have given, when it is configured so."""

    config_model: ClassVar[type[SourceConfig]]
    """What `config/NAME.yaml` may hold."""

    config: SourceConfig

    def __init__(self, config: SourceConfig) -> None:
        self.config = config

    def secret_headers(self) -> Mapping[str, SecretStr]:
        """Headers that carry the key of this source; none unless overridden."""
        return {}

    def secret_address(self) -> str | None:
        """Address on whose scheme, host and port alone they are sent; None for every address."""
        return None

    def is_checkpoint_of(self, key: str, stream: str) -> bool:
        """Whether a checkpoint key is about a stream; all are, unless overridden.

        Called when what a stream lost is refused: its checkpoint stays where it was.
        """
        return True

    @classmethod
    def variables_for(cls, file: FileToTry) -> Mapping[str, Mapping[str, str]]:
        """By each stream that a file may be of: variables that point the source to it alone.

        Called when a person tries a file. Empty for a source that reads none.

        Raises:
            producers.errors.ConfigurationError: it must be said what the file is, or need not be.
            producers.errors.SourceError: the file cannot be read.
        """
        if file.list_name or file.nodes:
            raise ConfigurationError(f"{cls.name} knows by itself what {file.location} is.")
        return {
            stream: {name: text.replace("{file}", file.location) for name, text in wanted.items()}
            for stream, wanted in cls.file_variables.items()
        }

    @classmethod
    @abstractmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """Streams this source offers, whatever the configuration.

        Called by the normalize stage, the command line and the page; no I/O.
        """

    @abstractmethod
    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield every item the request asks for, filling `pull` on the way.

        Called by the producer job. May block on the network. Yields nothing and sets
        `pull.unchanged` when the source has not changed since the checkpoint.

        Raises:
            producers.errors.SourceError: the source cannot be read; nothing was lost, run again.
        """

    @staticmethod
    @abstractmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Typed content of one observed raw record, or why it cannot be read.

        Called by the normalize stage for every record. Pure: no I/O, no clock, and it must never
        raise on what a source can send.
        """
