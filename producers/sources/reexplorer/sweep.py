"""One sweep over the points: change check, questions, and where it ended."""

import logging
from collections.abc import Iterator, Sequence

from producers.connector import Pull, PullRequest, RawItem
from producers.errors import (
    AuthenticationError,
    BudgetSpentError,
    SourceError,
    UnreachableError,
)
from producers.formats.reading import json_text
from producers.http import Answer, HttpSource, bare_address
from producers.sources.reexplorer import mapping
from producers.sources.reexplorer.config import ReexplorerConfig
from producers.sources.reexplorer.plan import Progress, Task
from producers.sources.reexplorer.points import OWN_GROUP, ResourcePoint, plant_points
from producers.sources.reexplorer.service import (
    UNPROCESSABLE,
    LimitReachedError,
    NlrService,
    PointRefusedError,
    ServiceFailureError,
    envelope,
)
from producers.sources.reexplorer.streams import NLR_STREAMS, PVWATTS, NlrStream, item, number_text

log = logging.getLogger(__name__)

_DATA_QUERY = "/api/solar/data_query/v2.json"
_LIMIT = "rate_limit"
_LIMIT_HITS = "rate_limit_hits"


_FAILED_IN_A_ROW = 10
"""Points on which a service may fail before the run leaves it alone."""

_CHECKED = 3
"""Points that a change check may ask about before the service counts as failing."""

_UNREACHED = 4
"""As many of them is one for which no answer came on any attempt."""


_REFUSED_IN_A_ROW = 5
"""Points that a service may refuse without a good answer before that is a failure of its own."""


class _UsedUpError(Exception):
    """The requests are used up before the points are; what was answered is recorded."""


