"""Tracker files as releases of renewable projects: read when one has changed, guarded, credited."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from producers.connector import Credit, Pull, PullRequest, RawItem
from producers.errors import CheckpointError, TruncatedError
from producers.formats import power_columns
from producers.formats.readability import (
    Readability,
    check_readable,
    readability,
    report_fields,
)
from producers.formats.release_files import (
    PreviousRelease,
    check_rows,
    obtain_readable,
    refuse_other_page,
)
from producers.formats.row_ids import RowIds
from producers.formats.shared_ids import FirstAtPlace, Sighting, told_apart
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_files import Row, TrackerFile, measure, read_rows
from producers.formats.tracker_position import place_of
from producers.http import HttpSource, bare_address
from producers.sources.reexplorer import projects
from producers.sources.reexplorer.config import ReexplorerConfig
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

PROJECTS = "renewable_projects"
"""Name of the stream."""

TECHNOLOGY = "technology_of_file"
"""Key of a raw item's `extra`: where a row does not say it, what the rows of its file say."""

PLACE = "place"
"""Key of a raw item's `extra`: tells a project apart from others of its id that are elsewhere."""

PLACE_OF = "place_of"
"""Key of a raw item's `extra`: the phase of the same project that states the same place before."""

KEY = "file "
"""Begins the checkpoint key of every file that was read."""

_KNOWN_FIELDS = ("latitude", "country_code", "capacity_mw", "owner")
"""Fields that a tracker file fills somewhere."""

_CREDIT = Credit(
    "CC-BY-4.0", "Global Energy Monitor: Global Solar Power Tracker, Global Wind Power Tracker"
)


def pull_projects(
    http: HttpSource,
    config: ReexplorerConfig,
    request: PullRequest,
    pull: Pull,
    read_item: Callable[[RawRecord], Mapped | Rejected],
) -> Iterator[RawItem]:
    """Yield every planned or unfinished phase when a file has changed since the checkpoint.

    Or when the stream is to be `reread`. Sets the stream complete after the last one, so that
    phases which run or are given up by then are no longer listed. `read_item` is what the pipeline
    does with an item.

    Raises:
        TruncatedError: a file looks cut short.
        SourceError: see `release_files.obtain` and `tracker_files.measure`.
    """
    checkpoint = request.checkpoint
    previous = {
        location: _previous(checkpoint.get(_key(location))) for location in config.project_files
    }
    if PROJECTS in request.reread:
        previous = {location: before and before.unread() for location, before in previous.items()}
    wanted = {_key(location) for location in previous}
    known = [key for key in checkpoint if key.startswith(KEY)]
    gone = [key for key in known if key not in wanted]
    if len(wanted) < len(known) and not request.accept_loss:
        raise TruncatedError(
            f"{len(wanted)} project files are configured where {len(known)} were read: what only "
            "the others had would be called no longer listed. Configure them again, or run once "
            "with --accept-loss."
        )
    for key in gone:
        del pull.checkpoint[key]
    with TemporaryDirectory(prefix="projects-") as folder:
        files = _changed_files(http, previous, Path(folder), changed=bool(gone))
        if files is None:
            return
        rows = partial(_phases, {location: file for location, (file, _) in files.items()})
        places = told_apart(_sightings(rows(Counter())))
        readable = readability(_items(rows(Counter()), places), read_item)
        read = {
            _key(location): _checked(
                file,
                location,
                previous[location],
                readable.get(bare_address(location)),
                config,
                accept_loss=request.accept_loss,
            )
            for location, (file, _) in files.items()
        }
        yield from _items(rows(pull.left_out), places)
        pull.checkpoint |= {
            key: replace(read[key], etag=etag).to_text()
            for key, (_, etag) in zip(read, files.values(), strict=True)
        }
        pull.complete_streams.add(PROJECTS)


def _changed_files(
    http: HttpSource, previous: Mapping[str, PreviousRelease | None], folder: Path, *, changed: bool
) -> dict[str, tuple[TrackerFile, str | None]] | None:
    """Every tracker file, measured; None when none of them has changed.

    Together they are one release, so all are read when one has changed. With `changed` they are
    read in any case.
    """
    found: dict[str, tuple[TrackerFile, str | None]] = {}
    kept: list[str] = []
    for index, (location, before) in enumerate(previous.items()):
        file, etag = _obtained(http, location, folder / str(index), before, before)
        if file is None:
            kept.append(location)
            continue
        changed |= before is None or before.digest != file.digest
        found[location] = (file, etag)
    if not changed or not previous:
        return None
    for index, location in enumerate(kept):
        file, etag = _obtained(http, location, folder / f"kept-{index}", None, previous[location])
        assert file is not None
        found[location] = (file, etag)
    return {location: found[location] for location in previous}


def _obtained(
    http: HttpSource,
    location: str,
    target: Path,
    tagged: PreviousRelease | None,
    before: PreviousRelease | None,
) -> tuple[TrackerFile | None, str | None]:
    """A file, measured, and its tag; no file when it is still the one that is `tagged`."""

    def read(path: Path) -> TrackerFile:
        file = measure(
            path,
            name=bare_address(location),
            wanted=(projects.PHASE, power_columns.NAME, power_columns.STATUS),
            spool=target.with_suffix(".rows"),
        )
        rows = before.rows if before else 0
        return refuse_other_page(file, looked_for=projects.PHASE, previous_rows=rows)

    obtained, file = obtain_readable(http, location, target, tagged, read)
    return file, obtained.etag


