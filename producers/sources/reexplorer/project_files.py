"""Tracker files as releases of renewable projects: read when one has changed, guarded, credited."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from producers.connector import Credit, Pull, RawItem
from producers.errors import CheckpointError
from producers.formats.release_files import PreviousRelease, check_rows, obtain
from producers.formats.tracker_files import TrackerFile, measure, read_rows
from producers.http import HttpSource, bare_address
from producers.sources.reexplorer import projects
from producers.sources.reexplorer.config import ReexplorerConfig

PROJECTS = "renewable_projects"
"""Name of the stream."""

_KEY = "file "
"""Begins the checkpoint key of every file that was read."""

_CREDIT = Credit(
    "CC-BY-4.0", "Global Energy Monitor: Global Solar Power Tracker, Global Wind Power Tracker"
)


def pull_projects(
    http: HttpSource, config: ReexplorerConfig, checkpoint: Mapping[str, str], pull: Pull
) -> Iterator[RawItem]:
    """Yield every planned or unfinished phase when a file has changed since the checkpoint.

    Sets the stream complete after the last one, so that phases which run or are given up by then
    are no longer listed.

    Raises:
        TruncatedError: a file looks cut short.
        SourceError: see `release_files.obtain` and `tracker_files.measure`.
    """
    previous = {
        location: _previous(checkpoint.get(_key(location))) for location in config.project_files
    }
    wanted = {_key(location) for location in previous}
    gone = [key for key in checkpoint if key.startswith(_KEY) and key not in wanted]
    for key in gone:
        del pull.checkpoint[key]
    with TemporaryDirectory(prefix="projects-") as folder:
        files = _changed_files(http, previous, Path(folder), changed=bool(gone))
        if files is None:
            return
        read: dict[str, str] = {}
        for location, (file, etag) in files.items():
            new = PreviousRelease(bare_address(location), file.digest, _phases(file), etag)
            before = previous[location]
            check_rows(
                new.rows,
                location,
                least=config.minimum_rows,
                previous_rows=before.rows if before else 0,
                largest_loss=config.largest_loss,
                of="planned or unfinished solar and wind phases",
            )
            read[_key(location)] = new.to_text()
        for location, (file, _) in files.items():
            yield from _items(file, location)
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
        obtained = obtain(http, location, folder / str(index), before)
        if obtained.path is None:
            kept.append(location)
            continue
        file = measure(obtained.path)
        changed |= before is None or before.digest != file.digest
        found[location] = (file, obtained.etag)
    if not changed or not previous:
        return None
    for index, location in enumerate(kept):
        obtained = obtain(http, location, folder / f"kept-{index}", None)
        assert obtained.path is not None
        found[location] = (measure(obtained.path), obtained.etag)
    return {location: found[location] for location in previous}


def _phases(file: TrackerFile) -> int:
    """How many rows become items: a renamed column leaves the rows and loses these."""
    return sum(map(projects.is_project, read_rows(file)))


def _items(file: TrackerFile, location: str) -> Iterator[RawItem]:
    origin = bare_address(location)
    for row in read_rows(file):
        if projects.is_project(row):
            yield RawItem(
                stream=PROJECTS,
                record_id=projects.phase_id(row),
                item=_row_item(row),
                source_updated_at=None,
                release=file.digest,
                origin=origin,
                credit=_CREDIT,
            )


def _row_item(row: Mapping[str, str]) -> dict[str, Any]:
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
        "extra": {},
    }


def _key(location: str) -> str:
    return f"{_KEY}{bare_address(location)}"


def _previous(text: str | None) -> PreviousRelease | None:
    try:
        return PreviousRelease.from_text(text)
    except (json.JSONDecodeError, TypeError) as error:
        raise CheckpointError(
            f"The checkpoint of reexplorer holds {text!r}, which describes no file. Delete that "
            "row from producers.checkpoints, then run again."
        ) from error
