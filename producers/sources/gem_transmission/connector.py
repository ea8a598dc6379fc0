"""Global Energy Monitor and the transmission grid: trackers, a grid extract, project lists.

Hosts: GEM's public API for power units of some trackers, map files for the others; PyPSA-Eur's
copies of the grid extract and of the project lists, since neither GEM nor ENTSO-E offers an
interface for transmission. No keys, no documented limits. Trackers are released once or twice a
year, so most runs find nothing new.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
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
from producers.errors import SourceError
from producers.formats import power_columns
from producers.formats.readability import readability, report_fields
from producers.http import HttpSource
from producers.sources.gem_transmission import lng_terminals
from producers.sources.gem_transmission.api import spool_assets
from producers.sources.gem_transmission.config import STREAMS, GemConfig
from producers.sources.gem_transmission.grid_network import ID_OF_GRID_FILE, grid_line, grid_node
from producers.sources.gem_transmission.grid_projects import grid_project
from producers.sources.gem_transmission.grid_rows import line_rows, node_rows, project_rows
from producers.sources.gem_transmission.raw_items import Rows
from producers.sources.gem_transmission.release import Release, Unchanged, fetch_release
from producers.sources.gem_transmission.tracker_rows import (
    TRACKERS,
    refuse_other_tracker,
    tracker_rows,
)
from producers.sources.gem_transmission.trial import grid_variables
from producers.sources.gem_transmission.upstream_fields import UPSTREAM_FIELDS
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

log = logging.getLogger(__name__)

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
        read = TRACKERS[stream].read_columns if stream in TRACKERS else None
        for location, one in found.items():
            report_fields(location, one, _KNOWN_FIELDS[stream], read)
        if stream == "transmission_lines":
            # Without the nodes a line would lose its ends.
            buses = tuple(part for part in release.parts if part.dataset == "buses")
            nodes = replace(release, parts=buses)
            found |= readability(self._items("substations", nodes, Counter()), self.map_to_schema)
        for part in release.parts if stream in TRACKERS else ():
            if not request.accept_loss:
                refuse_other_tracker(stream, part)
        return release.checked(found, _ID_COLUMNS[stream], accept_loss=request.accept_loss)

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
            case "gem_api" | "gem_tracker" if raw.stream in TRACKERS:
                return TRACKERS[raw.stream].read(raw.record_id, columns, dataset, place)
            case "grid_bus":
                return grid_node(columns)
            case "grid_line" | "grid_link" as form:
                start, end = item.get("from_node"), item.get("to_node")
                return grid_line(columns, start, end, link=form == "grid_link")
            case "grid_project":
                return grid_project(columns, dataset or "")
            case form:
                return reject_rules.UNKNOWN_FORM.reject(form)


_ID_COLUMNS: Mapping[str, tuple[str, ...]] = {
    **{stream: tracker.id_columns for stream, tracker in TRACKERS.items()},
    "substations": ("bus_id",),
    "transmission_lines": ("line_id", "link_id", "bus_id"),
    "transmission_projects": ("the first column",),
}

_ROWS_OF_STREAM: Mapping[str, Callable[[Release, Counter[str]], Rows]] = {
    **{stream: partial(tracker_rows, tracker) for stream, tracker in TRACKERS.items()},
    "substations": node_rows,
    "transmission_lines": line_rows,
    "transmission_projects": project_rows,
}
