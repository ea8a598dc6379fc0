"""Undecided pairs: source entities that may be one asset, for people to decide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse.candidate_queries import After, Candidate, candidates
from streams.core.reconcile.settings import SETTINGS
from streams.serve import cursors
from streams.serve.addresses import PREFIX
from streams.serve.openapi import answers, fields_schema
from streams.serve.parameters import MOST_IN_A_PAGE, Asked, words
from streams.serve.pool import Reader

_ADDRESS: Final = f"{PREFIX}/candidates"


class CandidatesAsked(Asked):
    """Parameters of the list."""

    asset_id: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="Only pairs with a member of this asset.",
        examples=["5f0c8f2e-5a52-5d6e-9c51-4b0c0f4f7a11"],
    )
    kind: words(*sorted(SETTINGS.weights)) | None = Field(  # type: ignore[valid-type]
        None, description="Only this kind.", examples=["power_plant"]
    )
    cursor: Annotated[str, Field(pattern=cursors.PATTERN, max_length=cursors.LONGEST)] | None = (
        Field(None, description="From `next` of the page before.")
    )
    limit: int = Field(100, description="Most pairs of a page.", ge=1, le=MOST_IN_A_PAGE)


@dataclass(frozen=True, slots=True)
class CandidatePage:
    """Some undecided pairs, those nearest to the threshold first.

    Attributes:
        cursor: What comes after them; None: nothing does.
    """

    pairs: Sequence[Candidate]
    cursor: str | None


async def candidate_page(reader: Reader, asked: CandidatesAsked) -> CandidatePage:
    """A page of the list.

    Raises:
        ProblemError: the cursor is none of this list.
    """
    bound = cursors.digest({"asset_id": asked.asset_id, "kind": asked.kind})
    query = candidates(asked.asset_id, asked.kind, _after(asked.cursor, bound), asked.limit + 1)
    found = await reader.rows(query)
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    cursor = cursors.written([bound, shown[-1].gap, shown[-1].key]) if more else None
    return CandidatePage(shown, cursor)


def _after(cursor: str | None, bound: str) -> After | None:
    if cursor is None:
        return None
    match cursors.read("cursor", cursor):
        case [str() as of_list, int() | float() as gap, str() as key] if of_list == bound:
            return After(gap, key)
    raise cursors.foreign("cursor")


def undecided_pairs(reader: Reader) -> APIRouter:
    """The address of the list."""
    router = APIRouter(tags=["assets"])

    @router.get(
        _ADDRESS,
        summary="Pairs of records that may be one asset, and the commands that decide them",
        operation_id="list_candidates",
        responses=answers(_PAGE, (), paged=True),
    )
    async def read(request: Request, asked: Annotated[CandidatesAsked, Query()]) -> Response:
        page = await candidate_page(reader, asked)
        following = None if page.cursor is None else cursors.next_page(request, page.cursor)
        rows = [asdict(pair) for pair in page.pairs]
        body = orjson.dumps({"data": rows, "next": following})
        return Response(body, 200, cursors.link_to(following), "application/json")

    return router


_PAGE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["data", "next"],
    "properties": {
        "data": {"type": "array", "items": fields_schema(Candidate)},
        "next": {"type": ["string", "null"], "description": "Address of the next page."},
    },
}
