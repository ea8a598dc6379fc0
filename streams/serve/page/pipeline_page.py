"""Addresses of the pipeline: what it does now, and one record followed through it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from producers.connectors import CONNECTORS
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.dead_letter_queries import open_dead_letters
from streams.core.errors import InfrastructureError
from streams.core.trace import Trace
from streams.serve.data_version import DataVersion
from streams.serve.operations import Operations
from streams.serve.page import pipeline_view
from streams.serve.page.pipeline_picture import picture
from streams.serve.page.rendering import Pages
from streams.serve.parameters import Asked, DayOrEmpty, given_day
from streams.serve.pool import Reader
from streams.serve.record_trace import follow
from streams.serve.seldom import in_thread
from streams.serve.sources import read_sources
from streams.topics import raw_topic
from streams.topology import pipeline

_TRACE_SECONDS: Final = 30.0
_TRACES_AT_ONCE: Final = 2

_STAGES: Final = pipeline(CONNECTORS)
_SOURCES: Final = {raw_topic(name).name: name for name in CONNECTORS}
_PICTURE: Final = picture(_STAGES, _SOURCES)


class PipelineAsked(Asked):
    """Which record to follow; none where it is empty."""

    trace: str = Field("", max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    day: DayOrEmpty = None


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of following a record.

    Attributes:
        trace: None: it was not found, or who knows did not answer.
        problem: Why not; empty with a trace.
        command: The same question in a terminal.
    """

    trace: Trace | None
    problem: str
    command: str


class Tracing:
    """Follows records, a few at a time: each reads whole partitions."""

    def __init__(self, reader: Reader, operations: Operations) -> None:
        self._reader = reader
        self._operations = operations
        self._places = asyncio.Semaphore(_TRACES_AT_ONCE)

    async def followed(self, name: str, day: date | None) -> Followed:
        """The trace of a record, or why there is none; who is silent is not asked once more."""
        command = f"make trace ID={name}" + (f" DAY={day}" if day else "")
        if problem := (await self._operations.flow.get()).problem:
            return Followed(None, problem, command)
        loop = asyncio.get_running_loop()

        def ask(sql: str) -> Sequence[Mapping[str, Any]]:
            answer = self._reader.answer(BoundQuery(sql, {}, dict), "JSONEachRow")
            lines = asyncio.run_coroutine_threadsafe(answer, loop).result().splitlines()
            return [orjson.loads(line) for line in lines]

        settings = self._operations.settings
        try:
            async with asyncio.timeout(_TRACE_SECONDS), self._places:
                found = await in_thread(partial(follow, settings, ask, name, day))
        except TimeoutError:
            problem = f"Nothing was found within {_TRACE_SECONDS:.0f} s: ask in a terminal."
            return Followed(None, problem, command)
        except InfrastructureError as error:
            return Followed(None, str(error), command)
        return Followed(found, "", command)


def pipeline_page(
    reader: Reader, version: DataVersion, operations: Operations, pages: Pages
) -> APIRouter:
    """The address of the pipeline."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("pipeline"))
    tracing = Tracing(reader, operations)

    @router.get("/pipeline")
    async def page(asked: Annotated[PipelineAsked, Query()]) -> Response:
        name = asked.trace.strip()
        day = given_day(asked.day)
        (sources, runs_problem), rejected, lag, paused, flow = await asyncio.gather(
            read_sources(reader, operations),
            reader.rows(open_dead_letters()),
            operations.lag.get(),
            operations.paused.get(),
            operations.flow.get(),
        )
        followed = await tracing.followed(name, day) if name else None
        now = pipeline_view.Now(
            sources,
            runs_problem is None,
            lag.value,
            paused.value,
            flow.value,
            rejected,
            version.published_at,
            operations.settings.sink_app_id,
        )
        passed = (
            pipeline_view.passed_by(followed.trace, _STAGES, _SOURCES)
            if followed and followed.trace
            else frozenset[str]()
        )
        rows = pipeline_view.stage_rows(_STAGES, now)
        when = datetime.now(UTC)
        problems = [runs_problem, lag.problem, paused.problem, flow.problem]
        return pages.answer(
            "pipeline.html",
            "pipeline",
            picture=_PICTURE,
            boxes=pipeline_view.boxes(_PICTURE, rows, now, when, passed),
            lines=pipeline_view.lines(_PICTURE, now, passed),
            rows=rows,
            sources=sources,
            rejected=rejected,
            unavailable=list(dict.fromkeys(one for one in problems if one)),
            looked_at=when,
            wanted=name,
            day=day,
            followed=followed,
            tracing=bool(passed),
        )

    return router
