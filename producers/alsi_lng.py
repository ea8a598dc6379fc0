"""GIE ALSI: LNG in terminal tanks and gas sent out, a row for each entity and gas day.

Host: https://alsi.gie.eu. Key: free, header `x-key`. Limit: 60 requests a minute. Published at
19:30 and 23:00 CET for the gas day before, revised for up to four weeks. Source: GIE API manual
v009 and the service's data definition.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from producers.config import SourceConfig
from producers.connector import InfrastructureConnector, Pull, PullRequest, RawItem, StreamInfo
from producers.errors import (
    AuthenticationError,
    CheckpointError,
    RateLimitedError,
    TruncatedError,
    UnexpectedAnswerError,
)
from producers.http import HttpSource, JsonObject
from producers.reading import UnreadableNumberError, json_text, number
from streams.core import rules
from streams.core.errors import Rejected
from streams.core.payloads import LngInventory
from streams.core.records import Mapped, RawRecord

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_GAS_CLOCK = ZoneInfo("Europe/Brussels")
_GAS_DAY_START_HOUR = 6

# Not documented; the values fit a clock that stays at UTC+1 all year.
_UPDATE_CLOCK = timezone(timedelta(hours=1))

_TEXT_FIELDS = (
    "name",
    "code",
    "url",
    "updatedAt",
    "gasDayStart",
    "gasDayEnd",
    "sendOut",
    "dtrs",
    "contractedCapacity",
    "availableCapacity",
    "coveredCapacity",
    "status",
)
_MEASURE_FIELDS = ("inventory", "dtmi")
_KNOWN_FIELDS = frozenset(_TEXT_FIELDS + _MEASURE_FIELDS)

_STATUS: Mapping[str | None, Literal["confirmed", "estimated", "no_data"]] = {
    "C": "confirmed",
    "E": "estimated",
    "N": "no_data",
}

_NEWEST = "newest_gas_day"


class AlsiConfig(SourceConfig):
    """`config/alsi_lng.yaml`."""

    base_url: str = Field(pattern=r"^https?://")
    api_key: SecretStr = Field(min_length=1)
    granularity: Literal["eu"] = "eu"
    backfill_from: date = date(2012, 1, 1)
    lookback_days: int = Field(30, ge=1, le=366)
    page_size: int = Field(300, ge=1, le=300)
    minimum_share: float = Field(0.95, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Whose days are asked for.

    Attributes:
        query: Filter of the request.
        country: ISO 3166-1 alpha-2, None for the EU.
        company_eic: None unless one terminal.
        facility_eic: None unless one terminal.
    """

    name: Literal["eu", "country", "terminal"]
    query: Mapping[str, str]
    country: str | None = None
    company_eic: str | None = None
    facility_eic: str | None = None

    @property
    def entity_id(self) -> str:
        """Source entity: `eu`, a country code, or facility EIC and company EIC."""
        return _entity_id(self.name, self.country, self.company_eic, self.facility_eic)


_EU = _Scope("eu", {"type": "eu"})


@dataclass(frozen=True, slots=True)
class _GasDay:
    """A gas day with its true start and end, UTC (05:00 in winter, 04:00 in summer)."""

    day: date
    start: datetime
    end: datetime


