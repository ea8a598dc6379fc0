"""The NLR developer API behind its gateway: errors in both shapes, limits, and the echoed key.

The gateway answers `{"error": {"code", "message"}}`, a service `{"errors": [...]}` in its normal
envelope. A gateway body may also come as XML, HTML or CSV, so its code is looked for as a word; the
message is never interpreted. Source: developer.nlr.gov, pages on errors and rate limits.
"""

import logging
import re
from collections.abc import Callable, Mapping

from producers.errors import (
    AuthenticationError,
    RateLimitedError,
    SourceError,
    UnexpectedAnswerError,
)
from producers.formats.failure_words import is_own_failure
from producers.formats.reading import json_text
from producers.http import Answer, HttpSource, JsonObject, QueryParameters

log = logging.getLogger(__name__)

NEW_HOST = "https://developer.nlr.gov"
SIGN_UP = "https://developer.nlr.gov/signup/"

UNPROCESSABLE = 422
"""Status by which a service refuses what was asked, with `errors`."""

_READ_STATUSES = (400, 403, 404, 410, UNPROCESSABLE, 429)
_GONE = 410
_FORBIDDEN = 403
_TOO_MANY = 429

_LIMIT_CODE = "OVER_RATE_LIMIT"
_CODES = re.compile(r"\b(API_KEY_[A-Z]+|OVER_RATE_LIMIT|HTTPS_REQUIRED|NOT_FOUND)\b")
_COUNT = re.compile(r"[0-9]{1,9}")

_KEY_NAMES = frozenset({"api_key", "apikey", "api-key", "x-api-key"})
_KEY_IN_ADDRESS = re.compile(r"(api_key=)[^&\s\"']*", re.IGNORECASE)


_FAILED = 500
"""Least HTTP status of a failure, which some services put into an answer with another one."""


class ServiceFailureError(UnexpectedAnswerError):
    """A service answers that something of its own failed; that is no word about the point."""


class PointRefusedError(UnexpectedAnswerError):
    """A service refuses one point, with 400 or 404.

    Attributes:
        answer: The refusal in the form of a service's answer.
    """

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


class LimitReachedError(RateLimitedError):
    """The hourly limit of the key is used up, or must be waited for longer than a run waits."""


class NlrService:
    """Asks the API and keeps account of the limit.

    Args:
        http: Client of this run; the key is in its headers.
        base_url: Scheme and host.

    Attributes:
        limit: Requests an hour the key may send, as the last answer said; None before.
        remaining: How many of them are left.
    """

    def __init__(self, http: HttpSource, base_url: str) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._kept: dict[str, Answer] = {}
        self.limit: int | None = None
        self.remaining: int | None = None

    def can_answer(self, path: str, params: QueryParameters) -> bool:
        """False when budget or limit is used up, unless the answer is here already."""
        kept = _question(path, params) in self._kept
        return kept or (self._http.requests_left > 0 and self.remaining != 0)

    def address(self, path: str) -> str:
        """Full address of a path."""
        return f"{self._base_url}{path}"

    def ask(self, path: str, params: QueryParameters) -> Answer:
        """The answer of a service, 200 or 422; the key is removed from it.

        Raises:
            AuthenticationError: the gateway refuses the key.
            LimitReachedError: the limit is reached, in any of the forms the gateway knows.
            PointRefusedError: 400 or 404; when all points are refused so, the address is wrong.
            UnexpectedAnswerError: the host itself is refused.
            SourceError: see `HttpSource.ask`.
        """
        kept = self._kept.pop(_question(path, params), None)
        if kept is not None:
            return kept
        try:
            answer = self._http.ask(self.address(path), params, also=_READ_STATUSES)
        except RateLimitedError as error:
            raise LimitReachedError(str(error)) from error
        self._note_limit(answer.headers)
        code = gateway_code(answer)
        if code is not None or answer.status not in (200, UNPROCESSABLE):
            raise _refusal(answer, code, self.address(path))
        return Answer(
            answer.status,
            answer.headers,
            without_key(answer.value, self._http.redacted),
            answer.text,
        )

    def peek(self, path: str, params: QueryParameters) -> Answer:
        """The same; the next `ask` of the same question gets this very answer."""
        answer = self.ask(path, params)
        self._kept[_question(path, params)] = answer
        return answer

    def _note_limit(self, headers: Mapping[str, str]) -> None:
        self.limit = _count(headers, "x-ratelimit-limit", self.limit)
        self.remaining = _count(headers, "x-ratelimit-remaining", self.remaining)
        log.debug("NLR limit: %s of %s requests an hour left", self.remaining, self.limit)


