"""Quality of the data, the sources, and the feed of changes."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
import strawberry
from pydantic import ValidationError
from strawberry.scalars import JSON

from streams.clickhouse import bounds
from streams.clickhouse.quality_queries import (
    QualityScore,
    RuleFailures,
    Windows,
    quality_scores,
    rule_failures,
)
from streams.serve.changes import ChangesAsked, Feed, cursor_after
from streams.serve.graphql.assets import Context
from streams.serve.graphql.scalars import Time, day_of, mirrored
from streams.serve.problems import wrong_of, wrong_parameters
from streams.serve.quality import ScoresAsked
from streams.serve.sources import Source, read_sources

_MOST: Final = 1000
_PAGE: Final = 100


@strawberry.type(description="A page of the feed of changes.")
class Changes:
    """A page."""

    changes: list[JSON] = strawberry.field(
        description="Versions, members and provenance included, by partition and offset."
    )
    cursor: str = strawberry.field(description="For since: what comes after these.")
    more: bool = strawberry.field(description="Whether there are more already.")


async def quality(
    info: Context,
    sources: list[str] | None = None,
    dimensions: list[str] | None = None,
    start_date: Time | None = None,
    end_date: Time | None = None,
    first: int = _PAGE,
) -> list[mirrored(QualityScore)]:  # type: ignore[valid-type]
    """Scores of each source, dimension and window, newest windows first."""
    limit = bounds.whole("first", first, 1, _MOST)
    asked = checked(ScoresAsked, _ARGUMENTS, source=sources or [], dimension=dimensions or [])
    windows = _windows(asked.source, start_date, end_date)
    query = quality_scores(windows, asked.dimension, limit)
    return list(await info.context.services.reader.rows(query))


async def failed_rules(
    info: Context,
    sources: list[str] | None = None,
    start_date: Time | None = None,
    end_date: Time | None = None,
    first: int = _PAGE,
) -> list[mirrored(RuleFailures)]:  # type: ignore[valid-type]
    """How many raw records of each source failed each rule, by UTC day."""
    limit = bounds.whole("first", first, 1, _MOST)
    query = rule_failures(_windows(sources or [], start_date, end_date), limit)
    return list(await info.context.services.reader.rows(query))


async def every_source(info: Context) -> list[mirrored(Source)]:  # type: ignore[valid-type]
    """Licence, credit, cadence, last and next run and freshness of every source."""
    services = info.context.services
    rows, _ = await read_sources(services.reader, services.operations)
    return list(rows)


async def changes(
    info: Context,
    since: Annotated[
        str | None,
        strawberry.argument(
            description="Cursor of an earlier page, here or of REST; left out: from the very "
            "beginning; now: nothing but a cursor to begin with."
        ),
    ] = None,
    kinds: list[str] | None = None,
    first: int = _PAGE,
) -> Changes:
    """Every canonical version after a cursor, once and in order."""
    limit = bounds.whole("first", first, 1, _MOST)
    given = {} if since is None else {"since": since}
    asked = checked(ChangesAsked, _ARGUMENTS, **given, kind=kinds or [])
    feed = Feed(info.context.services.reader, info.context.services.version)
    page = await feed.page(feed.start(asked.since), asked.kind, limit)
    return Changes(
        changes=[JSON(orjson.loads(one.body)) for one in page.changes],
        cursor=cursor_after(page.after),
        more=page.more,
    )


def _windows(sources: list[str], start_date: str | None, end_date: str | None) -> Windows:
    first = None if start_date is None else day_of("startDate", start_date)
    last = None if end_date is None else day_of("endDate", end_date)
    if first and last and first > last:
        raise wrong_parameters([("startDate", f"no later than the endDate, {last}")])
    return Windows(first, last, sources)


_ARGUMENTS: Final = {"source": "sources", "dimension": "dimensions", "kind": "kinds"}


def checked(model: type[Any], arguments: Mapping[str, str], **given: Any) -> Any:
    """Arguments with the bounds of the parameters of REST.

    Args:
        model: The parameters.
        arguments: What they are called here, where that differs.
        given: Values by parameter.

    Raises:
        ProblemError: one is out of bounds.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = [wrong_of({**one, "loc": ("query", *one["loc"])}) for one in error.errors()]
        named = [(arguments.get(name, name), ok) for name, ok in wrong]
        raise wrong_parameters(named) from error