class AlsiLngConnector(InfrastructureConnector):
    """LNG inventory and send-out of European terminals."""

    name = "alsi_lng"
    source_id = "alsi_lng_inventory"
    licence = "LicenseRef-GIE-free-use-with-credit"
    attribution = "GIE ALSI (Gas Infrastructure Europe, Aggregated LNG Storage Inventory)"
    config_model: ClassVar[type[SourceConfig]] = AlsiConfig
    config: AlsiConfig

    def __init__(self, config: AlsiConfig) -> None:
        super().__init__(config)

    def secret_headers(self) -> Mapping[str, SecretStr]:
        """The key, in a header written in lower case: another spelling has been refused."""
        return {"x-key": self.config.api_key}

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """One stream for each scope that can be configured."""
        return (StreamInfo("eu", "lng_inventory", "EU total, one row a gas day since 2012."),)

    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield every gas day asked for, newest first.

        The first run reads from `backfill_from`, later ones from `lookback_days` before the newest
        day seen. A run with its own days or a limit leaves the checkpoint where it is, so that no
        gap can hide behind it. Never complete: gas days are revised, not delisted.

        Raises:
            AuthenticationError: the key is refused, in any of the forms the service knows.
            TruncatedError: fewer days than the service must hold.
            SourceError: see `HttpSource.get_json`.
        """
        scope = _EU
        first = request.since or self._first_day(request.checkpoint)
        last = request.until or request.today
        days: set[date] = set()
        items = 0
        # Without word of the service: yesterday's and today's rows may not be there yet.
        newest_held = last - timedelta(days=2)
        for page in self._pages(http, scope, first, last):
            newest_held = _newest_held(page) or newest_held
            pull.expected = _days(first, min(last, newest_held))
            for row in _rows(page):
                gas_day = _gas_day(json_text(row.get("gasDayStart")) or "")
                # A filter the service does not understand is dropped without a word.
                if gas_day and not first <= gas_day.day <= last:
                    continue
                if gas_day:
                    days.add(gas_day.day)
                yield self._item(scope, row)
                items += 1
                if request.limit is not None and items >= request.limit:
                    return
        self._check_share(len(days), first, min(last, newest_held))
        if days and request.since is None and request.until is None:
            held = request.checkpoint.get(_NEWEST, "")
            pull.checkpoint[_NEWEST] = max(held, max(days).isoformat())

    def _first_day(self, checkpoint: Mapping[str, str]) -> date:
        newest = checkpoint.get(_NEWEST)
        if newest is None:
            return self.config.backfill_from
        try:
            return date.fromisoformat(newest) - timedelta(days=self.config.lookback_days)
        except ValueError as error:
            raise CheckpointError(
                f"The checkpoint of {self.source_id} holds {_NEWEST}={newest!r}, which is no date. "
                "Delete that row from producers.checkpoints, then run again."
            ) from error

    def _pages(
        self, http: HttpSource, scope: _Scope, first: date, last: date
    ) -> Iterator[JsonObject]:
        if first > last:
            return
        page, pages = 1, 1
        while page <= pages:
            query: dict[str, str | int] = {
                **scope.query,
                "from": first.isoformat(),
                "to": last.isoformat(),
                "page": page,
                "size": self.config.page_size,
            }
            answer = http.get_json(self.config.base_url, query)
            _refuse_error_body(answer, http)
            pages = _last_page(answer)
            yield answer
            page += 1

    def _check_share(self, days: int, first: date, last: date) -> None:
        expected = _days(first, last)
        if days < expected * self.config.minimum_share:
            raise TruncatedError(
                f"ALSI gave {days} of the {expected} gas days from {first} to {last}. Run again "
                "later; if that repeats, check `base_url` and `minimum_share`."
            )

    def _item(self, scope: _Scope, row: JsonObject) -> RawItem:
        item: dict[str, Any] = {
            "scope": scope.name,
            "country": scope.country,
            "company_eic": scope.company_eic,
            "facility_eic": scope.facility_eic,
        }
        for field in _TEXT_FIELDS:
            item[field] = json_text(row.get(field))
        for field in _MEASURE_FIELDS:
            item[field] = _raw_measure(row.get(field))
        item["extra"] = {
            key: json_text(value) or "null"
            for key, value in row.items()
            if key not in _KNOWN_FIELDS
        }
        return RawItem(
            stream=scope.name,
            record_id=f"{scope.entity_id}/{item['gasDayStart'] or '-'}",
            item=item,
            source_updated_at=_update_time(item["updatedAt"]),
            release=None,
            origin=self.config.base_url,
        )

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert one row to an LNG inventory.

        Units: GWh, 10^3 m3 LNG, GWh/d. A dash, an empty text, null and a missing key mean "not
        reported" and become None, never zero. A flat inventory or DTMI (rows of before 2024) is a
        volume. Key: (entity, gas day). Source: GIE API manual v009, data fields.
        """
        item = raw.item or {}
        gas_day_text = item.get("gasDayStart")
        gas_day = _gas_day(gas_day_text or "")
        if gas_day is None:
            return rules.UNREADABLE_GAS_DAY.reject(gas_day_text, limit="YYYY-MM-DD")
        status = _STATUS.get(item.get("status"))
        if status is None:
            return rules.UNKNOWN_STATUS.reject(item.get("status"), limit="C, E or N")
        try:
            return _mapped(item, gas_day, status)
        except UnreadableNumberError as error:
            return rules.UNREADABLE_NUMBER.reject(
                error.text, field=error.field, limit="a number, or a dash for not reported"
            )