def gateway_code(answer: Answer) -> str | None:
    """Code of a gateway error, whatever the format of the body; None for a service's answer."""
    if isinstance(answer.value, dict):
        error = answer.value.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, str) else None
    if answer.status == 200:
        return None
    found = _CODES.search(answer.text)
    return found[1] if found else None


def envelope(answer: Answer, where: str) -> JsonObject:
    """The answer of a service as the object it documents.

    Raises:
        ServiceFailureError: it says that the service itself failed, or nothing about the point.
            It is one, too, when it is no object.
    """
    if not isinstance(answer.value, dict):
        raise ServiceFailureError(
            f"{where} answered HTTP {answer.status} without a JSON object: {answer.text[:200]!r}. "
            "Check `base_url`."
        )
    failure = _own_failure(answer.value)
    if failure is not None:
        raise ServiceFailureError(
            f"{where} answered HTTP {answer.status} {failure!r}. Nothing is recorded of the point; "
            "the next run asks again."
        )
    return answer.value


def _own_failure(answer: JsonObject) -> str | None:
    """What a service says of a failure of its own; None for a word about the point.

    That is an output, an error that is none of the service's, or a warning without an output.
    """
    errors, warnings = texts(answer.get("errors")), texts(answer.get("warnings"))
    status = answer.get("status")
    if isinstance(status, int) and status >= _FAILED:
        return "; ".join([f"status {status}", *errors])
    failed = list(filter(is_own_failure, errors))
    if not failed and not errors and answer.get("outputs") is None:
        failed = list(filter(is_own_failure, warnings))
        if not warnings:
            failed = [f"neither outputs nor errors, but {', '.join(answer) or 'nothing'}"]
    return "; ".join(failed) or None


def texts(value: object) -> list[str]:
    """Entries of a list of messages as texts; a single message is a list of one."""
    if value is None:
        return []
    entries = value if isinstance(value, list) else [value]
    return [json_text(entry) or "null" for entry in entries]


def without_key(value: object, redacted: Callable[[str], str]) -> object:
    """A JSON value without any field that names the key, and without the key inside texts."""
    if isinstance(value, dict):
        return {
            redacted(name): without_key(inner, redacted)
            for name, inner in value.items()
            if name.lower() not in _KEY_NAMES
        }
    if isinstance(value, list):
        return [without_key(inner, redacted) for inner in value]
    if isinstance(value, str):
        return _KEY_IN_ADDRESS.sub(r"\1***", redacted(value))
    return value


def _refusal(answer: Answer, code: str | None, where: str) -> SourceError:
    said = f"HTTP {answer.status} {code or answer.text[:200]!r}"
    if code == _LIMIT_CODE or answer.status == _TOO_MANY:
        return LimitReachedError(
            f"{where}: {said}, the requests of this hour are used up. Run again in an hour; what "
            "is done stays done."
        )
    if (code or "").startswith("API_KEY_") or answer.status == _FORBIDDEN:
        return AuthenticationError(
            f"{where} refuses access: {said}. Check NLR_API_KEY; a key is free at {SIGN_UP}."
        )
    if answer.status == _GONE:
        return UnexpectedAnswerError(
            f"{where}: {said}, this host is given up. Set `base_url` to {NEW_HOST}."
        )
    if code == "HTTPS_REQUIRED":
        return UnexpectedAnswerError(f"{where}: {said}. Write `base_url` with https://.")
    own = texts(answer.value.get("errors")) if isinstance(answer.value, dict) else []
    if any(map(is_own_failure, own)):
        return ServiceFailureError(
            f"{where} answered {said}. Nothing is recorded of the point; the next run asks again."
        )
    refusal = Answer(answer.status, answer.headers, {"errors": [said]}, answer.text)
    return PointRefusedError(f"{where} answered {said}. Check `base_url`.", refusal)


def _question(path: str, params: QueryParameters) -> str:
    return f"{path}?{sorted(params.items())}"


def _count(headers: Mapping[str, str], name: str, before: int | None) -> int | None:
    text = headers.get(name, "")
    return int(text) if _COUNT.fullmatch(text) else before
