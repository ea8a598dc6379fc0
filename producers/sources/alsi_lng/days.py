"""Reading pages of GIE ALSI: a scope, a range of gas days, every page, nothing lost on the way."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from producers.errors import (
    AuthenticationError,
    RateLimitedError,
    TruncatedError,
    UnexpectedAnswerError,
)
from producers.formats.failure_words import is_own_failure
from producers.formats.reading import json_text
from producers.http import HttpSource, JsonObject
from producers.sources.alsi_lng.mapping import entity_id, gas_day

log = logging.getLogger(__name__)

_PASSES = 3
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose days are asked for.

    Attributes:
        query: Filter of the request.
        country: ISO 3166-1 alpha-2, None for the EU.
        company_eic: None unless one terminal.
        facility_eic: None unless one terminal.
        terminal_id: Readable id, None unless one terminal.
    """

    name: Literal["eu", "country", "terminal"]
    query: Mapping[str, str]
    country: str | None = None
    company_eic: str | None = None
    facility_eic: str | None = None
    terminal_id: str | None = None

    @property
    def entity_id(self) -> str:
        """Source entity: `eu`, a country code, or facility EIC and operator EIC."""
        return entity_id(self.name, self.country, self.company_eic, self.facility_eic)


EU = Scope("eu", {"type": "eu"})


class DayReader:
    """Reads gas days of any scope from one service in one run.

    Args:
        http: Client of the run.
        url: Address of `/api`.
        page_size: Rows a page, at most 300.
    """

    def __init__(self, http: HttpSource, url: str, page_size: int) -> None:
        self._http = http
        self._url = url
        self._page_size = page_size
        self.newest_published: date | None = None
        """Newest gas day of the whole service, the same in every answer; None before the first."""

    def probe(self) -> None:
        """Ask for one row, to learn `newest_published`."""
        self._note_newest(self._ask({**EU.query, "page": 1, "size": 1}))

    def rows(self, scope: Scope, first: date, last: date) -> Iterator[JsonObject]:
        """Every row of a scope from `first` to `last`, newest first, equal repetitions left out.

        Rows that move while they are read are harmless when they come twice. A row that slips to a
        page already read would be lost: the hole between two pages shows it, and all pages are read
        again. A hole that stays was there from the start.

        Raises:
            AuthenticationError: the key is refused, in any of the forms the service knows.
            TruncatedError: the pages kept moving.
            UnexpectedAnswerError: an answer of another shape, or rows of another scope.
            SourceError: see `HttpSource.get_json`.
        """
        if first > last:
            return
        seen: set[str] = set()
        before: set[str] | None = None
        for _ in range(_PASSES):
            holes: set[str] = set()
            for row in self._pass(scope, first, last, holes):
                text = json.dumps(row, sort_keys=True)
                if text not in seen:
                    seen.add(text)
                    yield row
            if not holes or holes == before:
                return
            log.info("%s: days missing between two pages, reading again", scope.entity_id)
            before = holes
        raise TruncatedError(
            f"The pages of {scope.entity_id} kept moving while they were read, {_PASSES} times. "
            "Run again later."
        )

    def _pass(self, scope: Scope, first: date, last: date, holes: set[str]) -> Iterator[JsonObject]:
        page, pages = 1, 1
        oldest: date | None = None
        while page <= pages:
            answer = self._ask(
                {
                    **scope.query,
                    "from": first.isoformat(),
                    "to": last.isoformat(),
                    "page": page,
                    "size": self._page_size,
                }
            )
            pages = _last_page(answer)
            self._note_newest(answer)
            days = []
            for row in page_rows(answer):
                _refuse_other_scope(row, scope)
                day = gas_day(json_text(row.get("gasDayStart")) or "")
                # A filter the service does not understand is dropped without a word.
                if day and not first <= day.day <= last:
                    continue
                if day:
                    days.append(day.day)
                yield row
            if page > 1 and oldest is not None and (not days or max(days) < oldest - _ONE_DAY):
                holes.add(f"{oldest} {max(days, default=None)}")
            oldest = min(days, default=oldest)
            page += 1

    def _ask(self, query: Mapping[str, str | int]) -> JsonObject:
        answer = self._http.get_json(self._url, query)
        refuse_error_body(answer, self._http)
        return answer

    def _note_newest(self, answer: JsonObject) -> None:
        published = gas_day(str(answer.get("gas_day")))
        if published:
            self.newest_published = published.day


def refuse_error_body(answer: object, http: HttpSource) -> None:
    """Raise for a refusal that comes as HTTP 200 with `error` and `message` instead of `data`.

    Raises:
        RateLimitedError: it speaks of too many requests.
        UnexpectedAnswerError: it speaks of a failure of its own.
        AuthenticationError: any other.
    """
    if not isinstance(answer, dict) or "data" in answer or not {"error", "message"} & answer.keys():
        return
    texts = (str(answer[key]) for key in ("error", "message") if key in answer)
    said = http.redacted(" ".join(texts))[:200]
    if "too many" in said.lower():
        raise RateLimitedError(f"ALSI says {said!r}. Run again in a minute.")
    if is_own_failure(said):
        raise UnexpectedAnswerError(f"ALSI says {said!r} of itself. Run again later.")
    raise AuthenticationError(
        f"ALSI refuses access and says {said!r}. Check ALSI_API_KEY and that the key covers ALSI; "
        "a key is free at https://alsi.gie.eu."
    )


def page_rows(answer: JsonObject) -> list[JsonObject]:
    """The rows of a page.

    Raises:
        UnexpectedAnswerError: there is no list of rows.
    """
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise UnexpectedAnswerError(
            "ALSI answered without a list of rows in `data`. Check `base_url`."
        )
    return data


def _last_page(answer: JsonObject) -> int:
    last_page = answer.get("last_page")
    if not isinstance(last_page, int):
        raise UnexpectedAnswerError(
            f"ALSI answered without `last_page` but with {sorted(answer)}. Check `base_url`."
        )
    return last_page


def _refuse_other_scope(row: JsonObject, scope: Scope) -> None:
    """Raise for a row of the EU or of another country: the filter was dropped without a word."""
    code = row.get("code")
    if not isinstance(code, str) or len(code) != 2 or scope.name == "eu":
        return
    if scope.name == "terminal" or code.upper() != scope.country:
        raise UnexpectedAnswerError(
            f"ALSI answered with rows of {code!r} where {scope.entity_id} was asked for. Check "
            "`base_url`."
        )
