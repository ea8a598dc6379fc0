"""HTTP as every connector uses it: paced, patient, within a budget, and silent about secrets.

Retries and backoff come from stamina, pacing from pyrate-limiter.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import httpx
import stamina
from pydantic import SecretStr
from pyrate_limiter import Limiter, Rate

from producers.config import HttpConfig
from producers.errors import (
    AuthenticationError,
    BudgetSpentError,
    DownloadFolderError,
    RateLimitedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from producers.json_text import json_value

log = logging.getLogger(__name__)

JsonObject: TypeAlias = dict[str, object]
QueryParameters: TypeAlias = Mapping[str, str | int]
DownloadProgress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes received and the bytes expected (None when unknown)."""

_EXCERPT = 200
_READ_ANSWER = 4000


@dataclass(frozen=True, slots=True)
class Download:
    """What a conditional download gave.

    Attributes:
        etag: The server's tag of this version, None when it sends none.
        bytes_received: Zero when nothing changed.
        not_modified: True for a 304: the target file was not written.
    """

    etag: str | None
    bytes_received: int
    not_modified: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with what is around its body.

    Attributes:
        headers: Names in lower case.
        value: The JSON of the body; None where the body is no JSON and the status is not 200.
        text: First characters of the body, our secrets removed.
    """

    status: int
    headers: Mapping[str, str]
    value: object
    text: str


class _UnansweredError(Exception):
    """An attempt that is worth repeating."""

    def __init__(self, reason: str, *, limited: bool = False, wait: float | None = None) -> None:
        super().__init__(reason)
        self.limited = limited
        self.wait = wait


class HttpSource:
    """A client of one upstream for one run. Use it as a context manager.

    Every attempt counts against the budget and waits for its turn. Connection failures, time-outs,
    429, 5xx, and JSON that is cut short are tried again with growing waits; `Retry-After` is
    obeyed.

    Args:
        config: Pace, patience and budget.
        secret_headers: Sent with each request, never logged. A request with them follows no
            redirect: another host must not receive them.
        secret_address: Their only receiver: other schemes, hosts and ports are asked without.
        key_variable: Variable that sets the key, for whoever is refused; None without a key.
        transport: Where requests go; the network unless given.
        on_download: Called with the progress of downloads.
    """

    def __init__(
        self,
        config: HttpConfig,
        *,
        secret_headers: Mapping[str, SecretStr] | None = None,
        secret_address: str | None = None,
        key_variable: str | None = None,
        transport: httpx.BaseTransport | None = None,
        on_download: DownloadProgress | None = None,
    ) -> None:
        secrets = {name: text.get_secret_value() for name, text in (secret_headers or {}).items()}
        self._secrets = tuple(text for text in secrets.values() if text)
        self._secret_headers = secrets
        self._secret_origin = None if secret_address is None else _origin(secret_address)
        self._config = config
        self._on_download = on_download
        self._key_advice = (
            "It needs no key: check the configured address."
            if key_variable is None
            else f"Check the key in {key_variable}."
        )
        self._ends_at = time.monotonic() + config.longest_run_seconds
        self._requests = 0
        self._rate_limit_hits = 0
        pace = Rate(1, max(1, round(60_000 / config.requests_per_minute)))
        # It waits that much longer than needed, 50 ms by default: of 57 requests a minute 54.
        self._limiter = Limiter(pace, buffer_ms=1)
        self._client = httpx.Client(
            headers={"user-agent": "infrastructure-streams"},
            timeout=config.timeout_seconds,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        self._limiter.close()

    @property
    def requests_sent(self) -> int:
        """Requests of this run so far, repeats included."""
        return self._requests

    @property
    def rate_limit_hits(self) -> int:
        """Answers of this run that said "too many requests"."""
        return self._rate_limit_hits

    @property
    def requests_left(self) -> int:
        """Requests this run may still send."""
        return self._config.max_requests - self._requests

    def get_json(self, url: str, params: QueryParameters | None = None) -> JsonObject:
        """The JSON object at an address.

        Raises:
            UnexpectedAnswerError: JSON that is no object.
            SourceError: see `get_json_value`.
        """
        answer = self.get_json_value(url, params)
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError(
                f"{bare_address(url)} answered a JSON {type(answer).__name__} where an object is "
                "documented. Check the configured address."
            )
        return answer

    def get_json_value(self, url: str, params: QueryParameters | None = None) -> object:
        """The JSON at an address, whatever its type.

        Raises:
            AuthenticationError: 401 or 403.
            RateLimitedError: still 429 after the last attempt, or asked to wait too long.
            UnreachableError: no usable answer on any attempt.
            UnexpectedAnswerError: another status.
            BudgetSpentError: the run's requests are used up.
        """
        answer: object = None
        for attempt in self._attempts(url):
            with attempt, self._response("GET", url, params) as response:
                self._check(response)
                text = self._body(response)
                try:
                    answer = json_value(text)
                except ValueError as error:
                    reason = f"{bare_address(url)}: no JSON but {self._excerpt(text)}"
                    raise _UnansweredError(reason) from error
        return answer

    def ask(
        self, url: str, params: QueryParameters | None = None, *, also: Collection[int] = ()
    ) -> Answer:
        """The answer of an address, for sources that say something by status and headers.

        Args:
            url: Address.
            params: Query.
            also: Statuses besides 200 that the caller reads; they are neither refused nor tried
                again. A 429 that says how long to wait, or that requests are left, is waited for
                all the same.

        Raises:
            SourceError: see `get_json_value`; for statuses not in `also`.
        """
        found: Answer | None = None
        for attempt in self._attempts(url):
            with attempt, self._response("GET", url, params) as response:
                if response.status_code not in also or _passes_by_waiting(response):
                    self._check(response)
                body = self._body(response)
                text = self.redacted(body[:_READ_ANSWER].decode("utf-8", "replace"))
                value: object = None
                try:
                    value = json_value(body)
                except ValueError as error:
                    if response.status_code == httpx.codes.OK:
                        reason = f"{bare_address(url)}: no JSON but {self._excerpt(body)}"
                        raise _UnansweredError(reason) from error
                found = Answer(response.status_code, dict(response.headers), value, text)
        assert found is not None
        return found

    def download(self, url: str, target: Path, etag: str | None = None) -> Download:
        """Fetch a file into `target`, unless the server still has the version `etag`.

        The body is streamed; a connection that ends early is tried again from the start.

        Raises:
            DownloadFolderError: the file cannot be written.
            SourceError: see `get_json_value`.
        """
        headers = {"if-none-match": etag} if etag else {}
        outcome = Download(etag, 0, not_modified=True)
        for attempt in self._attempts(url):
            with attempt, self._response("GET", url, headers=headers) as response:
                if response.status_code == httpx.codes.NOT_MODIFIED:
                    return outcome
                self._check(response)
                outcome = Download(response.headers.get("etag"), self._save(response, target))
        return outcome

    def _save(self, response: httpx.Response, target: Path) -> int:
        length = response.headers.get("content-length", "")
        expected = int(length) if length.isdecimal() else None
        received = 0
        try:
            with target.open("wb") as file:
                for chunk in response.iter_bytes():
                    self._refuse_when_late()
                    received += file.write(chunk)
                    if self._on_download:
                        self._on_download(received, expected)
        except OSError as error:
            raise DownloadFolderError(
                f"{target} cannot be written: {error.strerror}. Make room, or name another folder "
                "with TMPDIR=<path>, and run again; nothing was recorded as done."
            ) from error
        return received

    def _body(self, response: httpx.Response) -> bytes:
        chunks = []
        for chunk in response.iter_bytes():
            self._refuse_when_late()
            chunks.append(chunk)
        return b"".join(chunks)

    def _refuse_when_late(self) -> None:
        """Raise after the time of a run: a server that sends a byte now and then is never silent.

        Raises:
            BudgetSpentError: the time is over.
        """
        if time.monotonic() > self._ends_at:
            raise BudgetSpentError(
                f"This run has taken its {self._config.longest_run_seconds:,.0f} s. Raise "
                "`http.longest_run_seconds`, or run again to go on."
            )

    @contextmanager
    def _response(
        self,
        method: str,
        url: str,
        params: QueryParameters | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        if self._requests >= self._config.max_requests:
            raise BudgetSpentError(
                f"This run has sent its {self._config.max_requests} requests. Raise "
                "`http.max_requests`, or run again to go on."
            )
        self._refuse_when_late()
        self._limiter.try_acquire()
        self._requests += 1
        secrets = self._secret_headers if self._secret_origin in (None, _origin(url)) else {}
        started = time.perf_counter()
        try:
            with self._client.stream(
                method,
                url,
                params=params,
                headers={**secrets, **(headers or {})},
                follow_redirects=not secrets,
            ) as response:
                log.debug(
                    "%s %s %s: %d in %.2f s",
                    method,
                    bare_address(url),
                    dict(params or {}),
                    response.status_code,
                    time.perf_counter() - started,
                )
                self._rate_limit_hits += response.status_code == httpx.codes.TOO_MANY_REQUESTS
                yield response
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise UnexpectedAnswerError(
                f"{bare_address(url)} cannot be asked: {self.redacted(str(error))}. "
                "Check the configured address."
            ) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = self.redacted(str(error)) or type(error).__name__
            raise _UnansweredError(f"{bare_address(url)}: {reason}") from error

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        text = self._excerpt(self._body(response))
        where = bare_address(str(response.url))
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise AuthenticationError(
                f"{where} refuses access with HTTP {status}: {text}. {self._key_advice}"
            )
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise _UnansweredError(f"{where}: HTTP 429", limited=True, wait=self._wait(response))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            wait = self._wait(response) if "retry-after" in response.headers else None
            raise _UnansweredError(f"{where}: HTTP {status} {text}", wait=wait)
        moved = f" to {response.headers['location']}" if "location" in response.headers else ""
        raise UnexpectedAnswerError(
            f"{where} answered HTTP {status}{moved}: {text}. Check the configured address."
        )

    def _wait(self, response: httpx.Response) -> float:
        """Seconds the upstream asks us to wait (RFC 9110, 10.2.3: seconds or a date)."""
        asked = response.headers.get("retry-after", "")
        wait = self._config.pause_seconds
        if asked.isdecimal():
            wait = float(asked)
        elif asked:
            try:
                wait = (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
            except (ValueError, TypeError):
                log.warning("Retry-After %r is neither seconds nor a date", asked)
        if wait > self._config.longest_wait_seconds:
            raise RateLimitedError(
                f"{bare_address(str(response.url))} asks to wait {wait:.0f} s, longer than "
                f"`http.longest_wait_seconds`. Run again after that."
            )
        return max(wait, 0.0)

    def _attempts(self, url: str) -> Iterator[stamina.Attempt]:
        try:
            yield from stamina.retry_context(
                on=_backoff,
                attempts=self._config.attempts,
                timeout=None,
                wait_initial=0.5,
                wait_max=30.0,
            )
        except _UnansweredError as error:
            kind = RateLimitedError if error.limited else UnreachableError
            raise kind(
                f"No usable answer in {self._config.attempts} attempts; the last one from {error}. "
                "Run again later."
            ) from error

    def _excerpt(self, body: bytes) -> str:
        text = body[: _EXCERPT * 4].decode("utf-8", "replace")
        return repr(self.redacted(text)[:_EXCERPT])

    def redacted(self, text: str) -> str:
        """Text of an upstream without our secrets, should it echo them."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _backoff(error: Exception) -> bool | float:
    if not isinstance(error, _UnansweredError):
        return False
    return True if error.wait is None else error.wait


def _passes_by_waiting(response: httpx.Response) -> bool:
    """Whether a 429 is about the pace, not about a limit that is used up."""
    if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
        return False
    left = response.headers.get("x-ratelimit-remaining", "")
    return "retry-after" in response.headers or (left.isdecimal() and int(left) > 0)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; None for an address that has none."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    return parts.scheme, parts.host, parts.port


def bare_address(url: str) -> str:
    """An address without user, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an unreadable address"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
