"""One release of one stream: all of its lists, fetched and checked before the first row is used.

A stream whose lists are all as in the checkpoint gives nothing. When one has changed, all are read
again: only then is every id of the stream known, and a missing one really gone.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from producers.errors import TruncatedError
from producers.formats.readability import Readability, check_readable
from producers.formats.release_files import (
    PreviousRelease,
    check_rows,
    obtain_readable,
    refuse_other_page,
)
from producers.formats.tracker_files import Row, TrackerFile, measure, read_rows
from producers.http import HttpSource, bare_address
from producers.sources.gem_transmission.api import ASSETS, Spool, read_spool


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that belongs to a stream.

    Attributes:
        dataset: What its rows are, where their columns do not say it.
        minimum_rows: Fewer mean that it was cut short.
        largest_loss: So does a larger share of rows lost since the release before.
        quote: Quote character of a CSV.
        sheet: Sheet of a workbook; None for those with the columns below.
        columns: What its rows must say, each in all spellings; that of the id comes first.
    """

    location: str
    dataset: str | None = None
    minimum_rows: int = 1
    largest_loss: float = 0.2
    quote: str = '"'
    sheet: str | None = None
    columns: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One list of a release.

    Attributes:
        location: Address or path, without credentials.
        rows: How many rows `read` gives.
        read: Gives the rows, as often as it is called.
    """

    location: str
    dataset: str | None
    rows: int
    read: Callable[[], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Release:
    """A release that differs from the one of the checkpoint.

    Attributes:
        digest: Hash over all lists.
        entries: What to remember of each list.
        previous: What was remembered of the release before.
        whole: False when a list was read up to a limit only.
    """

    parts: tuple[Part, ...]
    digest: str
    entries: tuple[PreviousRelease, ...]
    previous: tuple[PreviousRelease, ...]
    whole: bool

    @property
    def checkpoint(self) -> str:
        """Text for the checkpoint."""
        return _text(self.entries)

    def checked(
        self, found: Mapping[str, Readability], looked_for: Sequence[str], *, accept_loss: bool
    ) -> "Release":
        """The release, remembering how much of each list can be read.

        Args:
            found: What became of the rows, by location of their list.
            looked_for: Columns that may have the id.
            accept_loss: Refuse nothing.

        Raises:
            UnexpectedAnswerError: less of a list can be read than of the release before.
        """
        known = {
            _origin(entry): entry.readable for entry in self.previous if entry.readable is not None
        }
        # A list at a new address is compared with the stream.
        stream = min(known.values(), default=None)
        for location, one in found.items():
            if not accept_loss:
                before = known.get(location, stream)
                check_readable(one, location, before=before, looked_for=looked_for)
        shares = {location: one.share for location, one in found.items()}
        entries = (replace(one, readable=shares.get(_origin(one))) for one in self.entries)
        return replace(self, entries=tuple(entries))

    @property
    def rows(self) -> int:
        """Rows of all lists together."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Every list is as in the checkpoint; what to remember may have newer tags."""

    checkpoint: str


def fetch_release(
    http: HttpSource,
    folder: Path,
    spools: Sequence[Spool],
    files: Sequence[WantedFile],
    checkpoint: str | None,
    largest_loss: float,
    *,
    accept_loss: bool = False,
    reread: bool = False,
) -> Release | Unchanged:
    """Fetch and check every list of a stream.

    Args:
        http: Client of the run.
        folder: Where downloads go; must outlive the release.
        spools: Lists that were read from an API already.
        files: Files to fetch.
        checkpoint: What the release before asked to remember; None before the first.
        largest_loss: Share of its rows that a list of an API may have lost since then.
        accept_loss: A person has said that what is lost is really gone.
        reread: Give the release also when it is that of the checkpoint.

    Raises:
        TruncatedError: a list is damaged or looks cut short.
        SourceError: a list cannot be fetched or read.
    """
    before_all = _entries(checkpoint)
    if reread:
        before_all = [entry.unread() for entry in before_all]
    if accept_loss:
        largest_loss, files = 1.0, [replace(wanted, largest_loss=1.0) for wanted in files]
    else:
        _refuse_narrowed(spools, files, before_all)
    previous = {entry.location: entry for entry in before_all}
    now = [_checked(spool, previous.get(_spool_location(spool)), largest_loss) for spool in spools]
    measured: list[TrackerFile | None] = []
    for index, wanted in enumerate(files):
        before = previous.get(_file_location(wanted))
        file, entry = _fetch(http, folder / str(index), wanted, before)
        measured.append(file)
        now.append(entry)
    if _digests(now) == _digests(list(previous.values())):
        return Unchanged(_text(now))
    parts = [
        Part(spool.location, spool.asset_type, spool.rows, _spool_reader(spool)) for spool in spools
    ]
    for index, wanted in enumerate(files):
        complete = measured[index]
        if complete is None:
            entry = replace(now[len(spools) + index], etag=None)
            complete, now[len(spools) + index] = _fetch(http, folder / str(index), wanted, entry)
            assert complete is not None
        parts.append(
            Part(
                bare_address(wanted.location),
                wanted.dataset,
                complete.rows,
                _file_reader(complete),
            )
        )
    whole = all(spool.whole for spool in spools)
    return Release(tuple(parts), _digest(now), tuple(now), tuple(before_all), whole)


