"""Addresses of quality: all sources, one source, and one rule of it down to the records."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from streams.clickhouse.dead_letter_queries import (
    dead_letters_of,
    flagged_records,
    open_dead_letters,
)
from streams.clickhouse.quality_queries import Windows, quality_scores, rule_failures
from streams.core.all_rules import RULES
from streams.serve.operations import Operations
from streams.serve.page import quality_view
from streams.serve.page.rendering import Pages
from streams.serve.parameters import Asked
from streams.serve.pool import Reader
from streams.serve.problems import not_found

_MOST_SCORES: Final = 3_000
_MOST_FAILURES: Final = 5_000
_MOST_RECORDS: Final = 100

SourceId = Annotated[str, Path(max_length=100, pattern=r"^[\w.-]+$")]
RuleId = Annotated[str, Path(max_length=100, pattern=r"^\w+$")]
_UNKNOWN: Final = "-"
"""Stands for the source of records that do not say theirs."""


def quality_page(reader: Reader, operations: Operations, pages: Pages) -> APIRouter:
    """The addresses of quality."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("quality"))

    @router.get("/quality")
    async def everything(asked: Annotated[Asked, Query()]) -> Response:
        windows = Windows()
        scores, failed, rejected, runs = await asyncio.gather(
            reader.rows(quality_scores(windows, (), _MOST_SCORES)),
            reader.rows(rule_failures(windows, _MOST_FAILURES)),
            reader.rows(open_dead_letters()),
            operations.runs.get(),
        )
        failures = quality_view.newest_failures(failed)
        left_out = [
            (source_id, reason.replace("_", " "), count)
            for source_id, health in (runs.value.health if runs.value else {}).items()
            for reason, count in sorted(health.left_out.items())
        ]
        return pages.answer(
            "quality.html",
            "quality",
            columns=quality_view.COLUMNS,
            spark=(quality_view.SPARK_WIDTH, quality_view.SPARK_HEIGHT),
            rows=quality_view.source_rows(scores),
            steps=quality_view.next_steps(failures, rejected),
            drift=quality_view.drift(failures),
            left_out=left_out,
            fields=runs.value.drift if runs.value else (),
            runs_problem=runs.problem,
        )

    @router.get("/quality/{source_id}")
    async def source(source_id: SourceId, asked: Annotated[Asked, Query()]) -> Response:
        windows = Windows(sources=[source_id])
        scores, failed, rejected = await asyncio.gather(
            reader.rows(quality_scores(windows, (), _MOST_SCORES)),
            reader.rows(rule_failures(windows, _MOST_FAILURES)),
            reader.rows(open_dead_letters()),
        )
        mine = [one for one in rejected if one.source_id == source_id]
        rows = quality_view.source_rows(scores)
        if not rows and not mine:
            raise not_found(f"Nothing of {source_id} was scored.")
        failures = quality_view.newest_failures(failed)
        return pages.answer(
            "quality_source.html",
            "quality",
            source_id=source_id,
            row=rows[0] if rows else None,
            columns=quality_view.COLUMNS,
            failures=failures,
            rejected=mine,
            steps=quality_view.next_steps(failures, mine),
        )

    @router.get("/quality/{source_id}/{rule_id}")
    async def rule(
        source_id: SourceId, rule_id: RuleId, asked: Annotated[Asked, Query()]
    ) -> Response:
        found = RULES.get(rule_id)
        known = "" if source_id == _UNKNOWN else source_id
        letters, flagged, failed = await asyncio.gather(
            reader.rows(dead_letters_of(known, rule_id, _MOST_RECORDS)),
            reader.rows(flagged_records(known, rule_id, _MOST_RECORDS)),
            reader.rows(rule_failures(Windows(sources=[source_id]), _MOST_FAILURES)),
        )
        trend = [one for one in failed if one.rule_id == rule_id]
        if found is None and not letters and not flagged:
            raise not_found(f"There is no rule {rule_id}: `make rules` lists them.")
        return pages.answer(
            "quality_rule.html",
            "quality",
            source_id=source_id,
            rule_id=rule_id,
            rule=found,
            letters=letters,
            flagged=flagged,
            trend=trend[:30],
            most=_MOST_RECORDS,
            show_command=quality_view.rule_command(known, rule_id),
            redrive_command=quality_view.redrive_command(known, rule_id),
        )

    return router
