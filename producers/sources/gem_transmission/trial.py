"""A file that a person has, as the grid extract or the project list that it is, by its columns."""

import logging
from collections.abc import Mapping
from pathlib import Path

from producers.connector import FileToTry
from producers.errors import ConfigurationError
from producers.formats.tracker_columns import plain_name
from producers.formats.tracker_files import columns_of
from producers.sources.gem_transmission.config import GRID_LISTS
from producers.sources.gem_transmission.grid_network import ID_OF_GRID_FILE, QUOTE
from producers.sources.gem_transmission.grid_projects import PROJECT_FILES

log = logging.getLogger(__name__)

_PLANNED = frozenset({"project_status", "build_year"})
"""Columns of all project lists and of no other list."""


def grid_variables(file: FileToTry) -> Mapping[str, Mapping[str, str]] | None:
    """Variables by stream, as `InfrastructureConnector.variables_for`; None for a tracker's file.

    Raises:
        ConfigurationError: a project list whose plan neither its name nor the person says, or
            there is no list that a person names.
        SourceError: the file cannot be read.
    """
    if file.list_name not in (None, *GRID_LISTS, *PROJECT_FILES):
        known = ", ".join((*GRID_LISTS, *PROJECT_FILES))
        raise ConfigurationError(f"There is no list {file.list_name!r}; known: {known}.")
    columns = columns_of(file.path, QUOTE)
    network = [name for name in ("lines", "links", "buses") if ID_OF_GRID_FILE[name] in columns]
    if file.list_name in GRID_LISTS or (network and file.list_name is None):
        return _network_variables(file, file.list_name or network[0])
    if file.list_name is not None or columns >= _PLANNED:
        return {"transmission_projects": _project_variables(file, columns)}
    return None


def _network_variables(file: FileToTry, name: str) -> Mapping[str, Mapping[str, str]]:
    given = {name: file.path}
    if name == "buses":
        stream = "substations"
    else:
        stream = "transmission_lines"
        nodes = file.nodes or _nodes_beside(file.path, name)
        if nodes is None:
            log.warning(
                "%s: no list of nodes lies beside it, so that its rows have no ends: name it, "
                "--nodes FILE.",
                file.location,
            )
        else:
            given["buses"] = nodes
    for one, path in given.items():
        (file.folder / one).symlink_to(path.absolute())
    return {
        stream: {
            "GEM_STREAMS": stream,
            "GEM_GRID_LOCATION": f"{file.folder}/<file>",
            "GEM_GRID_LISTS": " ".join(one for one in GRID_LISTS if one in given),
            "GEM_GRID_MINIMUM_ROWS": "0",
        }
    }


def _nodes_beside(path: Path, name: str) -> Path | None:
    """The nodes of an extract whose files have the names that its location has them under."""
    before, found, behind = path.name.rpartition(name)
    nodes = path.with_name(f"{before}buses{behind}")
    return nodes if found and nodes.is_file() else None


def _project_variables(file: FileToTry, columns: frozenset[str]) -> Mapping[str, str]:
    name = file.list_name or _list_named(file.path)
    if name not in PROJECT_FILES:
        work = "lines" if "v_nom" in columns else "links"
        likely = ", ".join(one for one in PROJECT_FILES if one.endswith(work))
        raise ConfigurationError(
            f"{file.location} is a list of planned {work}, but neither its name nor its content "
            f"says of which plan: name one of {likely}, such as --list {likely.split(', ')[0]}."
        )
    (file.folder / name).symlink_to(file.path.absolute())
    return {
        "GEM_STREAMS": "transmission_projects",
        "GEM_PROJECTS_LOCATION": f"{file.folder}/<plan>_<work>",
        "GEM_PROJECT_LISTS": name,
    }


def _list_named(path: Path) -> str | None:
    """The list that a path names, as `tyndp2020/new_lines.csv` or `tyndp2020_new_lines.csv`."""
    said = plain_name(f"{path.parent.name}_{path.name}")
    return next((name for name in PROJECT_FILES if name in said), None)