def _mapped(
    item: Mapping[str, Any],
    gas_day: _GasDay,
    status: Literal["confirmed", "estimated", "no_data"],
) -> Mapped:
    inventory_lng, inventory_gwh = _measure(item["inventory"], "inventory")
    dtmi_lng, dtmi_gwh = _measure(item["dtmi"], "dtmi")
    scope, country = item["scope"], item["country"]
    company, facility = item["company_eic"], item["facility_eic"]
    entity_id = _entity_id(scope, country, company, facility)
    return Mapped(
        entity_id,
        LngInventory(
            scope=scope,
            entity_id=entity_id,
            entity_name=item["name"] or entity_id,
            country_code=country,
            facility_eic=facility,
            company_eic=company,
            gas_day=gas_day.day,
            gas_day_start=gas_day.start,
            gas_day_end=gas_day.end,
            status=status,
            inventory_gwh=inventory_gwh,
            inventory_thousand_m3_lng=inventory_lng,
            send_out_gwh_per_day=number(item["sendOut"], "sendOut"),
            dtmi_gwh=dtmi_gwh,
            dtmi_thousand_m3_lng=dtmi_lng,
            dtrs_gwh_per_day=number(item["dtrs"], "dtrs"),
            contracted_capacity_gwh_per_day=number(
                item["contractedCapacity"], "contractedCapacity"
            ),
            available_capacity_gwh_per_day=number(item["availableCapacity"], "availableCapacity"),
            covered_capacity_pct=number(item["coveredCapacity"], "coveredCapacity"),
            fullness_pct=_fullness_pct(inventory_gwh, dtmi_gwh, inventory_lng, dtmi_lng),
        ),
    )


def _entity_id(scope: str, country: str | None, company: str | None, facility: str | None) -> str:
    if scope == "terminal":
        return f"{facility}/{company}"
    return country or scope


def _fullness_pct(
    gwh: float | None, dtmi_gwh: float | None, lng: float | None, dtmi_lng: float | None
) -> float | None:
    if gwh is not None and dtmi_gwh:
        return gwh / dtmi_gwh * 100
    if lng is not None and dtmi_lng:
        return lng / dtmi_lng * 100
    return None


def _measure(value: Any, field: str) -> tuple[float | None, float | None]:
    """Volume (10^3 m3 LNG) and energy (GWh) of a raw measure."""
    if isinstance(value, Mapping):
        return number(value["lng"], f"{field}.lng"), number(value["gwh"], f"{field}.gwh")
    return number(value, field), None


def _raw_measure(value: object) -> dict[str, str | None] | str | None:
    if isinstance(value, dict) and value.keys() <= {"lng", "gwh"}:
        return {"lng": json_text(value.get("lng")), "gwh": json_text(value.get("gwh"))}
    return json_text(value)


@lru_cache(maxsize=16_384)
def _gas_day(text: str) -> _GasDay | None:
    try:
        # fromisoformat also reads 20240101 and 2024-W01-1, which would be other keys.
        if not _ISO_DAY.fullmatch(text):
            return None
        day = date.fromisoformat(text)
        return _GasDay(day, _gas_day_start(day), _gas_day_start(day + timedelta(days=1)))
    except (ValueError, OverflowError):
        return None


def _gas_day_start(day: date) -> datetime:
    local = datetime(day.year, day.month, day.day, _GAS_DAY_START_HOUR, tzinfo=_GAS_CLOCK)
    return local.astimezone(UTC)


def _update_time(text: str | None) -> datetime | None:
    try:
        clock = datetime.fromisoformat(text or "")
        return (clock if clock.tzinfo else clock.replace(tzinfo=_UPDATE_CLOCK)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _days(first: date, last: date) -> int:
    return max(0, (last - first).days + 1)


def _refuse_error_body(answer: JsonObject, http: HttpSource) -> None:
    """A refused key can come as HTTP 200 with `error` and `message` instead of `data`."""
    if "data" in answer or not ({"error", "message"} & answer.keys()):
        return
    texts = (str(answer[key]) for key in ("error", "message") if key in answer)
    said = http.redacted(" ".join(texts))[:200]
    if "too many" in said.lower():
        raise RateLimitedError(f"ALSI says {said!r}. Run again in a minute.")
    raise AuthenticationError(
        f"ALSI refuses access and says {said!r}. Check ALSI_API_KEY; a key is free at "
        "https://alsi.gie.eu."
    )


def _last_page(answer: JsonObject) -> int:
    last_page = answer.get("last_page")
    if not isinstance(last_page, int):
        raise UnexpectedAnswerError(
            f"ALSI answered without `last_page` but with {sorted(answer)}. Check `base_url`."
        )
    return last_page


def _newest_held(answer: JsonObject) -> date | None:
    """Newest gas day of the whole service, the same for every query; never part of a key."""
    gas_day = _gas_day(str(answer.get("gas_day")))
    return gas_day.day if gas_day else None


def _rows(answer: JsonObject) -> Iterator[JsonObject]:
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise UnexpectedAnswerError(
            "ALSI answered without a list of rows in `data`. Check `base_url`."
        )
    yield from data