class Sweep:
    """Asking the services about every point that is not answered yet.

    Each service is asked for itself: one that fails leaves its points to the next run, which asks
    it first.

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
        self._failed_in_a_row = 0
        self._answered = 0
        self._left = 0
        self._hits = int(request.checkpoint.get(_LIMIT_HITS, "0"))

    def items(self) -> Iterator[RawItem]:
        """Answers, with the checkpoint moved to where they end.

        A service that fails is noted in `pull.failures`, and the next one is asked.

        Raises:
            AuthenticationError: the key is refused.
            SourceError: nothing was answered.
        """
        progress = Progress.from_checkpoint(
            self._checkpoint, (stream.name for stream in NLR_STREAMS)
        )
        tasks = self._tasks(progress)
        self._left = sum(len(task.left) for task in tasks)
        self._pull.expected = self._left or None
        failed: set[str] = set()
        try:
            for task in tasks:
                if task.stream.name in failed:
                    continue
                self.asking = task.stream.name
                self._failed_in_a_row = 0
                try:
                    yield from self._task(progress, task)
                except AuthenticationError:
                    raise
                except SourceError as error:
                    failed.add(self.asking)
                    self._note_failure(error)
        except _UsedUpError as ended:
            log.warning("%s", ended)
        except AuthenticationError as error:
            if not self._answered:
                raise
            self._note_failure(error)
        if not self._answered and self._pull.failures.keys() & failed:
            raise self._pull.failures[self.asking]
        progress.write(self._pull.checkpoint)
        self._report_limit(self._hits)

    def _task(self, progress: Progress, task: Task) -> Iterator[RawItem]:
        """Answers about the points left of a task; refusals come when one of its points is good."""
        refused: list[RawItem] = []
        for done, point in enumerate(task.left):
            reached = done - len(refused)
            if not self._can_ask(task, point):
                progress.stop(task, reached)
                raise self._used_up()
            try:
                found = self._answers(progress, task, point)
            except (LimitReachedError, BudgetSpentError) as error:
                progress.stop(task, reached)
                self._hits += isinstance(error, LimitReachedError)
                if not self._answered:
                    raise
                raise self._used_up() from None
            except PointRefusedError as error:
                refused.append(self._item_of(task.stream, point, error.answer))
                if len(refused) == _REFUSED_IN_A_ROW:
                    progress.stop(task, done + 1 - len(refused))
                    raise
                continue
            except SourceError:
                progress.stop(task, reached)
                raise
            yield from self._counted(refused)
            refused.clear()
            yield from self._counted(found)
        yield from self._counted(refused)
        progress.finish(task)

    def _counted(self, items: Sequence[RawItem]) -> Iterator[RawItem]:
        self._answered += len(items)
        yield from items

    def _answers(self, progress: Progress, task: Task, point: ResourcePoint) -> list[RawItem]:
        """The answer about a point; none when the service fails, which leaves the point open."""
        if self._failed_in_a_row >= _FAILED_IN_A_ROW:
            progress.leave_open(task, point)
            return []
        try:
            found = self._item(task.stream, point)
        except (ServiceFailureError, UnreachableError) as error:
            self._failed_in_a_row += _UNREACHED if isinstance(error, UnreachableError) else 1
            progress.leave_open(task, point)
            self._note_failure(error)
            return []
        self._failed_in_a_row = 0
        progress.answer(task, point)
        return [found]

    def _note_failure(self, error: SourceError) -> None:
        """A service failed: the run goes on, and says so."""
        log.debug("%s", error)  # the run ends with it
        self._pull.failures.setdefault(self.asking, error)

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

    def _used_up(self) -> Exception:
        if not self._answered:
            return BudgetSpentError(
                "The change check has used every request this run may send. Raise "
                "`http.max_requests`, or wait until the hourly limit allows more."
            )
        return _UsedUpError(
            f"NLR: {self._answered} of {self._left} questions asked, then the requests were used "
            "up; run again in an hour to go on."
        )

    def _tasks(self, progress: Progress) -> list[Task]:
        tasks: list[Task] = []
        failed: SourceError | None = None
        asked = False
        for stream in NLR_STREAMS:
            self.asking = stream.name
            points = self._points(stream)
            progress.keep(stream, {point.group for point in points})
            if not points:
                continue
            try:
                fingerprint = self._fingerprint(stream, points)
            except AuthenticationError:
                raise
            except (LimitReachedError, BudgetSpentError) as error:
                if not asked:
                    raise
                self._hits += isinstance(error, LimitReachedError)
                continue
            except SourceError as error:
                self._note_failure(error)
                failed = failed or error
                continue
            asked = True
            tasks += progress.tasks(stream, points, self._config.asked, fingerprint)
        if failed is not None and not asked:
            raise failed
        # Configured points of every service come before the many of the plants, and what the last
        # run left out before the rest.
        left_out = set(progress.cursors)
        return sorted(
            tasks, key=lambda task: (task.group != OWN_GROUP, task.stream.name not in left_out)
        )

    def _points(self, stream: NlrStream) -> list[ResourcePoint]:
        plants = plant_points(self._plants, stream.fuel, self._config.coverage(stream))
        return [*self._config.own_points(stream), *plants]

    def _fingerprint(self, stream: NlrStream, points: Sequence[ResourcePoint]) -> object:
        """Mark of the data, by the first point about which the service says anything."""
        failed: SourceError | None = None
        for point in points[:_CHECKED]:
            parameters = stream.parameters(point, self._config.asked)
            question = {**parameters, **stream.change_parameters}
            try:
                answer = self._service.peek(stream.path, question)
                # A failure would look like another state of the data.
                return stream.change_mark(envelope(answer, self._service.address(stream.path)))
            except (PointRefusedError, ServiceFailureError) as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def _item(self, stream: NlrStream, point: ResourcePoint) -> RawItem:
        parameters = stream.parameters(point, self._config.asked)
        return self._item_of(stream, point, self._service.ask(stream.path, parameters))

    def _item_of(self, stream: NlrStream, point: ResourcePoint, answer: Answer) -> RawItem:
        where = self._service.address(stream.path)
        parameters = stream.parameters(point, self._config.asked)
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
