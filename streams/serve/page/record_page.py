"""The address of one raw record."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from producers.connectors import CONNECTORS
from streams.core.records import RawCoordinates
from streams.serve.originals import Originals
from streams.serve.page import record_view
from streams.serve.page.rendering import Pages
from streams.serve.parameters import Asked
from streams.serve.problems import ProblemError, not_found
from streams.topics import raw_topic

_TOPICS: Final = frozenset(raw_topic(name).name for name in CONNECTORS)
_MOST: Final = 2**63 - 1


def record_page(originals: Originals, pages: Pages) -> APIRouter:
    """The address of one raw record."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("pipeline"))

    @router.get("/records/{topic}/{partition}/{offset}")
    async def page(
        topic: str,
        partition: Annotated[int, Path(ge=0, le=1_000_000)],
        offset: Annotated[int, Path(ge=0, le=_MOST)],
        asked: Annotated[Asked, Query()],
    ) -> Response:
        if topic not in _TOPICS:
            raise not_found(f"{topic} is no raw topic; these are: {', '.join(sorted(_TOPICS))}.")
        at = RawCoordinates(topic, partition, offset)
        said = await originals.records([at])
        if said.value is None:
            raise ProblemError("unavailable", 503, said.problem or "", headers={"Retry-After": "5"})
        record = said.value.get(at)
        if record is None:
            raise not_found(
                f"{topic} has no record at {partition}/{offset}: markers of transactions use up "
                "offsets, too."
            )
        return pages.answer(
            "record.html",
            "pipeline",
            place=f"{topic}/{partition}/{offset}",
            record=record,
            command=f'make inspect TOPIC={topic} ARGS="--partition {partition} '
            f'--offset {offset} --limit 1"',
            envelope=record_view.envelope(record),
            item=record_view.item(record),
            unreadable=record_view.unreadable(record),
        )

    return router
