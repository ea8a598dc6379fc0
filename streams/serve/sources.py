"""The sources: terms, how often they are polled, their last run, and how fresh they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from producers.config import load_schedule, process_environment
from producers.connector import InfrastructureConnector, StreamInfo
from producers.connectors import CONNECTORS
from producers.run_history import FinishedRun
from producers.seen_fields import FieldDrift
from streams.clickhouse.quality_queries import SourceFreshness, source_freshness
from streams.serve.addresses import PREFIX
from streams.serve.openapi import answers, fields_schema
from streams.serve.operations import Operations, Runs
from streams.serve.parameters import Asked
from streams.serve.pool import Reader

_ADDRESS: Final = f"{PREFIX}/sources"


@dataclass(frozen=True, slots=True)
class SourceRun:
    """The last finished run of a source; what it read, and whether it was a whole release."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    items: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A source.

    Attributes:
        licence: SPDX identifier where there is one.
        attribution: Credit the licence asks for.
        polled_every_seconds: How often it is polled where `--every schedule` runs.
        up: Whether the last run succeeded and the next one is not overdue; None: not known.
        last_run: None: not known, or never.
        next_run_at: When the next poll is due; None: not known.
        record_count: Raw records with an outcome.
        newest_record_at: Fetch time of the newest; None: none.
        drift: Fields that it has begun or ceased to send, the newest first; None: not known.
    """

    name: str
    source_id: str
    streams: tuple[StreamInfo, ...]
    licence: str
    attribution: str
    polled_every_seconds: int
    up: bool | None
    last_run: SourceRun | None
    next_run_at: datetime | None
    record_count: int
    newest_record_at: datetime | None
    drift: tuple[FieldDrift, ...] | None


def sources(reader: Reader, operations: Operations) -> APIRouter:
    """The address of the sources."""
    router = APIRouter(tags=["operation"])

    @router.get(
        _ADDRESS,
        summary="Licence, credit, cadence, last and next run and freshness of every source",
        operation_id="list_sources",
        responses=_ANSWERS,
    )
    async def read(asked: Annotated[Asked, Query()]) -> Response:
        rows, problem = await read_sources(reader, operations)
        return _json(rows, {} if problem is None else {"runs": problem})

    return router


async def read_sources(
    reader: Reader, operations: Operations
) -> tuple[Sequence[Source], str | None]:
    """Every source, and why their runs are not known; None: they are."""
    fresh = {one.source_id: one for one in await reader.rows(source_freshness())}
    runs = await operations.runs.get()
    rows = [
        _source(connector, runs.value, fresh.get(connector.source_id))
        for connector in CONNECTORS.values()
    ]
    return rows, runs.problem


def _source(
    connector: type[InfrastructureConnector], runs: Runs | None, fresh: SourceFreshness | None
) -> Source:
    every = load_schedule(connector.name, process_environment())
    health = runs.health.get(connector.source_id) if runs else None
    last = runs.last.get(connector.source_id) if runs else None
    return Source(
        connector.name,
        connector.source_id,
        connector.discover(),
        connector.licence,
        connector.attribution,
        int(every / timedelta(seconds=1)),
        health.is_up(every) if health else None,
        _run(last) if last else None,
        last.finished_at + every if last else None,
        fresh.record_count if fresh else 0,
        fresh.newest_record_at if fresh else None,
        tuple(one for one in runs.drift if one.source_id == connector.source_id) if runs else None,
    )


def _run(run: FinishedRun) -> SourceRun:
    return SourceRun(run.run_id, run.started_at, run.finished_at, run.items, run.complete)


def _json(rows: Sequence[Source], unavailable: dict[str, str]) -> Response:
    body = orjson.dumps({"data": rows, "unavailable": unavailable}, option=orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json")


_ANSWERS: Final = answers(
    {
        "type": "object",
        "required": ["data", "unavailable"],
        "properties": {
            "data": {"type": "array", "items": fields_schema(Source)},
            "unavailable": {
                "type": "object",
                "description": "Services that do not answer, each with the reason.",
                "additionalProperties": {"type": "string"},
            },
        },
    }
)
