"""The sandbox's GIE ALSI: `/alsi/api` with every gas day since 2012, the listing, unavailability.

Real days come from `alsi/eu_daily_2012_2026.csv` of the data folder; without it, days of the same
shape are made up for the same range. The real file has lost `dtmi`: the server gives the constant
published for April 2026 from 2024 on (so that a fullness can be derived), and dashes before.
Countries and terminals get made-up shares of it. The newest gas day is the last one of the data,
whatever the date, until `/control/day` says which day it is. Source of the behaviour: GIE API
manual v009 and clients' notes.
"""

import csv
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from producers.sandbox import alsi_terminals
from producers.sandbox.controls import ids, refused, sent
from producers.sandbox.faults import Change
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.upstream import UNLIMITED, Upstream

REAL_FILE = Path("alsi") / "eu_daily_2012_2026.csv"

_FIRST_DAY = date(2012, 1, 1)
_LAST_DAY = date(2026, 5, 19)
_DTMI_FROM = date(2024, 1, 1)
_DTMI = {"lng": "9321.97", "gwh": "62110.4"}
_NO_MEASURE = {"lng": "-", "gwh": "-"}
_ACER_FROM = date(2023, 2, 27)
_COVERED_FROM = date(2026, 1, 1)
_ONE_DAY = timedelta(days=1)
_ESTIMATED_DAYS = timedelta(days=3)
"""How old a gas day is when its estimate is confirmed."""

_DEFAULT_SIZE = 30
_LARGEST_SIZE = 300
_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class EuDay:
    """One row as the server holds it; texts as the service would send them."""

    gas_day: date
    updated_at: datetime
    inventory_lng: str
    inventory_gwh: str
    send_out: str
    dtrs: str
    contracted: str
    available: str
    covered: str
    status: str

    def as_json(self) -> dict[str, Any]:
        """The row as `/api` sends it."""
        return {
            "name": "EU",
            "code": "eu",
            "url": "eu",
            "updatedAt": f"{self.updated_at:%Y-%m-%d %H:%M:%S}",
            "gasDayStart": self.gas_day.isoformat(),
            "gasDayEnd": (self.gas_day + _ONE_DAY).isoformat(),
            "inventory": {"lng": self.inventory_lng, "gwh": self.inventory_gwh},
            "sendOut": self.send_out,
            "dtmi": _DTMI if self.gas_day >= _DTMI_FROM else _NO_MEASURE,
            "dtrs": self.dtrs,
            "contractedCapacity": self.contracted,
            "availableCapacity": self.available,
            "coveredCapacity": self.covered,
            "info": [],
            "status": self.status,
        }

    def revised(self) -> "EuDay":
        """The same day as corrected later: other figures, a later update, status confirmed."""
        return replace(
            self,
            updated_at=self.updated_at + timedelta(hours=24),
            inventory_lng=_scaled(self.inventory_lng, 1.002),
            inventory_gwh=_scaled(self.inventory_gwh, 1.002),
            send_out=_scaled(self.send_out, 0.995),
            status="C",
        )


