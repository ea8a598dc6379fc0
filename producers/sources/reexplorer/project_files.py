"""Tracker files as releases of renewable projects: read when one has changed, guarded, credited."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from producers.connector import Credit, Pull, PullRequest, RawItem
from producers.errors import CheckpointError, TruncatedError
from producers.formats.readability import check_readable, readability
from producers.formats.release_files import PreviousRelease, check_rows, obtain_readable
from producers.formats.shared_ids import FirstAtPlace, Sighting, told_apart
from producers.formats.tracker_columns import Columns
from producers.formats.tracker_files import TrackerFile, measure, read_rows
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

    Sets the stream complete after the last one, so that phases which run or are given up by then
    are no longer listed. `read_item` is what the pipeline does with an item.

    Raises:
        TruncatedError: a file looks cut short.
        SourceError: see `release_files.obtain` and `tracker_files.measure`.
    """
    checkpoint = request.checkpoint
    previous = {
        location: _previous(checkpoint.get(_key(location))) for location in config.project_files
    }
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
        places = told_apart(_sightings(file for file, _ in files.values()))
        read: dict[str, str] = {}
        for location, (file, etag) in files.items():
            before = previous[location]
            found = readability(_items(file, location, places, Counter()), read_item).get(
                bare_address(location)
            )
            if found is not None and not request.accept_loss:
                share = before.readable if before else None
                check_readable(found, location, before=share, looked_for=projects.PHASE)
            new = PreviousRelease(
                bare_address(location),
                file.digest,
                found.rows if found else 0,
                etag,
                found.share if found else None,
            )
            check_rows(
                new.rows,
                location,
                least=config.minimum_rows,
                previous_rows=before.rows if before and not request.accept_loss else 0,
                largest_loss=config.largest_loss,
                of="planned or unfinished solar and wind phases",
            )
            read[_key(location)] = new.to_text()
        for location, (file, _) in files.items():
            yield from _items(file, location, places, pull.left_out)
        pull.checkpoint |= read
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
        target = folder / str(index)
        read = partial(measure, name=bare_address(location), spool=target.with_suffix(".rows"))
        obtained, file = obtain_readable(http, location, target, before, read)
        if file is None:
            kept.append(location)
            continue
        changed |= before is None or before.digest != file.digest
        found[location] = (file, obtained.etag)
    if not changed or not previous:
        return None
    for index, location in enumerate(kept):
        target = folder / f"kept-{index}"
        read = partial(measure, name=bare_address(location), spool=target.with_suffix(".rows"))
        obtained, file = obtain_readable(http, location, target, None, read)
        assert file is not None
        found[location] = (file, obtained.etag)
    return {location: found[location] for location in previous}


def _sightings(files: Iterable[TrackerFile]) -> Iterator[Sighting]:
    """Phases of all files by project and place: one id may be in several files."""
    for file in files:
        of_file = projects.technology_of_file(read_rows(file))
        for row in read_rows(file):
            if projects.left_out_as(row, of_file) is None:
                record_id = projects.phase_id(row)
                entity = projects.project_entity(record_id, row, of_file)
                yield Sighting(entity, record_id, place_of(Columns(row)))


def _items(
    file: TrackerFile, location: str, places: Mapping[str, str], left_out: Counter[str]
) -> Iterator[RawItem]:
    origin = bare_address(location)
    of_file = projects.technology_of_file(read_rows(file))
    firsts = FirstAtPlace()
    for row in read_rows(file):
        reason = projects.left_out_as(row, of_file)
        if reason is not None:
            left_out[reason] += 1
            continue
        record_id = projects.phase_id(row)
        place = places.get(record_id)
        said = {
            TECHNOLOGY: None if projects.says_technology(row) else of_file,
            PLACE: place,
            PLACE_OF: firsts.before(
                projects.project_entity(record_id, row, of_file),
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
            release=file.digest,
            origin=origin,
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
