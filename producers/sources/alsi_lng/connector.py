"""GIE ALSI: LNG in terminal tanks and gas sent out, a row for each entity and gas day.

Host: https://alsi.gie.eu. Key: free, header `x-key`. Limit: 60 requests a minute. Published at
19:30 and 23:00 CET for the gas day before, revised for up to four weeks. Source: GIE API manual
v009 and the service's data definition.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr

from producers.config import SourceConfig
from producers.connector import InfrastructureConnector, Pull, PullRequest, RawItem, StreamInfo
from producers.errors import (
    BudgetSpentError,
    CheckpointError,
    RateLimitedError,
    SourceError,
    TruncatedError,
    UnexpectedAnswerError,
)
from producers.formats.reading import NOT_REPORTED, json_text
from producers.http import HttpSource, JsonObject
from producers.sources.alsi_lng.days import EU, DayReader, Scope, refuse_error_body
from producers.sources.alsi_lng.listing import ListedTerminal, read_listing
from producers.sources.alsi_lng.mapping import gas_day, map_gas_day, map_terminal, update_time
from producers.sources.alsi_lng.outages import read_outages
from producers.sources.alsi_lng.terminals import known_terminals, new_terminal_id
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord

log = logging.getLogger(__name__)

_OUTAGE_HORIZON_DAYS = 400

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
_CAPACITY_FIELDS = ("gasDayStart", "updatedAt", "dtmi", "dtrs")

# Keys of the checkpoint.
_NEWEST = "newest_gas_day"
_TERMINAL_ID = "terminal_id"
_LISTED = "listed_terminals"

Granularity = Literal["terminal", "country", "eu"]


def _names(value: object) -> object:
    """A list, or a text with commas as it comes from the environment."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class AlsiConfig(SourceConfig):
    """`config/alsi_lng.yaml`."""

    base_url: str = Field(pattern=r"^https?://", description="The API.")
    api_key: SecretStr = Field(min_length=1, description="A free key, sent as `x-key`.")
    granularity: Annotated[tuple[Granularity, ...], BeforeValidator(_names)] = Field(
        ("terminal", "country", "eu"),
        min_length=1,
        description="Whose days to read, apart by commas.",
    )
    backfill_from: date = Field(
        date(2012, 1, 1), description="First gas day of the EU that a first run reads."
    )
    detail_backfill_days: int = Field(
        60, ge=1, le=6000, description="Days of countries and terminals that a first run reads."
    )
    lookback_days: int = Field(
        30,
        ge=1,
        le=366,
        description="Days before the newest one seen that a later run reads again.",
    )
    page_size: int = Field(300, ge=1, le=300)
    minimum_share: float = Field(0.95, ge=0, le=1)
    minimum_reporting: float = Field(0.5, ge=0, le=1)
    largest_loss: float = Field(0.2, ge=0, le=1)


@dataclass(slots=True)
class _Run:
    """What one pull knows on its way."""

    reader: DayReader
    request: PullRequest
    pull: Pull
    last: date
    items: int = 0

    @property
    def last_published(self) -> date:
        """Last day asked for that the service can have.

        Without its word: yesterday's and today's rows may not be there yet.
        """
        return min(self.last, self.reader.newest_published or self.last - timedelta(days=2))

    @property
    def own_range(self) -> bool:
        """Whether the caller chose the days, so that the checkpoint stays where it is."""
        return self.request.since is not None or self.request.until is not None


