"""Global Energy Monitor and the transmission grid: trackers, a grid extract, project lists.

Hosts: GEM's public API for power units of some trackers, map files for the others; PyPSA-Eur's
copies of the grid extract and of the project lists, since neither GEM nor ENTSO-E offers an
interface for transmission. No keys, no documented limits. Trackers are released once or twice a
year, so most runs find nothing new.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from producers.config import SourceConfig
from producers.connector import (
    FileToTry,
    InfrastructureConnector,
    Pull,
    PullRequest,
    RawItem,
    StreamInfo,
)
from producers.errors import SourceError, UnexpectedAnswerError
from producers.formats import power_columns
from producers.formats.readability import readability, report_fields
from producers.formats.row_ids import RowIds
from producers.formats.shared_ids import FirstAtPlace, Sighting, told_apart
from producers.formats.tracker_columns import Columns, plain_name
from producers.formats.tracker_files import Row
from producers.formats.tracker_position import place_of
from producers.http import HttpSource
from producers.sources.gem_transmission import lng_terminals
from producers.sources.gem_transmission.api import spool_assets
from producers.sources.gem_transmission.config import STREAMS, GemConfig
from producers.sources.gem_transmission.grid_network import (
    ID_OF_GRID_FILE,
    grid_line,
    grid_node,
    line_record_id,
    node_record_id,
)
from producers.sources.gem_transmission.grid_projects import grid_project, project_record_id
from producers.sources.gem_transmission.lng_terminals import is_lng, lng_unit, terminal_entity
from producers.sources.gem_transmission.power_units import is_power, plant_entity, power_unit
from producers.sources.gem_transmission.release import Part, Release, Unchanged, fetch_release
from producers.sources.gem_transmission.trial import grid_variables
from producers.sources.gem_transmission.upstream_fields import UPSTREAM_FIELDS
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

log = logging.getLogger(__name__)

Item = dict[str, object]

_PLACE = ("latitude", "country_code", "status")
_KNOWN_FIELDS: Mapping[str, tuple[str, ...]] = {
    "lng_terminals": (*_PLACE, "capacity_mtpa", "start_year", "owner"),
    # The bioenergy tracker alone has no technology.
    "power_units": (*_PLACE, "capacity_mw", "technology", "commissioning_year", "owner"),
    "substations": (*_PLACE, "voltages_kv", "node_type"),
    "transmission_lines": ("from_latitude", "country_code", "status", "voltage_kv", "length_km"),
    "transmission_projects": ("from_latitude", "country_code", "status", "commissioning_year"),
}
"""Fields that a list of each stream fills somewhere."""

_READ: Mapping[str, frozenset[str]] = {
    "lng_terminals": lng_terminals.READ | power_columns.READ,
    "power_units": power_columns.READ,
}
"""Columns of trackers that anything is read from."""

_OTHER_TRACKER = "other_tracker"
_SHOWN = 200
"""Characters of the trackers of a list that is another one."""


class GemTransmissionConnector(InfrastructureConnector):
    """LNG terminals and power units of the world, transmission of Europe and its neighbours."""

    name = "gem_transmission"
    source_id = "gem_transmission"
    licence = "CC-BY-4.0"
    attribution = "Global Energy Monitor; The PyPSA-Eur Authors"
    upstream_fields = UPSTREAM_FIELDS
    file_variables: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "power_units": {
            "GEM_STREAMS": "power_units",
            "GEM_ASSET_TYPES": "none",
            "GEM_POWER_FILE": "{file}",
            "GEM_GEOTHERMAL_FILE": "none",
            "GEM_AFRICA_FILE": "none",
        },
        "lng_terminals": {
            "GEM_STREAMS": "lng_terminals",
            "GEM_LNG_FILE": "{file}",
            "GEM_LNG_MINIMUM_ROWS": "0",
        },
    }
    also_read = frozenset({*power_columns.READ, *lng_terminals.READ, *ID_OF_GRID_FILE.values()})
    config_model: ClassVar[type[SourceConfig]] = GemConfig
    config: GemConfig

    def __init__(self, config: GemConfig) -> None:
        super().__init__(config)

    @classmethod
    def variables_for(cls, file: FileToTry) -> Mapping[str, Mapping[str, str]]:
        """A tracker of power or LNG, or the list of the grid or of projects that its columns are.

        Raises:
            ConfigurationError: it must be said which project list it is.
            SourceError: the file cannot be read.
        """
        return grid_variables(file) or super().variables_for(file)

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """The five streams; each is released on its own."""
        return (
            StreamInfo("lng_terminals", "lng_terminal", "Units of LNG terminals of the world."),
            StreamInfo("power_units", "power_plant", "Units of power plants of the world."),
            StreamInfo("substations", "substation", "Nodes of the European grid."),
            StreamInfo(
                "transmission_lines", "transmission_line", "Lines and links of the European grid."
            ),
            StreamInfo("transmission_projects", "transmission_project", "Planned lines and links."),
        )

    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield every row of every stream that has changed since the checkpoint or is `reread`.

        A stream that cannot be read is noted in `pull.failures` and keeps its checkpoint; the
        others go on.
        """
        emitted, same = 0, set()
        for stream in self.config.streams:
            with TemporaryDirectory(prefix="gem-") as folder:
                try:
                    release = self._fetch(http, Path(folder), stream, request)
                    if isinstance(release, Release) and release.whole:
                        release = self._checked(stream, release, request)
                except SourceError as error:
                    log.debug("%s cannot be read: %s", stream, error)  # the run ends with it
                    pull.failures[stream] = error
                    continue
                if isinstance(release, Unchanged):
                    pull.checkpoint[stream] = release.checkpoint
                    same.add(stream)
                    continue
                pull.expected = emitted + release.rows
                for item in self._items(stream, release, pull.left_out):
                    yield item
                    emitted += 1
                    if request.limit is not None and emitted >= request.limit:
                        return
                if not release.whole:
                    return
                pull.checkpoint[stream] = release.checkpoint
                pull.complete_streams.add(stream)
        pull.unchanged = len(same) == len(self.config.streams)
        pull.complete = pull.complete_streams == set(STREAMS)

    def _fetch(
        self, http: HttpSource, folder: Path, stream: str, request: PullRequest
    ) -> Release | Unchanged:
        spools = []
        if stream == "power_units":
            api = self.config.power_units.api
            spools = [
                spool_assets(http, api.base_url, asset_type, folder, request.limit)
                for asset_type in api.asset_types
            ]
        files = self.config.files(stream)
        previous = request.checkpoint.get(stream)
        release = fetch_release(
            http,
            folder,
            spools,
            files,
            previous,
            self.config.largest_loss,
            accept_loss=request.accept_loss,
            reread=stream in request.reread,
        )
        if stream != "power_units" or isinstance(release, Unchanged):
            return release
        parts = (
            replace(part, dataset=part.dataset or power_columns.tracker_of_rows(part.read()))
            for part in release.parts
        )
        return replace(release, parts=tuple(parts))

    def _checked(self, stream: str, release: Release, request: PullRequest) -> Release:
        found = readability(self._items(stream, release, Counter()), self.map_to_schema)
        for location, one in found.items():
            report_fields(location, one, _KNOWN_FIELDS[stream], _READ.get(stream))
        if stream == "transmission_lines":
            # Without the nodes a line would lose its ends.
            buses = tuple(part for part in release.parts if part.dataset == "buses")
            nodes = replace(release, parts=buses)
            found |= readability(self._items("substations", nodes, Counter()), self.map_to_schema)
        for part in release.parts if stream in _TRACKER_COLUMNS else ():
            if not request.accept_loss:
                self._refuse_other_tracker(stream, part)
        return release.checked(found, _ID_COLUMNS[stream], accept_loss=request.accept_loss)

    @staticmethod
    def _refuse_other_tracker(stream: str, part: Part) -> None:
        """Raise when every row of a list is left out because of the tracker that it names.

        Raises:
            UnexpectedAnswerError: it is another list, or the tracker has another name.
        """
        belongs, tracker_names = _BELONGS[stream], _TRACKER_COLUMNS[stream]
        words = set()
        for columns in part.read():
            tracker = Columns(columns).text(*tracker_names)
            if belongs(tracker or part.dataset):
                return
            words.add(str(tracker))
        if words:
            raise UnexpectedAnswerError(
                f"{part.location} has {part.rows:,} rows, all of them of other trackers than "
                f"{stream} is made of, by the columns {', '.join(tracker_names)}: "
                f"{', '.join(sorted(words))[:_SHOWN]}. Nothing of it is published. Set "
                "the location to a list of this stream."
            )

    def is_checkpoint_of(self, key: str, stream: str) -> bool:
        """Each stream has one key."""
        return key == stream

    def _items(self, stream: str, release: Release, left_out: Counter[str]) -> Iterator[RawItem]:
        rows = _ROWS_OF_STREAM[stream](release, left_out)
        credit = self.config.credit(stream)
        for record_id, item, origin in rows:
            yield RawItem(stream, record_id, item, None, release.digest, origin, credit)

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert one row; the modules of the trackers and of the grid say how.

        Units: MW, million tonnes of LNG a year, kV, km. Words such as `--` and `not found` mean
        not reported, never zero.
        """
        item = raw.item or {}
        found = GemTransmissionConnector._mapped(raw, item)
        if isinstance(found, Rejected) or item.get("place_of") is None:
            return found
        return replace(found, place_of=item["place_of"])

    @staticmethod
    def _mapped(raw: RawRecord, item: Mapping[str, Any]) -> Mapped | Rejected:
        columns = item.get("columns") or {}
        dataset = item.get("dataset")
        place = item.get("place")
        match item.get("form"):
            case "gem_api" | "gem_tracker" if raw.stream == "lng_terminals":
                return lng_unit(raw.record_id, columns, place)
            case "gem_api" | "gem_tracker":
                return power_unit(raw.record_id, columns, dataset, place)
            case "grid_bus":
                return grid_node(columns)
            case "grid_line" | "grid_link" as form:
                start, end = item.get("from_node"), item.get("to_node")
                return grid_line(columns, start, end, link=form == "grid_link")
            case "grid_project":
                return grid_project(columns, dataset or "")
            case form:
                return reject_rules.UNKNOWN_FORM.reject(form)


_Rows = Iterator[tuple[str, Item, str]]
"""Record id, item, origin."""

_Reading = Callable[[str, Mapping[str, str], str | None, str | None], Mapped | Rejected]
"""What becomes of a row: record id, columns, dataset, place."""


def _lng_rows(release: Release, left_out: Counter[str]) -> _Rows:
    names = lng_terminals.UNIT_ID, lng_terminals.TRACKER
    return _tracker_rows(release, *names, is_lng, terminal_entity, _lng_reading, left_out)


def _lng_reading(
    record_id: str, columns: Mapping[str, str], _dataset: str | None, place: str | None
) -> Mapped | Rejected:
    return lng_unit(record_id, columns, place)


def _power_rows(release: Release, left_out: Counter[str]) -> _Rows:
    names = power_columns.UNIT_ID, power_columns.TRACKER
    return _tracker_rows(release, *names, is_power, plant_entity, power_unit, left_out)


def _tracker_rows(
    release: Release,
    id_names: tuple[str, ...],
    tracker_names: tuple[str, ...],
    belongs: Callable[[str | None], bool],
    entity_of: Callable[[Columns, str | None], str | None],
    reading: _Reading,
    left_out: Counter[str],
) -> _Rows:
    """Rows of one tracker stream, each id once, each with its place where its entity has several.

    Rows of one entity at one place name the first of them that can be read.
    """
    places = _places(release.parts, id_names, tracker_names, belongs, entity_of)
    firsts = FirstAtPlace()
    for record_id, part, row in _numbered_rows(
        release.parts, id_names, tracker_names, belongs, left_out
    ):
        form = "gem_api" if "asset_id" in row.texts else "gem_tracker"
        item = _item(form, part.dataset, row.texts)
        place = item["place"] = places.get(record_id)
        item["place_of"] = firsts.before(
            entity_of(row, part.dataset),
            place,
            place_of(row),
            record_id,
            partial(_is_readable, reading, record_id, row.texts, part.dataset, place),
        )
        yield record_id, item, part.location


@lru_cache(maxsize=2)
def _places(
    parts: tuple[Part, ...],
    id_names: tuple[str, ...],
    tracker_names: tuple[str, ...],
    belongs: Callable[[str | None], bool],
    entity_of: Callable[[Columns, str | None], str | None],
) -> Mapping[str, str]:
    """See `told_apart`; asked when a release is checked and again when it is published."""
    return told_apart(
        Sighting(entity, record_id, place_of(row))
        for record_id, part, row in _numbered_rows(
            parts, id_names, tracker_names, belongs, Counter()
        )
        if (entity := entity_of(row, part.dataset)) is not None
    )


def _is_readable(
    reading: _Reading,
    record_id: str,
    columns: Mapping[str, str],
    dataset: str | None,
    place: str | None,
) -> bool:
    return isinstance(reading(record_id, columns, dataset, place), Mapped)


def _numbered_rows(
    parts: tuple[Part, ...],
    id_names: tuple[str, ...],
    tracker_names: tuple[str, ...],
    belongs: Callable[[str | None], bool],
    left_out: Counter[str],
) -> Iterator[tuple[str, Part, Columns]]:
    ids = RowIds()
    for part in parts:
        ids.begin_list()
        for columns in part.read():
            row = Columns(columns)
            if not belongs(row.text(*tracker_names) or part.dataset):
                left_out[_OTHER_TRACKER] += 1
                continue
            record_id = ids.of(row.text(*id_names) or _row_id(columns), columns, left_out)
            if record_id is not None:
                yield record_id, part, row


def _plain_rows(part: Part) -> Iterator[Row]:
    """Rows of a grid list by the names that its columns have in lower case."""
    for columns in part.read():
        yield {plain_name(name): text for name, text in columns.items()}


def _node_rows(release: Release, _left_out: Counter[str]) -> _Rows:
    for buses in release.parts:
        for columns in _plain_rows(buses):
            record_id = node_record_id(columns.get("bus_id") or _row_id(columns))
            yield record_id, _item("grid_bus", None, columns), buses.location


def _line_rows(release: Release, _left_out: Counter[str]) -> _Rows:
    parts = {part.dataset: part for part in release.parts}
    buses = _plain_rows(parts["buses"]) if "buses" in parts else ()
    nodes = {columns.get("bus_id", ""): _reported(columns) for columns in buses}
    for name, link in (("lines", False), ("links", True)):
        if name in parts:
            yield from _ends_joined(parts[name], nodes, link=link)


def _ends_joined(part: Part, nodes: Mapping[str, Row], *, link: bool) -> _Rows:
    form, id_column = ("grid_link", "link_id") if link else ("grid_line", "line_id")
    for columns in _plain_rows(part):
        record_id = line_record_id(columns.get(id_column) or _row_id(columns), link=link)
        item = _item(form, None, columns)
        item["from_node"] = nodes.get(columns.get("bus0", ""))
        item["to_node"] = nodes.get(columns.get("bus1", ""))
        yield record_id, item, part.location


def _project_rows(release: Release, _left_out: Counter[str]) -> _Rows:
    for part in release.parts:
        dataset = part.dataset or ""
        for columns in _plain_rows(part):
            record_id = project_record_id(dataset, columns.get("") or _row_id(columns))
            yield record_id, _item("grid_project", dataset, columns), part.location


_TRACKER_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "lng_terminals": lng_terminals.TRACKER,
    "power_units": power_columns.TRACKER,
}

_BELONGS: Mapping[str, Callable[[str | None], bool]] = {
    "lng_terminals": is_lng,
    "power_units": is_power,
}

_ID_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "lng_terminals": lng_terminals.UNIT_ID,
    "power_units": power_columns.UNIT_ID,
    "substations": ("bus_id",),
    "transmission_lines": ("line_id", "link_id", "bus_id"),
    "transmission_projects": ("the first column",),
}

_ROWS_OF_STREAM: Mapping[str, Callable[[Release, Counter[str]], _Rows]] = {
    "lng_terminals": _lng_rows,
    "power_units": _power_rows,
    "substations": _node_rows,
    "transmission_lines": _line_rows,
    "transmission_projects": _project_rows,
}


def _item(form: str, dataset: str | None, columns: Mapping[str, str]) -> Item:
    return {
        "form": form,
        "dataset": dataset,
        "columns": _reported(columns),
        "place": None,
        "place_of": None,
        "from_node": None,
        "to_node": None,
    }


def _reported(columns: Mapping[str, str]) -> Row:
    return {name: text for name, text in columns.items() if text != ""}


def _row_id(columns: Row) -> str:
    """Stands in for a missing id, so that the row can be kept and rejected."""
    return "row-" + hashlib.sha256("\0".join(columns.values()).encode()).hexdigest()[:16]
