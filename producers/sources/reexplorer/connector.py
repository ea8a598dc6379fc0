"""NLR developer API (formerly NREL): solar and wind resource at points, and renewable projects.

Host: https://developer.nlr.gov. Key: free, header `X-Api-Key`. Limit: 1,000 requests in a rolling
hour over all services (`DEMO_KEY`: 30, and 50 a day). The data change about once a year, so a run
asks one question per service first and downloads only what has changed. Projects come from tracker
files: no service lists any. Source: developer.nlr.gov; `renewable_projects` for the files.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import SecretStr

from producers.config import SourceConfig
from producers.connector import InfrastructureConnector, Pull, PullRequest, RawItem, StreamInfo
from producers.errors import SourceError
from producers.formats.odd_cells import OddCells
from producers.formats.reading import UnreadableNumberError
from producers.http import HttpSource
from producers.sources.reexplorer import mapping, projects
from producers.sources.reexplorer.config import ReexplorerConfig
from producers.sources.reexplorer.project_files import (
    KEY,
    PLACE,
    PLACE_OF,
    PROJECTS,
    TECHNOLOGY,
    pull_projects,
)
from producers.sources.reexplorer.streams import NLR_STREAMS
from producers.sources.reexplorer.sweep import Sweep
from producers.sources.reexplorer.upstream_fields import UPSTREAM_FIELDS
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

log = logging.getLogger(__name__)


class ReexplorerConnector(InfrastructureConnector):
    """Renewable resource at points, and planned solar and wind plants."""

    name = "reexplorer"
    source_id = "reexplorer"
    licence = "LicenseRef-US-government-funded"
    attribution = "National Laboratory of the Rockies (NLR), developer.nlr.gov"
    key_variable = "NLR_API_KEY"
    asks_known_plants = True
    file_variables: ClassVar[Mapping[str, Mapping[str, str]]] = {
        PROJECTS: {
            "RENEWABLE_PROJECTS_LOCATION": "{file}",
            "NLR_API_KEY": "none",
            "NLR_REQUESTS_PER_MINUTE": "60000",  # none is sent
        }
    }
    also_read = frozenset((*projects.PHASE, "gem_location_id", "geometry_type"))
    upstream_fields = UPSTREAM_FIELDS
    config_model: ClassVar[type[SourceConfig]] = ReexplorerConfig
    config: ReexplorerConfig

    def __init__(self, config: ReexplorerConfig) -> None:
        super().__init__(config)

    def secret_headers(self) -> Mapping[str, SecretStr]:
        """The key; in a header it is in no address and in no log."""
        return {"x-api-key": self.config.api_key}

    def secret_address(self) -> str:
        """Tracker files come from other hosts, which must not get the key."""
        return self.config.base_url

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """The services, and the projects of tracker files."""
        services = (
            StreamInfo(stream.name, "renewable_resource", stream.description, released=False)
            for stream in NLR_STREAMS
        )
        projects = StreamInfo(
            PROJECTS, "renewable_project", "Planned and unfinished solar and wind phases."
        )
        return (*services, projects)

    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield projects of changed tracker files, then the answers about points still to ask.

        When the budget of the run or the limit of the key ends first, the checkpoint says how far
        it came and the next run goes on there. A limited run leaves the checkpoint where it is.
        What fails while something else was got is noted in `pull.failures`.

        Raises:
            AuthenticationError: the gateway refuses the key.
            RateLimitedError: the limit is reached and this run has got nothing.
            BudgetSpentError: the budget of the run is too small to get anything.
            SourceError: see `HttpSource.ask`.
        """
        items = 0
        for item in self._items(http, request, pull):
            yield item
            items += 1
            if request.limit is not None and items >= request.limit:
                pull.checkpoint = dict(request.checkpoint)
                pull.complete_streams.clear()
                return
        pull.unchanged = items == 0 and not pull.failures

    def _items(self, http: HttpSource, request: PullRequest, pull: Pull) -> Iterator[RawItem]:
        """Projects and answers; one of them failing does not lose the other."""
        try:
            yield from pull_projects(http, self.config, request, pull, self.map_to_schema)
        except SourceError as error:
            log.debug("%s cannot be read: %s", PROJECTS, error)  # the run ends with it
            pull.failures[PROJECTS] = error
        sweep = Sweep(http, self.config, request, pull)
        try:
            yield from sweep.items()
        except SourceError as error:
            if PROJECTS not in pull.complete_streams:
                raise
            pull.failures[sweep.asking] = error

    def is_checkpoint_of(self, key: str, stream: str) -> bool:
        """Only projects are ever complete; each of their files has a key."""
        return stream == PROJECTS and key.startswith(KEY)

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert an answer to a renewable resource, or a tracker row to a project.

        Units: kWh/m2/day, kWh a year, percent, metres, MW, degrees. Null and an absent value mean
        not reported, never zero; what is no number is null and flags the record. Outside coverage
        is `coverage: outside` with no figures.
        """
        content = raw.item or {}
        try:
            if raw.stream == PROJECTS:
                return _project(raw.record_id, content["row"] or {}, content["extra"])
            odd = OddCells()
            found = mapping.resource(raw.stream, content, odd)
        except UnreadableNumberError as error:
            return reject_rules.UNREADABLE_NUMBER.reject(
                error.text, field=error.field, limit="a number"
            )
        return found if isinstance(found, Rejected) else Mapped(raw.record_id, found, odd.flags)


def _project(record_id: str, row: Mapping[str, str], said: Mapping[str, str]) -> Mapped | Rejected:
    """The project of a row, with what its file says beside it."""
    found = projects.project(record_id, row, said.get(TECHNOLOGY), said.get(PLACE))
    return found if isinstance(found, Rejected) else replace(found, place_of=said.get(PLACE_OF))