def _checked(
    file: TrackerFile,
    location: str,
    before: PreviousRelease | None,
    found: Readability | None,
    config: ReexplorerConfig,
    *,
    accept_loss: bool,
) -> PreviousRelease:
    """What to remember of a file, whose phases must be as many and as readable as before.

    Args:
        file: The file.
        location: Its address or path.
        before: What was remembered of it.
        found: What became of its phases; None when it has none of its own.
        config: Limits.
        accept_loss: Refuse nothing.

    Raises:
        TruncatedError: it has too few.
        UnexpectedAnswerError: less of them can be read.
    """
    new = PreviousRelease(bare_address(location), file.digest, found.rows if found else 0)
    if found is None:
        if not accept_loss:
            _refuse_without_phases(file, location)
        return new
    report_fields(location, found, _KNOWN_FIELDS, power_columns.READ)
    if not accept_loss:
        check_readable(
            found,
            location,
            before=before.readable if before else None,
            looked_for=projects.PHASE,
        )
    check_rows(
        new.rows,
        location,
        least=config.minimum_rows,
        previous_rows=before.rows if before and not accept_loss else 0,
        largest_loss=config.largest_loss,
        of="planned or unfinished solar and wind phases",
    )
    return replace(new, readable=found.share)


def _refuse_without_phases(file: TrackerFile, location: str) -> None:
    """Raise for a file none of whose rows is a planned phase: it is another list, or renamed.

    Raises:
        TruncatedError: it says what its rows are instead.
    """
    left_out = Counter[str]()
    if next(_phases({location: file}, left_out), None) is None:
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(left_out.items()))
        raise TruncatedError(
            f"{file.name} has no planned or unfinished solar or wind phase among its {file.rows:,} "
            f"rows ({reasons or 'there are none'}): it is another list, or calls its columns "
            "otherwise. Set the location to a tracker of solar or wind, or take it out."
        )


@dataclass(frozen=True, slots=True)
class _Phase:
    """A row of a file that is planned or under construction.

    Attributes:
        of_file: See `projects.technology_of_file`.
    """

    file: TrackerFile
    location: str
    record_id: str
    row: Row
    of_file: str | None

    @property
    def entity(self) -> str:
        """Project that it belongs to."""
        return projects.project_entity(self.record_id, self.row, self.of_file)


def _phases(files: Mapping[str, TrackerFile], left_out: Counter[str]) -> Iterator[_Phase]:
    """Phases of all files by location, each once; other rows are counted by reason."""
    ids = RowIds()
    for location, file in files.items():
        ids.begin_list()
        of_file = projects.technology_of_file(read_rows(file))
        for row in read_rows(file):
            reason = projects.left_out_as(row, of_file)
            if reason is not None:
                left_out[reason] += 1
                continue
            record_id = ids.of(projects.phase_id(row), row, left_out)
            if record_id is not None:
                yield _Phase(file, location, record_id, row, of_file)


def _sightings(phases: Iterable[_Phase]) -> Iterator[Sighting]:
    """Phases by project and place: one id may be in several files."""
    for phase in phases:
        yield Sighting(phase.entity, phase.record_id, place_of(Columns(phase.row)))


def _items(phases: Iterable[_Phase], places: Mapping[str, str]) -> Iterator[RawItem]:
    firsts = FirstAtPlace()
    for phase in phases:
        row, record_id, of_file = phase.row, phase.record_id, phase.of_file
        place = places.get(record_id)
        said = {
            TECHNOLOGY: None if projects.says_technology(row) else of_file,
            PLACE: place,
            PLACE_OF: firsts.before(
                phase.entity,
                place,
                place_of(Columns(row)),
                record_id,
                partial(_is_readable, record_id, row, of_file),
            ),
        }
        yield RawItem(
            stream=PROJECTS,
            record_id=record_id,
            item=_row_item(row, said),
            source_updated_at=None,
            release=phase.file.digest,
            origin=bare_address(phase.location),
            credit=_CREDIT,
        )


def _is_readable(record_id: str, row: Mapping[str, str], of_file: str | None) -> bool:
    return isinstance(projects.project(record_id, row, of_file, None), Mapped)


def _row_item(row: Mapping[str, str], said: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "point": None,
        "request": {},
        "http_status": None,
        "version": None,
        "warnings": [],
        "errors": [],
        "sources": [],
        "solar_resource": None,
        "pvwatts": None,
        "nsrdb_datasets": None,
        "site_counts": None,
        "row": {name: text for name, text in row.items() if text},
        "extra": {name: text for name, text in said.items() if text is not None},
    }


def _key(location: str) -> str:
    return f"{KEY}{bare_address(location)}"


def _previous(text: str | None) -> PreviousRelease | None:
    try:
        return PreviousRelease.from_text(text)
    except (json.JSONDecodeError, TypeError) as error:
        raise CheckpointError(
            f"The checkpoint of reexplorer holds {text!r}, which describes no file. Delete that "
            "row from producers.checkpoints, then run again."
        ) from error
