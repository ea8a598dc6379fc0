"""NLR developer API (formerly NREL): solar and wind resource at points, and renewable projects.

Host: https://developer.nlr.gov. Key: free, header `X-Api-Key`. Limit: 1,000 requests in a rolling
hour over all services (`DEMO_KEY`: 30, and 50 a day). The data change about once a year, so a run
asks one question per service first and downloads only what has changed. Projects come from tracker
files: no service lists any. Source: developer.nlr.gov; `renewable_projects` for the files.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from producers import nlr_mapping, renewable_projects
from producers.config import SourceConfig
from producers.connector import (
    Credit,
    InfrastructureConnector,
    KnownPlant,
    Pull,
    PullRequest,
    RawItem,
    StreamInfo,
)
from producers.errors import BudgetSpentError, CheckpointError
from producers.http import Answer, HttpSource, JsonObject, bare_address
from producers.nlr_plan import Progress, Task
from producers.nlr_points import OWN_GROUP, Box, Point, plant_points, slug
from producers.nlr_service import (
    NEW_HOST,
    UNPROCESSABLE,
    LimitReachedError,
    NlrService,
    envelope,
)
from producers.nlr_streams import (
    NLR_STREAMS,
    PVWATTS,
    Asked,
    NlrStream,
    PvSystem,
    item,
    number_text,
)
from producers.reading import UnreadableNumberError, json_text
from producers.tracker_files import Held, TrackerFile, check_rows, measure, obtain, read_rows
from streams.core import rules
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

log = logging.getLogger(__name__)

PROJECTS = "renewable_projects"
_PROJECT_CREDIT = Credit(
    "CC-BY-4.0", "Global Energy Monitor: Global Solar Power Tracker, Global Wind Power Tracker"
)
_DATA_QUERY = "/api/solar/data_query/v2.json"
_LIMIT = "rate_limit"
_LIMIT_HITS = "rate_limit_hits"

StreamName = Literal["solar_resource", "pvwatts", "nsrdb_data_query", "wind_toolkit_site_count"]


class ConfiguredPoint(BaseModel):
    """A point to ask about; all services unless `streams` names some."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"[A-Za-z0-9]")
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    country_code: str | None = Field(None, pattern="^[A-Z]{2}$")
    streams: tuple[StreamName, ...] = tuple(stream.name for stream in NLR_STREAMS)  # type: ignore[misc]


