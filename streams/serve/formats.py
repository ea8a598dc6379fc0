"""How answers are written: chosen by `?format=`, which wins, or by `Accept`.

ClickHouse itself writes them; no row is touched here.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from streams.clickhouse.bound_query import BoundQuery
from streams.serve.pool import Reader
from streams.serve.problems import ProblemError


class Format(StrEnum):
    """Formats of rows."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    GEOJSON = "geojson"


@dataclass(frozen=True, slots=True)
class Writing:
    """How ClickHouse writes a format.

    Attributes:
        media_type: Of the answer.
        clickhouse: ClickHouse's name.
        suffix: Of a file.
    """

    media_type: str
    clickhouse: str
    suffix: str


WRITINGS: Final[Mapping[Format, Writing]] = {
    Format.JSON: Writing("application/json", "JSONEachRow", "json"),
    Format.CSV: Writing("text/csv", "CSV", "csv"),
    Format.PARQUET: Writing("application/vnd.apache.parquet", "Parquet", "parquet"),
    Format.ARROW: Writing("application/vnd.apache.arrow.file", "Arrow", "arrow"),
    Format.GEOJSON: Writing("application/geo+json", "LineAsString", "geojson"),
}

TABULAR: Final = (Format.JSON, Format.CSV, Format.PARQUET, Format.ARROW)
ALL: Final = tuple(Format)


def chosen(request: Request, asked: str | None, allowed: Sequence[Format]) -> Format:
    """The format of an answer.

    Raises:
        ProblemError: the client accepts none that there is.
    """
    if asked is not None:
        return Format(asked)
    accept = request.headers.get("accept", "*/*")
    for media_type in _by_quality(accept):
        for one in allowed:
            if _fits(media_type, WRITINGS[one].media_type):
                return one
    known = ", ".join(WRITINGS[one].media_type for one in allowed)
    raise ProblemError(
        "not-acceptable", 406, f"Accept must be one of {known}; or choose with format=."
    )


def _by_quality(accept: str) -> Sequence[str]:
    """Media types, the most wanted first; those with a quality of 0 are left out."""
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if media_type and quality > 0:
            found.append((quality, media_type))
    return [media_type for _, media_type in sorted(found, key=lambda one: -one[0])]


def _fits(pattern: str, media_type: str) -> bool:
    main, _, sub = pattern.partition("/")
    return pattern in ("*/*", media_type) or (sub == "*" and media_type.startswith(f"{main}/"))


async def download(
    reader: Reader,
    query: BoundQuery[Any],
    output_format: Format,
    name: str,
    headers: Mapping[str, str],
) -> Response:
    """The answer to a query as a file that is written while it is read.

    Args:
        reader: Whom to ask.
        query: What to ask; for GeoJSON one feature a row.
        output_format: Any but JSON.
        name: Of the file, without suffix.
        headers: Further headers.

    Raises:
        ProblemError: too many are waiting.
        SinkError: refused, beyond a limit, or no answer.
    """
    writing = WRITINGS[output_format]
    pieces = reader.stream(query, writing.clickhouse)
    # An error before the first piece is still answered as a problem.
    first = await anext(pieces, b"")
    headers = {
        **headers,
        "Content-Disposition": f'inline; filename="{name}.{writing.suffix}"',
    }
    body = _framed(output_format, query.columns, first, pieces)
    return StreamingResponse(body, 200, headers, writing.media_type)


async def _framed(
    output_format: Format, columns: Sequence[str], first: bytes, rest: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    if output_format is Format.CSV:
        yield (",".join(f'"{column}"' for column in columns) + "\n").encode()
    if output_format is not Format.GEOJSON:
        yield first
        async for piece in rest:
            yield piece
        return
    yield b'{"type":"FeatureCollection","features":['
    # A line feed ends each feature and occurs in none.
    pending = first
    async for piece in rest:
        if pending.endswith(b"\n"):
            pending, piece = pending[:-1], b"\n" + piece
        yield pending.replace(b"\n", b",")
        pending = piece
    yield pending.rstrip(b"\n").replace(b"\n", b",")
    yield b"]}"