def _refuse_narrowed(
    spools: Sequence[Spool], files: Sequence[WantedFile], before: Sequence[PreviousRelease]
) -> None:
    """Raise when less is configured than was read: a file may have another name, no API list has.

    Raises:
        TruncatedError: what only the others had would be called no longer listed.
    """
    wanted = len(spools) + len(files)
    types = {_asset_type(entry) for entry in before} - {None}
    gone = types - {spool.asset_type for spool in spools}
    if gone:
        missing = (
            f"{' and '.join(sorted(map(str, gone)))} of the API was read before and is left out"
        )
    elif wanted < len(before):
        missing = f"{wanted} lists are configured where {len(before)} were read"
    else:
        return
    raise TruncatedError(
        f"{missing}: what only that had would be called no longer listed. Configure it again, or "
        "run once with --accept-loss."
    )


def _asset_type(entry: PreviousRelease) -> str | None:
    """Asset type of a list of the API; None for files."""
    address, _, asset_type = entry.location.partition("#")
    return asset_type if asset_type and address.endswith(ASSETS) else None


def _fetch(
    http: HttpSource, target: Path, wanted: WantedFile, previous: PreviousRelease | None
) -> tuple[TrackerFile | None, PreviousRelease]:
    """The file, measured and checked; None when the server says it has not changed."""
    address = bare_address(wanted.location)
    same = replace(previous, location=address) if previous is not None else None

    def read(path: Path) -> TrackerFile:
        file = measure(
            path,
            name=address,
            quote=wanted.quote,
            sheet=wanted.sheet,
            wanted=wanted.columns,
            spool=target.with_suffix(".rows"),
        )
        rows = previous.rows if previous else 0
        return refuse_other_page(file, looked_for=wanted.columns[0], previous_rows=rows)

    obtained, file = obtain_readable(http, wanted.location, target, same, read)
    if file is None:
        assert previous is not None
        return None, previous
    check_rows(
        file.rows,
        wanted.location,
        least=wanted.minimum_rows,
        previous_rows=previous.rows if previous else 0,
        largest_loss=wanted.largest_loss,
    )
    readable = previous.readable if previous and previous.digest == file.digest else None
    return file, PreviousRelease(
        _file_location(wanted), file.digest, file.rows, obtained.etag, readable
    )


def _checked(
    spool: Spool, previous: PreviousRelease | None, largest_loss: float
) -> PreviousRelease:
    """What to remember of a list of an API, which must not have lost too much unless limited."""
    location = _spool_location(spool)
    if spool.whole and previous:
        check_rows(
            spool.rows,
            location,
            least=0,
            previous_rows=previous.rows,
            largest_loss=largest_loss,
            of="units",
        )
    return PreviousRelease(location, spool.digest, spool.rows)


def _spool_location(spool: Spool) -> str:
    return f"{spool.location}#{spool.asset_type}"


def _file_location(wanted: WantedFile) -> str:
    """Location of a file, with the sheet where one is chosen: a workbook may be several lists."""
    sheet = "" if wanted.sheet is None else f"#{wanted.sheet}"
    return f"{bare_address(wanted.location)}{sheet}"


def _origin(entry: PreviousRelease) -> str:
    return entry.location.partition("#")[0]


def _spool_reader(spool: Spool) -> Callable[[], Iterator[Row]]:
    return lambda: read_spool(spool)


def _file_reader(file: TrackerFile) -> Callable[[], Iterator[Row]]:
    return lambda: read_rows(file)


def _digests(entries: Sequence[PreviousRelease]) -> set[tuple[str, str]]:
    return {(entry.location, entry.digest) for entry in entries}


def _digest(entries: Sequence[PreviousRelease]) -> str:
    text = "\n".join(sorted(f"{entry.location} {entry.digest}" for entry in entries))
    return sha256(text.encode()).hexdigest()[:16]


def _text(entries: Sequence[PreviousRelease]) -> str:
    return json.dumps([asdict(entry) for entry in entries])


def _entries(checkpoint: str | None) -> list[PreviousRelease]:
    return [PreviousRelease(**entry) for entry in json.loads(checkpoint)] if checkpoint else []