class ReexplorerConfig(SourceConfig):
    """`config/reexplorer.yaml`."""

    base_url: str = Field(pattern=r"^https?://")
    api_key: SecretStr = Field(min_length=1)
    points: tuple[ConfiguredPoint, ...]
    points_from_plants: bool = False
    plant_coverage: Mapping[StreamName, tuple[Box, ...]] = Field(default_factory=dict)
    pv_system: PvSystem = PvSystem()
    wind_box_degrees: float = Field(0.1, gt=0, le=2)
    project_files: tuple[str, ...] = ()
    minimum_projects: int = Field(1, ge=0)
    largest_loss: float = Field(0.5, ge=0, le=1)

    @field_validator("base_url")
    @classmethod
    def _refuse_the_old_host(cls, address: str) -> str:
        host = (urlsplit(address).hostname or "").lower()
        if host == "nrel.gov" or host.endswith(".nrel.gov"):
            raise ValueError(f"{host} was given up in May 2026; use {NEW_HOST}, with the same key")
        if host.endswith("nlr.gov") and address.startswith("http://"):
            raise ValueError(f"the service answers https only; use {NEW_HOST}")
        return address

    @field_validator("points")
    @classmethod
    def _refuse_equal_names(
        cls, points: tuple[ConfiguredPoint, ...]
    ) -> tuple[ConfiguredPoint, ...]:
        names = [slug(point.name) for point in points]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names must differ in letters or digits: {', '.join(twice)}")
        return points

    @field_validator("project_files")
    @classmethod
    def _without_blanks(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(file for file in files if file.strip())

    @property
    def asked(self) -> Asked:
        """Settings the questions depend on."""
        return Asked(self.pv_system, self.wind_box_degrees)


class ReexplorerConnector(InfrastructureConnector):
    """Renewable resource at points, and planned solar and wind plants."""

    name = "reexplorer"
    source_id = "reexplorer"
    licence = "LicenseRef-US-government-funded"
    attribution = "National Laboratory of the Rockies (NLR), developer.nlr.gov"
    config_model: ClassVar[type[SourceConfig]] = ReexplorerConfig
    config: ReexplorerConfig

    def __init__(self, config: ReexplorerConfig) -> None:
        super().__init__(config)

    def secret_headers(self) -> Mapping[str, SecretStr]:
        """The key; in a header it stands in no address and in no log."""
        return {"x-api-key": self.config.api_key}

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """The services, and the projects of tracker files."""
        services = (
            StreamInfo(stream.name, "renewable_resource", stream.description)
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

        Days asked for are ignored: nothing here has dates. When the budget of the run or the limit
        of the key ends first, the checkpoint says how far it came and the next run goes on there.
        A limited run leaves the checkpoint where it is.

        Raises:
            AuthenticationError: the gateway refuses the key.
            RateLimitedError: the limit is reached and this run has got nothing.
            BudgetSpentError: the budget of the run is too small to get anything.
            TruncatedError: a tracker file looks cut short.
            SourceError: see `HttpSource.ask`.
        """
        items = 0
        pulled = chain(
            self._projects(http, request, pull), _Sweep(self, http, request, pull).items()
        )
        for pulled_item in pulled:
            yield pulled_item
            items += 1
            if request.limit is not None and items >= request.limit:
                pull.checkpoint = dict(request.checkpoint)
                pull.complete_streams.clear()
                return
        pull.unchanged = items == 0

    def _projects(self, http: HttpSource, request: PullRequest, pull: Pull) -> Iterator[RawItem]:
        held = {
            location: _held(request.checkpoint.get(_file_key(location)))
            for location in self.config.project_files
        }
        with TemporaryDirectory(prefix="projects-") as folder:
            files = _changed_files(http, held, Path(folder))
            if files is None:
                return
            for location, (file, etag) in files.items():
                before = held[location]
                check_rows(
                    file,
                    location,
                    least=self.config.minimum_projects,
                    held_rows=before.rows if before else 0,
                    largest_loss=self.config.largest_loss,
                )
                yield from _project_items(file, location)
                new = Held(bare_address(location), file.digest, file.rows, etag)
                pull.checkpoint[_file_key(location)] = new.to_text()
            pull.complete_streams.add(PROJECTS)

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert an answer to a renewable resource, or a tracker row to a project.

        Units: kWh/m2/day, kWh a year, percent, metres, MW, degrees. Null and an absent value mean
        not reported, never zero; outside coverage is `coverage: outside` with no figures.
        """
        content = raw.item or {}
        try:
            if raw.stream == PROJECTS:
                return renewable_projects.project(raw.record_id, content["row"] or {})
            found = nlr_mapping.resource(raw.stream, content)
        except UnreadableNumberError as error:
            return rules.UNREADABLE_NUMBER.reject(error.text, field=error.field, limit="a number")
        return found if isinstance(found, Rejected) else Mapped(raw.record_id, found)


@dataclass(frozen=True)
class _Sweep:
    """Asking the services about every point that is not answered yet."""

    connector: ReexplorerConnector
    http: HttpSource
    request: PullRequest
    pull: Pull

    @property
    def _config(self) -> ReexplorerConfig:
        return self.connector.config

    @cached_property
    def _service(self) -> NlrService:
        return NlrService(self.http, self._config.base_url)

    @cached_property
    def _plants(self) -> tuple[KnownPlant, ...]:
        return tuple(self.request.known_plants()) if self._config.points_from_plants else ()

    def items(self) -> Iterator[RawItem]:
        """Answers, with the checkpoint moved to where they end."""
        progress = Progress.from_checkpoint(
            self.request.checkpoint, (stream.name for stream in NLR_STREAMS)
        )
        tasks = self._tasks(progress)
        left = sum(len(task.left) for task in tasks)
        self.pull.expected = left or None
        answered = 0
        hits = int(self.request.checkpoint.get(_LIMIT_HITS, "0"))
        try:
            for task in tasks:
                for done, point in enumerate(task.left):
                    if self._service.exhausted:
                        progress.stop(task, done)
                        raise self._ended_early(answered, left)
                    try:
                        found = self._item(task.stream, point)
                    except (LimitReachedError, BudgetSpentError) as error:
                        progress.stop(task, done)
                        hits += isinstance(error, LimitReachedError)
                        if not answered:
                            raise
                        raise self._ended_early(answered, left) from None
                    yield found
                    answered += 1
                progress.finish(task)
        except _EndedEarlyError as ended:
            log.warning("%s", ended)
        progress.write(self.pull.checkpoint)
        if self._service.limit is not None:
            self.pull.checkpoint[_LIMIT] = f"{self._service.remaining}/{self._service.limit}"
            log.info(
                "NLR: %s of %s requests of this hour are left",
                self._service.remaining,
                self._service.limit,
            )
        if hits:
            self.pull.checkpoint[_LIMIT_HITS] = str(hits)

    def _ended_early(self, answered: int, left: int) -> Exception:
        if not answered:
            return BudgetSpentError(
                "The change check has used every request this run may send. Raise "
                "`http.max_requests`, or wait until the hourly limit allows more."
            )
        return _EndedEarlyError(
            f"NLR: {answered} of {left} points asked, then the requests were used up; run again "
            "in an hour to go on."
        )

    def _tasks(self, progress: Progress) -> list[Task]:
        tasks: list[Task] = []
        for stream in NLR_STREAMS:
            points = self._points(stream)
            progress.keep(stream, {point.group for point in points})
            if points:
                mark = self._change_mark(stream, points[0])
                tasks += progress.tasks(stream, points, self._config.asked, mark)
        # Configured points of every service come before the many of the plants.
        return sorted(tasks, key=lambda task: task.group != OWN_GROUP)

    def _points(self, stream: NlrStream) -> list[Point]:
        own = [
            Point(
                slug(point.name),
                point.name,
                point.latitude,
                point.longitude,
                point.country_code,
                OWN_GROUP,
            )
            for point in self._config.points
            if stream.name in point.streams
        ]
        boxes = self._config.plant_coverage.get(stream.name, ())  # type: ignore[call-overload]
        return own + list(plant_points(self._plants, stream.fuel, boxes))

    def _change_mark(self, stream: NlrStream, point: Point) -> object:
        parameters = stream.parameters(point, self._config.asked)
        answer = self._service.peek(stream.path, {**parameters, **stream.change_parameters})
        return stream.change_mark(envelope(answer, self._service.address(stream.path)))

    def _item(self, stream: NlrStream, point: Point) -> RawItem:
        where = self._service.address(stream.path)
        parameters = stream.parameters(point, self._config.asked)
        answer = self._service.ask(stream.path, parameters)
        found = envelope(answer, where)
        content = item(stream, point, parameters, answer, found)
        if stream is PVWATTS and answer.status == UNPROCESSABLE:
            content["extra"][nlr_mapping.ABSENCE] = self._nearest_data(point)
        return RawItem(
            stream=stream.name,
            record_id=f"{stream.name}/{point.id}",
            item=content,
            source_updated_at=None,
            release=None,
            origin=bare_address(where),
        )

    def _nearest_data(self, point: Point) -> str:
        """What Solar Dataset Query holds for a point that PVWatts refuses: "null" for nothing."""
        system = self._config.pv_system
        parameters: dict[str, str | int] = {
            "lat": number_text(point.latitude),
            "lon": number_text(point.longitude),
            "radius": system.radius_miles,
        }
        answer: Answer = self._service.ask(_DATA_QUERY, parameters)
        found: JsonObject = envelope(answer, self._service.address(_DATA_QUERY))
        outputs = found.get("outputs")
        held = outputs.get(system.dataset) if isinstance(outputs, dict) else None
        return json_text(held) or "null"


class _EndedEarlyError(Exception):
    """The requests were used up before the points."""


def _changed_files(
    http: HttpSource, held: Mapping[str, Held | None], folder: Path
) -> dict[str, tuple[TrackerFile, str | None]] | None:
    """Every tracker file, measured; None when none of them has changed.

    Together they are one release, so all are read when one has changed.
    """
    changed = False
    found: dict[str, tuple[TrackerFile, str | None]] = {}
    kept: list[str] = []
    for index, (location, before) in enumerate(held.items()):
        obtained = obtain(http, location, folder / str(index), before)
        if obtained.path is None:
            kept.append(location)
            continue
        file = measure(obtained.path)
        changed |= before is None or before.digest != file.digest
        found[location] = (file, obtained.etag)
    if not changed:
        return None
    for index, location in enumerate(kept):
        obtained = obtain(http, location, folder / f"kept-{index}", None)
        assert obtained.path is not None
        found[location] = (measure(obtained.path), obtained.etag)
    return {location: found[location] for location in held}


def _project_items(file: TrackerFile, location: str) -> Iterator[RawItem]:
    origin = bare_address(location)
    for row in read_rows(file):
        if renewable_projects.is_project(row):
            yield RawItem(
                stream=PROJECTS,
                record_id=renewable_projects.phase_id(row),
                item=_row_item(row),
                source_updated_at=None,
                release=file.digest,
                origin=origin,
                credit=_PROJECT_CREDIT,
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


def _file_key(location: str) -> str:
    return f"file {bare_address(location)}"


def _held(text: str | None) -> Held | None:
    try:
        return Held.from_text(text)
    except (json.JSONDecodeError, TypeError) as error:
        raise CheckpointError(
            f"The checkpoint of reexplorer holds {text!r}, which describes no file. Delete that "
            "row from producers.checkpoints, then run again."
        ) from error
