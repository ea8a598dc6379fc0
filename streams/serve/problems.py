"""Errors as problem details (RFC 9457): what is wrong, and what to ask for instead."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from streams.clickhouse.bounds import OutOfBoundsError
from streams.clickhouse.client import StatementError
from streams.core.errors import InfrastructureError, SinkError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 2

_TOO_LARGE = {
    159: ("The query took too long", 503),
    158: ("The query reads too many rows", 413),
    241: ("The query needs too much memory", 413),
    307: ("The query reads too many bytes", 413),
    396: ("The answer is too large", 413),
}
"""Codes of ClickHouse's limits: TIMEOUT_EXCEEDED, TOO_MANY_ROWS, MEMORY_LIMIT_EXCEEDED,
TOO_MANY_BYTES, TOO_MANY_ROWS_OR_BYTES."""

_NO_TABLES = frozenset({60, 81})
"""UNKNOWN_TABLE, UNKNOWN_DATABASE."""

_LIMITS = {
    "ge": "{} or more",
    "gt": "more than {}",
    "le": "{} or less",
    "lt": "less than {}",
}


class WrongParameter(BaseModel):
    """One parameter that is not as it must be."""

    parameter: str = Field(description="Its name.", examples=["country"])
    allowed: str = Field(description="What it may be.", examples=["two letters, such as ES"])


class ProblemDetails(BaseModel):
    """What is wrong with a request, by RFC 9457."""

    type: str = Field(description="What kind of problem it is.", examples=["wrong-parameter"])
    title: str = Field(description="The same for people.")
    status: int = Field(description="Status code of the answer.", ge=400, le=599)
    detail: str = Field(description="What is wrong this time, and what to do.")
    errors: list[WrongParameter] | None = Field(
        None, description="Every parameter that is not as it must be; only of wrong-parameter."
    )
    last_version: dict[str, Any] | None = Field(
        None, description="The last version of an asset; only of withdrawn."
    )


class ProblemError(InfrastructureError):
    """A request that is answered with a problem.

    Attributes:
        type: What kind of problem, in words joined by dashes.
        status: Status code.
        more: Further members of the answer.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        type: str,
        status: int,
        detail: str,
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.type = type
        self.status = status
        self.more = more or {}
        self.headers = headers or {}

    def response(self) -> Response:
        """The answer."""
        content = {
            "type": self.type,
            "title": self.type.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": str(self),
            **self.more,
        }
        return Response(orjson.dumps(content), self.status, dict(self.headers), MEDIA_TYPE)


def wrong_parameters(wrong: Sequence[tuple[str, str]]) -> ProblemError:
    """Parameters that are not as they must be, each with what it may be."""
    detail = " ".join(f"{parameter} must be {allowed}." for parameter, allowed in wrong)
    errors = [{"parameter": parameter, "allowed": allowed} for parameter, allowed in wrong]
    return ProblemError("wrong-parameter", 400, detail, more={"errors": errors})


def not_found(detail: str) -> ProblemError:
    """There is no such thing."""
    return ProblemError("not-found", 404, detail)


def busy() -> ProblemError:
    """More requests wait than are let in."""
    return ProblemError(
        "busy",
        503,
        "Too many requests are waiting: ask again in some seconds, or ask for a whole list in one "
        "request (format=parquet) instead of many pages.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def switching() -> ProblemError:
    """Tables are of two generations at this moment."""
    return ProblemError(
        "switching",
        503,
        "The data change to another generation at this moment: ask again. When that does not end, "
        "the sink has stopped in the midst of it: start it again.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def of_clickhouse(error: SinkError) -> ProblemError | None:
    """What a failure of ClickHouse means for who asked; None: a mistake of this program."""
    retry = {"Retry-After": str(RETRY_SECONDS)}
    if not isinstance(error, StatementError):
        return ProblemError(
            "unavailable", 503, "ClickHouse does not answer: ask again later.", headers=retry
        )
    if error.code in _NO_TABLES:
        return ProblemError(
            "unavailable",
            503,
            "There are no data yet: ask again when the sink has loaded some.",
            headers=retry,
        )
    if error.code in _TOO_LARGE:
        what, status = _TOO_LARGE[error.code]
        return ProblemError(
            "too-large",
            status,
            f"{what}: narrow it, by country, by bbox, by fewer days or by a smaller limit.",
            headers=retry if status == HTTPStatus.SERVICE_UNAVAILABLE else None,
        )
    return None


def of_validation(error: RequestValidationError) -> ProblemError:
    """Which parameters of a request are not as they must be."""
    return wrong_parameters([wrong_of(one) for one in error.errors()])


def add_problems(app: FastAPI) -> None:
    """Answer every error of an app with a problem."""

    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(OutOfBoundsError)
    async def out_of_bounds(request: Request, error: OutOfBoundsError) -> Response:
        return wrong_parameters([(error.parameter, error.allowed)]).response()

    @app.exception_handler(SinkError)
    async def sink(request: Request, error: SinkError) -> Response:
        found = of_clickhouse(error)
        if found is None:
            raise error
        return found.response()

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        return of_validation(error).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return _of_http(error).response()

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        detail = "This is a mistake of the server; its log says more."
        return ProblemError("internal-error", 500, detail).response()


def _of_http(error: HTTPException) -> ProblemError:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            detail = "There is nothing at this address: see the OpenAPI document."
            return ProblemError("not-found", 404, detail)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            detail = "Everything here is read with GET."
            return ProblemError("method-not-allowed", 405, detail, headers=error.headers)
    title = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return ProblemError(title, error.status_code, str(error.detail), headers=error.headers)


def wrong_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """Name of a parameter and what it may be, from an error of pydantic."""
    location = [str(part) for part in error["loc"] if not isinstance(part, int)]
    name = location[1] if len(location) > 1 else location[0]
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return name, "left out: there is no such parameter here"
        case "missing":
            return name, "given"
        case "literal_error" | "enum":
            return name, f"one of {_listed(context['expected'])}"
        case "string_pattern_mismatch":
            return name, f"a text that fits {context['pattern']}"
        case "string_too_long" | "string_too_short":
            count = context.get("max_length", context.get("min_length"))
            return name, f"a text of {count} characters at {_edge(error['type'])}"
        case "value_error":
            return name, str(context["error"])
        case str(kind) if kind.startswith(("int", "float", "finite", "bool", "date")):
            return name, _of_type(kind)
    for limit, words in _LIMITS.items():
        if limit in context:
            return name, words.format(context[limit])
    return name, str(error["msg"])


def _listed(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")


def _edge(kind: str) -> str:
    return "most" if kind.endswith("long") else "least"


def _of_type(kind: str) -> str:
    words = {
        "int": "a whole number",
        "float": "a number",
        "finite": "a finite number",
        "bool": "true or false",
        "datetime": "a time with a zone, such as 2026-01-31T06:00:00Z",
        "date": "a date, such as 2026-01-31",
    }
    return next(text for start, text in words.items() if kind.startswith(start))
