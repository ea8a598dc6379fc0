"""The pipeline: what waits, what flows, what is stored, and what is paused."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from producers.run_history import FinishedRun
from streams.clickhouse.change_queries import LoadedPartition
from streams.clickhouse.quality_queries import SourceFreshness, source_freshness
from streams.serve.addresses import PREFIX
from streams.serve.data_version import DataVersion
from streams.serve.openapi import answers, fields_schema
from streams.serve.operations import Operations, PartitionLag
from streams.serve.parameters import Asked
from streams.serve.pool import Reader

_ADDRESS: Final = f"{PREFIX}/pipeline"


@dataclass(frozen=True, slots=True)
class PipelineState:
    """How the pipeline does.

    Attributes:
        lag: What each consumer group has still to read; None: Kafka does not answer.
        throughput: Outcomes of each source lately.
        stored: How far `market.infrastructure` is stored.
        checkpoints: Last finished run of each source; None: PostgreSQL does not answer.
        paused: Reason by topic/partition; None: the pipeline worker does not answer.
        unavailable: Services that do not answer, each with the reason.
    """

    lag: Sequence[PartitionLag] | None
    throughput: Sequence[SourceFreshness]
    stored: Sequence[LoadedPartition]
    checkpoints: Sequence[FinishedRun] | None
    paused: Mapping[str, str] | None
    unavailable: Mapping[str, str]


def pipeline(reader: Reader, version: DataVersion, operations: Operations) -> APIRouter:
    """The address of the pipeline."""
    router = APIRouter(tags=["operation"])

    @router.get(
        _ADDRESS,
        summary="Lag, throughput, checkpoints and pauses of the pipeline",
        operation_id="get_pipeline",
        responses=answers(fields_schema(PipelineState)),
    )
    async def read(asked: Annotated[Asked, Query()]) -> Response:
        fresh = await reader.rows(source_freshness())
        lag, runs, paused = await asyncio.gather(
            operations.lag.get(), operations.runs.get(), operations.paused.get()
        )
        problems = {"lag": lag.problem, "checkpoints": runs.problem, "paused": paused.problem}
        state = PipelineState(
            lag.value,
            fresh,
            version.partitions,
            list(runs.value.last.values()) if runs.value else None,
            paused.value,
            {name: problem for name, problem in problems.items() if problem is not None},
        )
        body = orjson.dumps(state, option=orjson.OPT_UTC_Z)
        return Response(body, media_type="application/json")

    return router