class AlsiLngConnector(InfrastructureConnector):
    """LNG inventory and send-out of European terminals."""

    name = "alsi_lng"
    source_id = "alsi_lng_inventory"
    licence = "LicenseRef-GIE-free-use-with-credit"
    attribution = "GIE ALSI (Gas Infrastructure Europe, Aggregated LNG Storage Inventory)"
    has_days = True
    config_model: ClassVar[type[SourceConfig]] = AlsiConfig
    config: AlsiConfig

    def __init__(self, config: AlsiConfig) -> None:
        super().__init__(config)

    def secret_headers(self) -> Mapping[str, SecretStr]:
        """The key, in a header written in lower case: another spelling has been refused."""
        return {"x-key": self.config.api_key}

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """One stream for each scope that can be configured, and the listing."""
        return (
            StreamInfo("eu", "lng_inventory", "EU total, one row a gas day since 2012."),
            StreamInfo("country", "lng_inventory", "Country totals, one row a gas day."),
            StreamInfo("terminal", "lng_inventory", "Terminals, one row a gas day and operator."),
            StreamInfo("terminals", "lng_terminal", "Terminals of the listing with operators."),
        )

    def pull_or_subscribe(
        self, http: HttpSource, request: PullRequest, pull: Pull
    ) -> Iterator[RawItem]:
        """Yield every gas day asked for, newest first: the EU, then countries, then terminals.

        The first run reads the EU from `backfill_from` and the others `detail_backfill_days`; later
        ones each entity from `lookback_days` before the newest day seen of it. A run with its own
        days or a limit leaves the checkpoint where it is, so that no gap can hide behind it. Gas
        days are revised, never delisted; the listing is a complete release of its stream.

        Raises:
            AuthenticationError: the key is refused, in any of the forms the service knows.
            TruncatedError: fewer days, entities or terminals than the service must hold.
            SourceError: see `HttpSource.get_json`.
        """
        reader = DayReader(http, self.config.base_url, self.config.page_size)
        run = _Run(reader, request, pull, request.until or request.today)
        for item in self._items(http, run):
            yield item
            run.items += 1
            if request.limit is not None and run.items >= request.limit:
                pull.checkpoint = dict(request.checkpoint)
                pull.complete_streams.clear()
                return

    def _items(self, http: HttpSource, run: _Run) -> Iterator[RawItem]:
        chosen = self.config.granularity
        if "eu" in chosen:
            yield from self._eu(run)
        if "country" not in chosen and "terminal" not in chosen:
            return
        terminals = self._listing(http, run)
        if run.reader.newest_published is None:
            run.reader.probe()
        countries = sorted({terminal.country_code for terminal in terminals})
        scopes = [Scope("country", {"country": code}, code) for code in countries]
        if "country" in chosen:
            yield from self._details(run, "country", scopes)
        if "terminal" in chosen:
            yield from self._terminals(http, run, terminals)

    def _eu(self, run: _Run) -> Iterator[RawItem]:
        first = run.request.since or self._first_day(run, EU) or self.config.backfill_from
        days: set[date] = set()
        for item in self._days(run, EU, first, days):
            run.pull.expected = _days(first, run.last_published)
            yield item
        expected = _days(first, run.last_published)
        if len(days) < expected * self.config.minimum_share:
            raise TruncatedError(
                f"ALSI gave {len(days)} of the {expected} gas days from {first} to "
                f"{run.last_published}. Run again later; if that repeats, check `base_url` and "
                "`minimum_share`."
            )

    def _terminals(
        self, http: HttpSource, run: _Run, terminals: tuple[ListedTerminal, ...]
    ) -> Iterator[RawItem]:
        scopes = [_terminal_scope(one, run.pull.checkpoint) for one in terminals]
        capacities: dict[str, Mapping[str, Any]] = {}
        yield from self._details(run, "terminal", scopes, capacities)
        # The capacities of a range in the past are not those of today.
        if run.own_range:
            return
        outages = self._outages(http, run)
        for scope, terminal in zip(scopes, terminals, strict=True):
            item = _empty_item(scope)
            capacity = capacities.get(scope.entity_id, {})
            item |= {field: capacity[field] for field in _CAPACITY_FIELDS if field in capacity}
            item |= {"facility": terminal.facility, "extra": terminal.extra}
            item["outages"] = outages.get(scope.entity_id, [])
            yield RawItem("terminals", scope.entity_id, item, None, None, self.config.base_url)
        run.pull.complete_streams.add("terminals")
        run.pull.checkpoint[_LISTED] = str(len(terminals))

    def _details(
        self,
        run: _Run,
        name: str,
        scopes: list[Scope],
        capacities: dict[str, Mapping[str, Any]] | None = None,
    ) -> Iterator[RawItem]:
        """Days of countries or terminals. Some of them report nothing, but not most.

        Args:
            run: The pull.
            name: Scope.
            scopes: The entities.
            capacities: Gets the newest row with a DTMI of each entity.
        """
        reporting = 0
        default = run.last_published - timedelta(days=self.config.detail_backfill_days - 1)
        firsts = [run.request.since or self._first_day(run, scope) or default for scope in scopes]
        ahead = sum(_days(first, run.last_published) for first in firsts)
        run.pull.expected = run.items + ahead
        for scope, first in zip(scopes, firsts, strict=True):
            days: set[date] = set()
            for item in self._days(run, scope, first, days):
                if capacities is not None and _has_capacity(item.item):
                    capacities.setdefault(scope.entity_id, item.item)
                yield item
            ahead -= _days(first, run.last_published)
            run.pull.expected = run.items + ahead
            reporting += bool(days)
        # Long ago there were few of them.
        least = 1 if run.own_range else self.config.minimum_reporting * len(scopes)
        published = any(_days(first, run.last_published) for first in firsts)
        if published and reporting < least:
            raise TruncatedError(
                f"ALSI gave days of {reporting} of {len(scopes)} entities of scope {name}. Run "
                "again later; if that repeats, check `base_url` and `minimum_reporting`."
            )

    def _days(self, run: _Run, scope: Scope, first: date, days: set[date]) -> Iterator[RawItem]:
        """Days of one scope, collected in `days`; then its place in the checkpoint."""
        for row in run.reader.rows(scope, first, run.last):
            item = self._item(scope, row)
            day = gas_day(item.item["gasDayStart"] or "")
            if day:
                days.add(day.day)
            yield item
        if days and not run.own_range:
            key = f"{_NEWEST}/{scope.entity_id}"
            previous = run.request.checkpoint.get(key, "")
            run.pull.checkpoint[key] = max(previous, max(days).isoformat())

    def _first_day(self, run: _Run, scope: Scope) -> date | None:
        key = f"{_NEWEST}/{scope.entity_id}"
        newest = run.request.checkpoint.get(key)
        if newest is None:
            return None
        try:
            return date.fromisoformat(newest) - timedelta(days=self.config.lookback_days)
        except ValueError as error:
            raise CheckpointError(
                f"The checkpoint of {self.source_id} holds {key}={newest!r}, which is no date. "
                "Delete that row from producers.checkpoints, then run again."
            ) from error

    def _listing(self, http: HttpSource, run: _Run) -> tuple[ListedTerminal, ...]:
        url = f"{self.config.base_url.rstrip('/')}/about"
        document = http.get_json_value(url, {"show": "listing"})
        refuse_error_body(document, http)
        terminals = read_listing(document)
        if not terminals:
            raise UnexpectedAnswerError(
                f"{url} lists no terminal with country and EIC. Check `base_url`."
            )
        before = int(run.request.checkpoint.get(_LISTED, "0"))
        if len(terminals) < before * (1 - self.config.largest_loss):
            raise TruncatedError(
                f"The listing has {len(terminals)} terminals where it had {before}: it looks cut "
                "short. If they are really gone, raise `largest_loss`."
            )
        _give_terminal_ids(terminals, run.pull.checkpoint)
        return terminals

    def _outages(self, http: HttpSource, run: _Run) -> Mapping[str, list[Mapping[str, Any]]]:
        """Recent and coming unavailabilities by terminal; none where the service offers none."""
        first = run.last_published - timedelta(days=self.config.lookback_days)
        last = run.last_published + timedelta(days=_OUTAGE_HORIZON_DAYS)
        url = f"{self.config.base_url.rstrip('/')}/unavailability"
        try:
            return read_outages(http, url, first, last, self.config.page_size)
        except (RateLimitedError, BudgetSpentError):
            raise
        except SourceError as error:
            log.warning("No unavailabilities: %s", error)
            return {}

    def _item(self, scope: Scope, row: JsonObject) -> RawItem:
        item = _empty_item(scope)
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
            source_updated_at=update_time(item["updatedAt"]),
            release=None,
            origin=self.config.base_url,
        )

    @staticmethod
    def map_to_schema(raw: RawRecord) -> Mapped | Rejected:
        """Convert one gas day or one facility; see `alsi_mapping`."""
        return map_terminal(raw) if raw.stream == "terminals" else map_gas_day(raw)