class AlsiUpstream(Upstream):
    """Rows, key check, limit and revisions of the sandbox's ALSI."""

    source = "alsi_lng"
    without_limits: ClassVar[Mapping[str, str]] = {"SANDBOX_ALSI_REQUESTS_PER_MINUTE": "0"}

    def __init__(self, settings: SandboxSettings) -> None:
        path = settings.data_dir / REAL_FILE
        self._original = _real_days(path) if path.is_file() else _made_up_days()
        self._days = list(self._original)
        self._key = settings.alsi_key
        self._limit = settings.alsi_requests_per_minute
        self._asked: dict[str, deque[float]] = {}
        self._unlisted: frozenset[str] = frozenset()
        self._renamed: Mapping[str, str] = {}

    @staticmethod
    def variables(url: str, settings: SandboxSettings) -> dict[str, str]:
        """See `Upstream`."""
        return {
            "ALSI_BASE_URL": f"{url}/alsi/api",
            "ALSI_API_KEY": settings.alsi_key,
            "ALSI_REQUESTS_PER_MINUTE": UNLIMITED,
        }

    def routes(self) -> list[Route]:
        """What the upstream answers, and its controls."""
        return [
            Route("/alsi/api", self.answer),
            Route("/alsi/api/about", self.about),
            Route("/alsi/api/unavailability", self.unavailability),
            Route("/control/revise", self.control_revise, methods=["POST"]),
            Route("/control/alsi", self.control_listing, methods=["POST"]),
        ]

    def revise(self, days: int) -> int:
        """Correct the newest `days` gas days; returns how many changed."""
        newest = self._days[-days:] if days else []
        self._days[len(self._days) - len(newest) :] = [day.revised() for day in newest]
        return len(newest)

    def unlist(self, facilities: frozenset[str]) -> None:
        """Take facilities (EIC) out of the listing; their days stay."""
        self._unlisted |= facilities

    def on_day(self, day: date) -> None:
        """Have the gas days before this day; what was estimated three days ago is confirmed."""
        days = [one for one in self._days if one.gas_day < day] or self._days[:1]
        while days[-1].gas_day < day - _ONE_DAY:
            days.append(replace(_made_up_day(days[-1].gas_day + _ONE_DAY), status="E"))
        self._days = [
            one.revised() if one.status == "E" and one.gas_day < day - _ESTIMATED_DAYS else one
            for one in days
        ]

    def rename(self, keys: Mapping[str, str]) -> None:
        """Call keys of gas days otherwise from now on; no key without an entry."""
        self._renamed = dict(keys)

    def grow(self) -> None:
        """A gas day newer than all appears, as it does every evening."""
        newest = self._days[-1]
        self._days.append(replace(newest, gas_day=newest.gas_day + _ONE_DAY))

    def shrink(self) -> None:
        """The newest gas day is taken back."""
        self._days.pop()

    def changes(self) -> Mapping[str, Mapping[str, Change]]:
        """The list of days grows and shrinks at its newest end."""
        return {"/alsi": {"grow": self.grow, "shrink": self.shrink}}

    def reset(self) -> None:
        """Back to the days as loaded and the whole listing."""
        self._days = list(self._original)
        self._unlisted = frozenset()
        self._renamed = {}

    async def answer(self, request: Request) -> JSONResponse:
        """`GET /api`: 429 above the limit, HTTP 200 with an error body for a refused key."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        query = request.query_params
        rows = [
            {self._renamed.get(key, key): value for key, value in row.items()}
            for row in self._rows(query)
        ]
        page = _page(query, rows)
        page["gas_day"] = self._days[-1].gas_day.isoformat()
        return JSONResponse(page)

    async def about(self, request: Request) -> JSONResponse:
        """`GET /api/about`, for everyone."""
        flat = request.query_params.get("show") == "listing"
        return JSONResponse(
            alsi_terminals.listing(self._unlisted) if flat else alsi_terminals.hierarchy()
        )

    async def unavailability(self, request: Request) -> JSONResponse:
        """`GET /api/unavailability`; the range is `start` to `end`."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        query = request.query_params
        first, last = query.get("start", ""), query.get("end", "9999")
        rows = [row for row in alsi_terminals.outages() if first <= row["start"][:10] <= last]
        return JSONResponse(_page(query, rows))

    async def control_revise(self, request: Request) -> JSONResponse:
        """`POST /control/revise`: correct the newest days."""
        days = (await sent(request)).get("days")
        if not isinstance(days, int) or days < 0:
            return refused('send {"days": 30}')
        return JSONResponse({"revised": self.revise(days)})

    async def control_listing(self, request: Request) -> JSONResponse:
        """`POST /control/alsi`: take facilities out of the listing, or call keys otherwise."""
        body = await sent(request)
        facilities, keys = ids(body.get("unlist")), body.get("rename")
        if not facilities and not isinstance(keys, dict):
            return refused('send {"unlist": ["21W000000000039X"]} or {"rename": {"dtrs": "rate"}}')
        self.unlist(facilities)
        if isinstance(keys, dict):
            self.rename({str(key): str(other) for key, other in keys.items()})
        return JSONResponse({"status": "ok"})

    def _refusal(self, request: Request) -> JSONResponse | None:
        client = request.client.host if request.client else ""
        if self._over_limit(client):
            return JSONResponse({"message": "Too many requests"}, status_code=429)
        if request.headers.get("x-key") != self._key:
            return JSONResponse({"error": "access denied", "message": "Invalid or missing API key"})
        return None

    def _rows(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of the scope asked for; a country needs no more, a facility all three codes."""
        if query.get("type", "").lower() == "eu":
            return [day.as_json() for day in self._selected(query)]
        country = query.get("country", "").upper()
        found: Iterator[dict[str, Any] | None]
        if "facility" in query or "company" in query:
            one = alsi_terminals.find(country, query.get("company", ""), query.get("facility", ""))
            if one is None:
                return []
            found = (
                alsi_terminals.row_of_terminal(one, day.gas_day, day.as_json())
                for day in self._selected(query)
            )
        else:
            found = (
                alsi_terminals.row_of_country(country, day.gas_day, day.as_json())
                for day in self._selected(query)
            )
        return [row for row in found if row is not None]

    def _selected(self, query: Mapping[str, str]) -> list[EuDay]:
        """Days asked for, newest first. An unreadable filter is dropped, as the service does."""
        one = _day(query.get("date"))
        first = one or _day(query.get("from"))
        last = one or _day(query.get("to") or query.get("till"))
        return [
            day
            for day in reversed(self._days)
            if (first is None or day.gas_day >= first) and (last is None or day.gas_day <= last)
        ]

    def _over_limit(self, client: str) -> bool:
        if not self._limit:
            return False
        now = time.monotonic()
        asked = self._asked.setdefault(client, deque())
        while asked and now - asked[0] >= _LIMIT_SECONDS:
            asked.popleft()
        asked.append(now)
        return len(asked) > self._limit


def _real_days(path: Path) -> list[EuDay]:
    with path.open(encoding="utf-8", newline="") as file:
        return [_real_day(row) for row in csv.DictReader(file)]


def _real_day(row: Mapping[str, str]) -> EuDay:
    return EuDay(
        gas_day=date.fromisoformat(row["gasDayStart"]),
        updated_at=datetime.fromisoformat(row["updatedAt"]),
        inventory_lng=row["inventory_lng"],
        inventory_gwh=row["inventory_gwh"],
        send_out=_without_zeros(row["sendOut"]),
        dtrs=_without_zeros(row["dtrs"]),
        contracted=row["contractedCapacity"],
        available=row["availableCapacity"],
        covered=row["coveredCapacity"],
        status=row["status"],
    )


def _made_up_days() -> list[EuDay]:
    count = (_LAST_DAY - _FIRST_DAY).days + 1
    return [_made_up_day(_FIRST_DAY + timedelta(days=index)) for index in range(count)]


def _made_up_day(gas_day: date) -> EuDay:
    """Yearly wave plus a small ripple: plausible, and the same on every start."""
    index = (gas_day - _FIRST_DAY).days
    season = math.sin(2 * math.pi * (gas_day.timetuple().tm_yday - 120) / 365.25)
    ripple = math.sin(index * 0.7) * 0.03 + math.sin(index * 0.13) * 0.05
    inventory_lng = 4600 * (1 + 0.2 * season + ripple)
    send_out = 2800 * (1 - 0.3 * season - ripple)
    dtrs = 5600 + index * 0.45
    newest = gas_day > _LAST_DAY - timedelta(days=3)
    return EuDay(
        gas_day=gas_day,
        updated_at=datetime(gas_day.year, gas_day.month, gas_day.day, 19, 30)  # noqa: DTZ001
        + _ONE_DAY,
        inventory_lng=_text(inventory_lng, 2),
        inventory_gwh=_text(inventory_lng * 6.7, 2),
        send_out=_text(send_out, 1),
        dtrs=_text(dtrs, 1),
        contracted=_text(send_out * 1.1, 4) if gas_day >= _ACER_FROM else "-",
        available=_text(dtrs * 0.1, 4) if gas_day >= _ACER_FROM else "-",
        covered="100" if gas_day >= _COVERED_FROM else "-",
        status="E" if newest else "C",
    )


def _text(value: float, digits: int) -> str:
    return _without_zeros(f"{value:.{digits}f}")


def _without_zeros(text: str) -> str:
    """The service drops trailing zeros: 7917, 62110.4."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(text: str, factor: float) -> str:
    return text if text == "-" else _text(float(text) * factor, 2)


def _page(query: Mapping[str, str], rows: Sequence[object]) -> dict[str, object]:
    """The envelope: `total` counts this page only."""
    size = min(_number(query, "size", _DEFAULT_SIZE), _LARGEST_SIZE)
    page = _number(query, "page", 1)
    shown = rows[(page - 1) * size : page * size]
    return {
        "last_page": math.ceil(len(rows) / size),
        "total": len(shown),
        "dataset": "",
        "data": shown,
    }


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return max(1, int(text)) if text.isdigit() else default
