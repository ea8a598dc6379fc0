"""Files that are a release, or a part of one: obtained when they have changed, refused when cut."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self, TypeVar

from producers.errors import TruncatedError, UnexpectedAnswerError, UnreachableError
from producers.formats.tracker_files import TrackerFile
from producers.http import HttpSource, bare_address

log = logging.getLogger(__name__)

_Read = TypeVar("_Read")

_FEW_ROWS = 100
_SHOWN = 300
"""Characters of the columns of a page that is no list."""

_DOWNLOADS = 3
"""How often a file that cannot be read is downloaded: a damaged one may be whole the next time."""


@dataclass(frozen=True, slots=True)
class PreviousRelease:
    """What a checkpoint remembers of a list that was read whole.

    Attributes:
        location: Address or path, without credentials.
        digest: Hash of the content.
        rows: What it had, as `check_rows` counts it.
        etag: The server's tag; None when it sends none.
        readable: Share of its rows that could be read; None when that was not kept.
    """

    location: str
    digest: str
    rows: int
    etag: str | None = None
    readable: float | None = None

    def unread(self) -> Self:
        """The same without what tells that a list has not changed."""
        return replace(self, digest="", etag=None)

    def to_text(self) -> str:
        """Text for the checkpoint."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> Self | None:
        """Inverse of `to_text`; None stays None."""
        return None if text is None else cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Obtained:
    """Where a file is now; `path` is None when the server says it has not changed."""

    path: Path | None
    etag: str | None


def obtain(
    http: HttpSource, location: str, target: Path, previous: PreviousRelease | None
) -> Obtained:
    """Find a local file, or download one to `target` unless the server still has the one of before.

    Raises:
        UnreachableError: no such local file.
        SourceError: see `HttpSource.download`.
    """
    if not _is_remote(location):
        path = Path(location.removeprefix("file://"))
        if not path.is_file():
            raise UnreachableError(f"There is no file {path}. Check the configured location.")
        return Obtained(path, None)
    same = previous is not None and previous.location == bare_address(location)
    etag = previous.etag if previous is not None and same else None
    download = http.download(location, target, etag)
    return Obtained(None if download.not_modified else target, download.etag)


def obtain_readable(
    http: HttpSource,
    location: str,
    target: Path,
    previous: PreviousRelease | None,
    read: Callable[[Path], _Read],
) -> tuple[Obtained, _Read | None]:
    """Obtain a file and read it; a download that is damaged or another page is repeated.

    Args:
        http: See `obtain`.
        location: See `obtain`.
        target: See `obtain`.
        previous: See `obtain`.
        read: Reads it; None is returned for a file that has not changed.

    Raises:
        SourceError: see `obtain`, and what `read` raises in the end.
    """
    for left in reversed(range(_DOWNLOADS if _is_remote(location) else 1)):
        obtained = obtain(http, location, target, previous)
        if obtained.path is None:
            break
        try:
            return obtained, read(obtained.path)
        except (TruncatedError, UnexpectedAnswerError) as error:
            if not left:
                raise
            log.warning("%s Asking again.", error)
    return obtained, None


def _is_remote(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def check_rows(
    rows: int, where: str, *, least: int, previous_rows: int, largest_loss: float, of: str = "rows"
) -> None:
    """Refuse a list that looks cut short, whose missing records would be called no longer listed.

    Args:
        rows: What it has.
        where: Location for the message.
        least: What a release has in any case.
        previous_rows: What the release before had; 0 for none.
        largest_loss: Share of those that may be gone.
        of: What was counted.

    Raises:
        TruncatedError: fewer.
    """
    needed = max(least, round(previous_rows * (1 - largest_loss)))
    if rows < needed:
        accept = "lower `minimum_rows`" if rows < least else "run once with --accept-loss"
        raise TruncatedError(
            f"{bare_address(where)} has {rows} {of}, fewer than {needed}: it looks cut short. "
            f"If the release is really that small, {accept}."
        )


def refuse_other_page(
    file: TrackerFile, *, looked_for: Sequence[str], previous_rows: int
) -> TrackerFile:
    """The file, unless it is another page, which is neither a list cut short nor a small one.

    A long list without a column for its ids is refused later, with what becomes of its rows.

    Args:
        file: The file.
        looked_for: Columns that may have the id, in plain form.
        previous_rows: What the release before had; 0 for none.

    Raises:
        UnexpectedAnswerError: it has few rows, and no column for an id.
    """
    few = previous_rows / 2 if previous_rows else _FEW_ROWS
    if file.has(looked_for) or file.rows >= few:
        return file
    names = ", ".join(name or "the first column" for name in looked_for)
    columns = ", ".join(sorted(file.columns))[:_SHOWN] or "none"
    raise UnexpectedAnswerError(
        f"{file.name} is no list of this kind: the id was looked for in {names}; columns found: "
        f"{columns}. It starts with {file.beginning}. Set the location to the list."
    )
