"""One sweep over the points: change check, questions, and where it ended."""

import logging
from collections.abc import Iterator

from producers.connector import Pull, PullRequest, RawItem
from producers.errors import BudgetSpentError, SourceError
from producers.formats.reading import json_text
from producers.http import HttpSource, bare_address
from producers.sources.reexplorer import mapping
from producers.sources.reexplorer.config import ReexplorerConfig
from producers.sources.reexplorer.plan import Progress, Task
from producers.sources.reexplorer.points import OWN_GROUP, ResourcePoint, plant_points
from producers.sources.reexplorer.service import (
    UNPROCESSABLE,
    LimitReachedError,
    NlrService,
    envelope,
)
from producers.sources.reexplorer.streams import NLR_STREAMS, PVWATTS, NlrStream, item, number_text

log = logging.getLogger(__name__)

_DATA_QUERY = "/api/solar/data_query/v2.json"
_LIMIT = "rate_limit"
_LIMIT_HITS = "rate_limit_hits"


class _EndedEarlyError(Exception):
    """The sweep ends before its points do; what was answered is recorded."""


class Sweep:
    """Asking the services about every point that is not answered yet.

    Args:
        http: Client of this run.
        config: Points, coverage, and what is asked.
        request: Checkpoint to go on from, and the known plants.
        pull: Filled on the way.

    Attributes:
        asking: Stream that is asked just now.
    """

    def __init__(
        self, http: HttpSource, config: ReexplorerConfig, request: PullRequest, pull: Pull
    ) -> None:
        self._config = config
        self._service = NlrService(http, config.base_url)
        self._checkpoint = request.checkpoint
        self._plants = tuple(request.known_plants()) if config.points_from_plants else ()
        self._pull = pull
        self.asking = NLR_STREAMS[0].name

    def items(self) -> Iterator[RawItem]:
        """Answers, with the checkpoint moved to where they end.

        A service that fails after some answers ends the sweep, and is noted in `pull.failures`.

        Raises:
            SourceError: before the first answer.
        """
        progress = Progress.from_checkpoint(
            self._checkpoint, (stream.name for stream in NLR_STREAMS)
        )
        tasks = self._tasks(progress)
        left = sum(len(task.left) for task in tasks)
        self._pull.expected = left or None
        answered = 0
        hits = int(self._checkpoint.get(_LIMIT_HITS, "0"))
        try:
            for task in tasks:
                self.asking = task.stream.name
                for done, point in enumerate(task.left):
                    if not self._can_ask(task, point):
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
                    except SourceError as error:
                        progress.stop(task, done)
                        if not answered:
                            raise
                        self._pull.failures[self.asking] = error
                        raise _EndedEarlyError(f"{self.asking} failed: {error}") from error
                    yield found
                    answered += 1
                progress.finish(task)
        except _EndedEarlyError as ended:
            log.warning("%s", ended)
        progress.write(self._pull.checkpoint)
        self._report_limit(hits)

    def _report_limit(self, hits: int) -> None:
        """Say how many requests the key has left, in the log and the checkpoint."""
        service = self._service
        if service.limit is not None:
            self._pull.checkpoint[_LIMIT] = f"{service.remaining}/{service.limit}"
            log.info("NLR: %s of %s requests an hour are left", service.remaining, service.limit)
        if hits:
            self._pull.checkpoint[_LIMIT_HITS] = str(hits)

    def _can_ask(self, task: Task, point: ResourcePoint) -> bool:
        parameters = task.stream.parameters(point, self._config.asked)
        return self._service.can_answer(task.stream.path, parameters)

    def _ended_early(self, answered: int, left: int) -> Exception:
        if not answered:
            return BudgetSpentError(
                "The change check has used every request this run may send. Raise "
                "`http.max_requests`, or wait until the hourly limit allows more."
            )
        return _EndedEarlyError(
            f"NLR: {answered} of {left} questions asked, then the requests were used up; run again "
            "in an hour to go on."
        )

    def _tasks(self, progress: Progress) -> list[Task]:
        tasks: list[Task] = []
        for stream in NLR_STREAMS:
            self.asking = stream.name
            points = self._points(stream)
            progress.keep(stream, {point.group for point in points})
            if points:
                fingerprint = self._fingerprint(stream, points[0])
                tasks += progress.tasks(stream, points, self._config.asked, fingerprint)
        # Configured points of every service come before the many of the plants.
        return sorted(tasks, key=lambda task: task.group != OWN_GROUP)

    def _points(self, stream: NlrStream) -> list[ResourcePoint]:
        plants = plant_points(self._plants, stream.fuel, self._config.coverage(stream))
        return [*self._config.own_points(stream), *plants]

    def _fingerprint(self, stream: NlrStream, point: ResourcePoint) -> object:
        parameters = stream.parameters(point, self._config.asked)
        answer = self._service.peek(stream.path, {**parameters, **stream.change_parameters})
        return stream.change_mark(envelope(answer, self._service.address(stream.path)))

    def _item(self, stream: NlrStream, point: ResourcePoint) -> RawItem:
        where = self._service.address(stream.path)
        parameters = stream.parameters(point, self._config.asked)
        answer = self._service.ask(stream.path, parameters)
        found = envelope(answer, where)
        content = item(stream, point, parameters, answer, found)
        if stream is PVWATTS and answer.status == UNPROCESSABLE:
            content["extra"][mapping.ABSENCE] = self._nearest_data(point)
        return RawItem(
            stream=stream.name,
            record_id=f"{stream.name}/{point.id}",
            item=content,
            source_updated_at=None,
            release=None,
            origin=bare_address(where),
        )

    def _nearest_data(self, point: ResourcePoint) -> str:
        """What Solar Dataset Query holds for a point that PVWatts refuses: "null" for nothing."""
        system = self._config.pv_system
        parameters: dict[str, str | int] = {
            "lat": number_text(point.latitude),
            "lon": number_text(point.longitude),
            "radius": system.radius_miles,
        }
        answer = self._service.ask(_DATA_QUERY, parameters)
        found = envelope(answer, self._service.address(_DATA_QUERY))
        outputs = found.get("outputs")
        answered = outputs.get(system.dataset) if isinstance(outputs, dict) else None
        return json_text(answered) or "null"
