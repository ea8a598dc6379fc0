"""Undecided pairs by GraphQL."""

from typing import Final

import strawberry

from streams.clickhouse import bounds
from streams.clickhouse.candidate_queries import Candidate
from streams.serve.candidates import CandidatesAsked, candidate_page
from streams.serve.graphql.assets import Context
from streams.serve.graphql.operation import checked
from streams.serve.graphql.scalars import After, mirrored

_ARGUMENTS: Final = {"asset_id": "assetId", "cursor": "after"}
_MOST: Final = 1000
_PAGE: Final = 100


@strawberry.type(description="A page of pairs that may be one asset.")
class Candidates:
    """A page."""

    candidates: list[mirrored(Candidate)] = strawberry.field(  # type: ignore[valid-type]
        description="Those nearest to the threshold first."
    )
    cursor: str | None = strawberry.field(description="For after; null: nothing comes after.")


async def candidates(
    info: Context,
    asset_id: str | None = None,
    kind: str | None = None,
    after: After = None,
    first: int = _PAGE,
) -> Candidates:
    """Pairs of source records that may be one asset, with the commands that decide them."""
    limit = bounds.whole("first", first, 1, _MOST)
    given = {"asset_id": asset_id, "kind": kind, "cursor": after}
    asked = checked(
        CandidatesAsked,
        _ARGUMENTS,
        limit=limit,
        **{name: value for name, value in given.items() if value is not None},
    )
    page = await candidate_page(info.context.services.reader, asked)
    return Candidates(candidates=list(page.pairs), cursor=page.cursor)
