"""The feed of changes: every canonical version once, in order, without gaps, as pages or events.

A cursor is the position in every partition of `market.infrastructure`, so it holds over restarts,
replicas and a ClickHouse that was loaded again. The feed is read up to where everything is stored.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from streams.clickhouse.change_queries import (
    Change,
    Positions,
    TopicRecreatedError,
    changes_between,
    position_after,
)
from streams.clickhouse.tables import KINDS
from streams.core.errors import InfrastructureError
from streams.serve import cursors
from streams.serve.addresses import PREFIX
from streams.serve.data_version import DataVersion
from streams.serve.openapi import answers
from streams.serve.parameters import MOST_IN_A_PAGE, Asked, words
from streams.serve.pool import Reader
from streams.serve.problems import ProblemError, busy
from streams.serve.unchanged import EVENT_STREAM

MOST_LISTENERS: Final = 200
_ADDRESS: Final = f"{PREFIX}/changes"
_NOW: Final = "now"
_KEEP_ALIVE_SECONDS: Final = 15.0
_EVENTS_AT_ONCE: Final = 500


class ChangesAsked(Asked):
    """Parameters of the feed."""

    since: Annotated[str, Field(pattern=cursors.PATTERN, max_length=cursors.LONGEST)] | None = (
        Field(
            None,
            description="Cursor of an earlier answer; left out: from the very beginning; `now`: "
            "nothing but a cursor to begin with.",
            examples=[_NOW],
        )
    )
    kind: list[words(*KINDS)] = Field(  # type: ignore[valid-type]
        [], description="Only these kinds.", examples=[["power_plant"]], max_length=len(KINDS)
    )
    limit: int = Field(1000, description="Most changes of a page.", ge=1, le=MOST_IN_A_PAGE)


@dataclass(frozen=True, slots=True)
class Page:
    """Some changes, and where they end.

    Attributes:
        changes: By partition and offset.
        after: Where a reader is who has read them; None: nothing was ever stored.
        more: Whether there are more already.
    """

    changes: Sequence[Change]
    after: Positions | None
    more: bool


class Feed:
    """Reads the feed."""

    def __init__(self, reader: Reader, version: DataVersion) -> None:
        self._reader = reader
        self._version = version

    def start(self, since: str | None) -> Positions | None:
        """The position of a cursor; None: the very beginning.

        Raises:
            ProblemError: it is no cursor.
        """
        if since is None:
            return None
        if since == _NOW:
            return self._version.positions
        match cursors.read("since", since):
            case [None, {}]:
                return None
            case [str() as topic_id, dict() as offsets] if _are_offsets(offsets):
                return Positions(topic_id, {int(key): value for key, value in offsets.items()})
        raise cursors.foreign("since")

    async def page(self, after: Positions | None, kinds: Sequence[str], limit: int) -> Page:
        """Changes after a position.

        Raises:
            ProblemError: the topic was recreated, or too many are waiting.
            SinkError: no answer.
        """
        until = self._version.positions
        if until is None:
            return Page((), after, more=False)
        after = after or Positions(until.topic_id, {})
        ahead = {
            partition: offset
            for partition, offset in until.offsets.items()
            if offset > after.offsets.get(partition, -1)
        }
        if not ahead and after.topic_id == until.topic_id:
            return Page((), after, more=False)
        until = Positions(until.topic_id, ahead or until.offsets)
        of_each = max(1, limit // len(until.offsets))
        try:
            query = changes_between(after, until, kinds, of_each)
        except TopicRecreatedError as error:
            raise ProblemError("topic-recreated", 410, str(error)) from error
        found = [_change(line) for line in await self._lines(query)]
        position = position_after(after, until, found, of_each)
        more = any(position.offsets.get(one, -1) < last for one, last in until.offsets.items())
        return Page(found, position, more)

    async def _lines(self, query: Any) -> Sequence[bytes]:
        return (await self._reader.answer(query, "JSONCompactEachRow")).splitlines()

    async def wait(self) -> None:
        """Wait until more may be stored, or until a listener should hear that we live."""
        await self._version.wait_for_change(_KEEP_ALIVE_SECONDS)


def changes(reader: Reader, version: DataVersion) -> APIRouter:
    """The address of the feed."""
    router = APIRouter(tags=["changes"])
    feed = Feed(reader, version)
    listeners: set[object] = set()

    @router.get(
        _ADDRESS,
        summary="Every canonical version after a cursor, once and in order",
        description="With `Accept: text/event-stream` as server-sent events that go on for ever: "
        "`id` is a cursor, which a client sends back as `Last-Event-ID` when it connects again.",
        operation_id="list_changes",
        responses=_ANSWERS,
    )
    async def read(
        request: Request,
        asked: Annotated[ChangesAsked, Query()],
        last_event_id: Annotated[
            str | None, Header(description="Cursor to go on from; only of events.")
        ] = None,
    ) -> Response:
        if EVENT_STREAM not in request.headers.get("accept", ""):
            start = feed.start(asked.since)
            page = await feed.page(start, asked.kind, asked.limit)
            return _answer(request, page)
        if len(listeners) >= MOST_LISTENERS:
            raise busy()
        start = feed.start(last_event_id or asked.since)
        # What is wrong with the cursor is said before the stream begins.
        first = await feed.page(start, asked.kind, _EVENTS_AT_ONCE)
        return StreamingResponse(
            _events(feed, first, start, asked.kind, listeners),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


def _answer(request: Request, page: Page) -> Response:
    place = cursor_after(page.after)
    following = cursors.next_page(request, place, "since")
    foot = orjson.dumps({"cursor": place, "next": following, "more": page.more})
    body = b",".join(change.body.encode() for change in page.changes)
    return Response(
        b'{"data":[' + body + b"]," + foot[1:],
        media_type="application/json",
        headers=cursors.link_to(following),
    )


async def _events(
    feed: Feed,
    page: Page,
    start: Positions | None,
    kinds: Sequence[str],
    listeners: set[object],
) -> AsyncIterator[bytes]:
    listener = object()
    listeners.add(listener)
    try:
        position = start
        while True:
            for event in _of_page(page, position):
                yield event
            position = page.after
            if not page.more:
                yield b": up to date\n\n"
                await feed.wait()
            page = await feed.page(position, kinds, _EVENTS_AT_ONCE)
    except InfrastructureError as error:
        # The client connects again with the last id and is told in the status of the answer.
        yield _event("problem", None, orjson.dumps({"detail": str(error)}))
    finally:
        listeners.discard(listener)


def _of_page(page: Page, start: Positions | None) -> Sequence[bytes]:
    """Events of a page: one a change, then where it ends if that is further than the last one."""
    if page.after is None:
        return ()
    events = []
    offsets = dict(start.offsets) if start else {}
    for change in page.changes:
        offsets[change.partition] = change.offset
        place = cursor_after(Positions(page.after.topic_id, offsets))
        events.append(_event("change", place, change.body.encode()))
    if page.after.offsets != offsets:
        events.append(_event("position", cursor_after(page.after), b"{}"))
    return events


def _event(name: str, place: str | None, data: bytes) -> bytes:
    head = f"event: {name}\n" + (f"id: {place}\n" if place else "")
    return head.encode() + b"data: " + data + b"\n\n"


def _change(line: bytes) -> Change:
    return Change(*orjson.loads(line))


def cursor_after(position: Positions | None) -> str:
    """A position as text."""
    if position is None:
        return cursors.written([None, {}])
    offsets = {str(partition): offset for partition, offset in sorted(position.offsets.items())}
    return cursors.written([position.topic_id, offsets])


def _are_offsets(offsets: Mapping[Any, Any]) -> bool:
    return len(offsets) <= _MOST_PARTITIONS and all(
        key.isascii() and key.isdecimal() and type(value) is int and -1 <= value < 2**63
        for key, value in offsets.items()
    )


_MOST_PARTITIONS: Final = 1024

_ANSWERS: Final = answers(
    {
        "type": "object",
        "required": ["data", "cursor", "next", "more"],
        "properties": {
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "description": "A version as of one asset or gas day, members and provenance "
                    "included.",
                    "required": ["kind", "record_id", "record_status", "version", "partition"],
                },
            },
            "cursor": {"type": "string", "description": "For `since`."},
            "next": {"type": "string", "description": "Address of what comes next."},
            "more": {"type": "boolean", "description": "Whether there is more already."},
        },
    },
    (),
    410,
    paged=True,
)
_ANSWERS[200]["content"][EVENT_STREAM] = {"schema": {"type": "string"}}
