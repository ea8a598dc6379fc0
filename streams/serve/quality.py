"""Quality of the sources: scores with their trend, and which rules failed how often."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.quality_queries import (
    QualityScore,
    RuleFailures,
    Windows,
    quality_scores,
    rule_failures,
)
from streams.core.quality import DIMENSIONS, TOTAL
from streams.serve.addresses import PREFIX
from streams.serve.formats import TABULAR, Format, chosen, download
from streams.serve.openapi import answers, fields_schema
from streams.serve.parameters import Asked, Day, words
from streams.serve.pool import Reader
from streams.serve.problems import wrong_parameters

_ADDRESS: Final = f"{PREFIX}/data-quality"


class RulesAsked(Asked):
    """Which sources and windows."""

    source: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        [], description="Source ids.", examples=[["wri_powerplants"]], max_length=100
    )
    start_date: Day | None = Field(None, description="First UTC day a window begins in.")
    end_date: Day | None = Field(None, description="Last UTC day a window begins in.")
    limit: int = Field(1000, description="Most rows.", ge=1, le=100_000)
    format: Literal[TABULAR] | None = Field(  # type: ignore[valid-type]
        None, description="Wins over `Accept`.", examples=[str(one) for one in TABULAR]
    )


class ScoresAsked(RulesAsked):
    """The same for one dimension or several."""

    dimension: list[words(*DIMENSIONS, TOTAL)] = Field(  # type: ignore[valid-type]
        [], description="Dimensions.", examples=[[TOTAL]], max_length=len(DIMENSIONS) + 1
    )


def quality(reader: Reader) -> APIRouter:
    """The addresses of the quality of the sources."""
    router = APIRouter(prefix=_ADDRESS, tags=["quality"])

    @router.get(
        "",
        summary="Score of each source, dimension and window, with its change",
        operation_id="list_quality_scores",
        responses=answers(_rows(QualityScore), TABULAR),
    )
    async def scores(request: Request, asked: Annotated[ScoresAsked, Query()]) -> Response:
        query = quality_scores(_windows(asked), asked.dimension, asked.limit)
        return await _table(reader, request, asked, query, "data-quality")

    @router.get(
        "/rules",
        summary="How many raw records of each source failed each rule, by UTC day",
        operation_id="list_rule_failures",
        responses=answers(_rows(RuleFailures), TABULAR),
    )
    async def rules(request: Request, asked: Annotated[RulesAsked, Query()]) -> Response:
        query = rule_failures(_windows(asked), asked.limit)
        return await _table(reader, request, asked, query, "data-quality-rules")

    return router


async def _table(
    reader: Reader, request: Request, asked: RulesAsked, query: BoundQuery[Any], name: str
) -> Response:
    output_format = chosen(request, asked.format, TABULAR)
    if output_format is not Format.JSON:
        return await download(reader, query, output_format, name, {})
    rows: Sequence[bytes] = (await reader.answer(query, "JSONEachRow")).splitlines()
    return Response(b'{"data":[' + b",".join(rows) + b"]}", media_type="application/json")


def _windows(asked: RulesAsked) -> Windows:
    if asked.start_date and asked.end_date and asked.start_date > asked.end_date:
        raise wrong_parameters([("start_date", f"no later than the end_date, {asked.end_date}")])
    return Windows(asked.start_date, asked.end_date, asked.source)


def _rows(row: type) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "array", "items": fields_schema(row)}},
    }