def _empty_item(scope: Scope) -> dict[str, Any]:
    return {
        "scope": scope.name,
        "country": scope.country,
        "company_eic": scope.company_eic,
        "facility_eic": scope.facility_eic,
        "terminal_id": scope.terminal_id,
        **dict.fromkeys((*_TEXT_FIELDS, *_MEASURE_FIELDS, "facility")),
        "outages": [],
    }


def _terminal_scope(terminal: ListedTerminal, checkpoint: Mapping[str, str]) -> Scope:
    known = known_terminals().get(terminal.facility_eic)
    return Scope(
        "terminal",
        {
            "country": terminal.country_code,
            "company": terminal.company_eic,
            "facility": terminal.facility_eic,
        },
        terminal.country_code,
        terminal.company_eic,
        terminal.facility_eic,
        known.terminal_id if known else checkpoint[f"{_TERMINAL_ID}/{terminal.facility_eic}"],
    )


def _give_terminal_ids(terminals: tuple[ListedTerminal, ...], checkpoint: dict[str, str]) -> None:
    """Give ids to terminals without one; the checkpoint keeps them, whatever the name becomes."""
    taken = {text for key, text in checkpoint.items() if key.startswith(f"{_TERMINAL_ID}/")}
    for terminal in terminals:
        eic = terminal.facility_eic
        key = f"{_TERMINAL_ID}/{eic}"
        if eic not in known_terminals() and key not in checkpoint:
            new = new_terminal_id(terminal.country_code, terminal.name, eic, taken)
            checkpoint[key] = new
            taken.add(new)


def _has_capacity(item: Mapping[str, Any]) -> bool:
    dtmi = item["dtmi"]
    parts = dtmi.values() if isinstance(dtmi, Mapping) else (dtmi,)
    return any(part is not None and part not in NOT_REPORTED for part in parts)


def _raw_measure(value: object) -> dict[str, str | None] | str | None:
    if isinstance(value, dict) and value.keys() <= {"lng", "gwh"}:
        return {"lng": json_text(value.get("lng")), "gwh": json_text(value.get("gwh"))}
    return json_text(value)


def _days(first: date, last: date) -> int:
    return max(0, (last - first).days + 1)
