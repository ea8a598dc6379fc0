"""GIE ALSI: LNG in terminal tanks and gas sent out, a row for each entity and gas day.

Host: https://alsi.gie.eu. Key: free, header `x-key`. Limit: 60 requests a minute. Published at
19:30 and 23:00 CET for the gas day before, revised for up to four weeks. Source: GIE API manual
v009 and the service's data definition.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from producers.config import SourceConfig
from producers.connector import InfrastructureConnector, Pull, PullRequest, RawItem, StreamInfo
from producers.errors import (
    AuthenticationError,
    BudgetSpentError,
    CheckpointError,
    PartlyReadError,
    RateLimitedError,
    SourceError,
    TruncatedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from producers.formats.reading import UnreadableNumberError, json_text, number
from producers.http import HttpSource, JsonObject
from producers.sources.alsi_lng.days import EU, DayReader, Scope, refuse_error_body
from producers.sources.alsi_lng.listing import ListedTerminal, read_listing
from producers.sources.alsi_lng.mapping import (
    REPORTING_OPERATOR,
    gas_day,
    map_gas_day,
    map_terminal,
    update_time,
)
from producers.sources.alsi_lng.outages import read_outages
from producers.sources.alsi_lng.terminals import known_terminals, new_terminal_id
from producers.sources.alsi_lng.upstream_fields import UPSTREAM_FIELDS
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
_CAPACITY = "capacity"
_OUTAGES = "outages"
_UNREAD = "unread"

_ENDS_THE_RUN = (RateLimitedError, BudgetSpentError)
"""What is said of one entity by these holds for all that come after it."""

_UNREACHED_IN_A_ROW = 3
"""Entities without an answer, or refused, before the service counts as down."""

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

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, address: str) -> str:
        return address.rstrip("/")


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

    def ends_by(self, error: SourceError) -> bool:
        """Whether an error holds for all that comes after it.

        A key that is refused is of no use; one that has read something is refused that one thing.
        """
        refused = isinstance(error, AuthenticationError) and not self.items
        return refused or isinstance(error, _ENDS_THE_RUN)

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
    key_variable = "ALSI_API_KEY"
    has_days = True
    upstream_fields = UPSTREAM_FIELDS
    config_model: ClassVar[type[SourceConfig]] = AlsiConfig
    config: AlsiConfig

    def __init__(self, config: AlsiConfig) -> None:
        super().__init__(config)

    def secret_headers(self) -> Mapping[str, SecretStr]:
        """The key, in a header written in lower case: another spelling has been refused."""
        return {"x-key": self.config.api_key}

    def is_checkpoint_of(self, key: str, stream: str) -> bool:
        """Only the listing is ever complete."""
        return stream == "terminals" and key == _LISTED

    @classmethod
    def discover(cls) -> tuple[StreamInfo, ...]:
        """One stream for each scope that can be configured, and the listing."""
        of_scopes = {
            "eu": "EU total, one row a gas day since 2012.",
            "country": "Country totals, one row a gas day.",
            "terminal": "Terminals, one row a gas day and operator.",
        }
        return (
            *(
                StreamInfo(name, "lng_inventory", description, released=False)
                for name, description in of_scopes.items()
            ),
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

        Each scope and each entity is read for itself: one that cannot be read, or gives fewer days
        than it must have, is noted in `pull.failures`, keeps its place in the checkpoint, and is
        the first of its scope in the next run.

        Raises:
            AuthenticationError: the key is refused before anything was read, in any of the forms
                the service knows.
            RateLimitedError, BudgetSpentError: nothing more can be asked.
            SourceError: nothing could be read.
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
        if not run.items and pull.failures:
            raise next(iter(pull.failures.values()))

    def _items(self, http: HttpSource, run: _Run) -> Iterator[RawItem]:
        chosen = self.config.granularity
        run.pull.checkpoint.pop(_UNREAD, None)
        if "eu" in chosen:
            try:
                yield from self._eu(run)
            except SourceError as error:
                if run.ends_by(error):
                    raise
                self._note(run, "eu", error, [EU.entity_id])
        if "country" not in chosen and "terminal" not in chosen:
            return
        try:
            terminals = self._listing(http, run)
            if run.reader.newest_published is None:
                run.reader.probe()
        except SourceError as error:
            if run.ends_by(error):
                raise
            self._note(run, "terminals", error, ())
            return
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
        if run.own_range or isinstance(run.pull.failures.get("terminal"), TruncatedError):
            return
        outages = self._outages(http, run)
        newest = _newest_capacities(capacities, run.pull.checkpoint)
        unread = run.pull.checkpoint.get(_UNREAD, "").split()
        reporters = _reporting_operators(scopes, newest)
        skipped = 0
        for scope, terminal in zip(scopes, terminals, strict=True):
            if scope.entity_id in unread and scope.entity_id not in newest:
                skipped += 1  # what was published of it is better than nothing
                continue
            item = _empty_item(scope)
            item |= newest.get(scope.entity_id, {})
            item |= {"facility": terminal.facility, "extra": dict(terminal.extra)}
            reporter = reporters.get(terminal.facility_eic, terminal.company_eic)
            if reporter != terminal.company_eic:
                item["extra"][REPORTING_OPERATOR] = reporter
            item["outages"] = outages.get(scope.entity_id, [])
            yield RawItem("terminals", scope.entity_id, item, None, None, self.config.base_url)
        if not skipped:
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

        Those that could not be read the last time come first, and one that cannot be read does not
        stop the others, unless the service is down.

        Args:
            run: The pull.
            name: Scope.
            scopes: The entities.
            capacities: Gets the newest row with a DTMI of each entity.
        """
        reporting, unreached = 0, 0
        failed: dict[str, SourceError] = {}
        unread = run.request.checkpoint.get(_UNREAD, "").split()
        scopes = sorted(scopes, key=lambda scope: scope.entity_id not in unread)
        default = run.last_published - timedelta(days=self.config.detail_backfill_days - 1)
        firsts = [run.request.since or self._first_day(run, scope) or default for scope in scopes]
        ahead = sum(_days(first, run.last_published) for first in firsts)
        run.pull.expected = run.items + ahead
        for scope, first in zip(scopes, firsts, strict=True):
            days: set[date] = set()
            ahead -= _days(first, run.last_published)
            if unreached == _UNREACHED_IN_A_ROW:
                failed[scope.entity_id] = next(reversed(failed.values()))
                continue
            try:
                for item in self._days(run, scope, first, days):
                    if capacities is not None and _has_capacity(item.item):
                        capacities.setdefault(scope.entity_id, item.item)
                    yield item
            except SourceError as error:
                if run.ends_by(error):
                    raise
                failed[scope.entity_id] = error
                is_down = isinstance(error, UnreachableError | AuthenticationError)
                unreached = unreached + 1 if is_down else 0
                continue
            unreached = 0
            run.pull.expected = run.items + ahead
            reporting += bool(days)
        if failed:
            reason = next(iter(failed.values()))
            entities = ", ".join(sorted(failed))
            named = f"{len(failed)} of {len(scopes)} entities, {entities}: {reason}"
            self._note(run, name, PartlyReadError(named), failed)
            return
        # Long ago there were few of them.
        least = 1 if run.own_range else self.config.minimum_reporting * len(scopes)
        published = any(_days(first, run.last_published) for first in firsts)
        if published and reporting < least:
            too_few = TruncatedError(
                f"ALSI gave days of {reporting} of {len(scopes)} entities of scope {name}. Run "
                "again later; if that repeats, check `base_url` and `minimum_reporting`."
            )
            self._note(run, name, too_few, ())

    def _note(self, run: _Run, stream: str, error: SourceError, entities: Iterable[str]) -> None:
        """A scope, or some of its entities, could not be read: say so and go on.

        Their places in the checkpoint stay where they were.
        """
        log.debug("%s cannot be read: %s", stream, error)  # the run ends with it
        run.pull.failures[stream] = error
        unread = run.pull.checkpoint.get(_UNREAD, "").split()
        for entity in entities:
            unread.append(entity)
            key = f"{_NEWEST}/{entity}"
            run.pull.checkpoint.pop(key, None)
            if key in run.request.checkpoint:
                run.pull.checkpoint[key] = run.request.checkpoint[key]
        if unread:
            run.pull.checkpoint[_UNREAD] = " ".join(unread)

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
        url = f"{self.config.base_url}/about"
        document = http.get_json_value(url, {"show": "listing"})
        refuse_error_body(document, http)
        terminals = read_listing(document)
        if not terminals:
            raise UnexpectedAnswerError(
                f"{url} lists no terminal with country and EIC. Check `base_url`."
            )
        before = int(run.request.checkpoint.get(_LISTED, "0"))
        loss = 1.0 if run.request.accept_loss else self.config.largest_loss
        if len(terminals) < before * (1 - loss):
            raise TruncatedError(
                f"The listing has {len(terminals)} terminals where it had {before}: it looks cut "
                "short. If they are really gone, run once with --accept-loss."
            )
        _give_terminal_ids(terminals, run.pull.checkpoint)
        return terminals

    def _outages(self, http: HttpSource, run: _Run) -> Mapping[str, list[Mapping[str, Any]]]:
        """Recent and coming unavailabilities by terminal; none where the service offers none.

        Those of the run before when the service does not answer.
        """
        first = run.last_published - timedelta(days=self.config.lookback_days)
        last = run.last_published + timedelta(days=_OUTAGE_HORIZON_DAYS)
        url = f"{self.config.base_url}/unavailability"
        try:
            found = read_outages(http, url, first, last, self.config.page_size)
        except (RateLimitedError, BudgetSpentError):
            raise
        except SourceError as error:
            log.warning("No new unavailabilities, those of before stay: %s", error)
            before: dict[str, list[Mapping[str, Any]]] = json.loads(
                run.request.checkpoint.get(_OUTAGES, "{}")
            )
            return before
        run.pull.checkpoint[_OUTAGES] = json.dumps(found)
        return found

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


def _newest_capacities(
    found: Mapping[str, Mapping[str, Any]], checkpoint: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Fields of the newest day with a capacity of each entity, of this run or an earlier one.

    The checkpoint keeps them: a terminal may be silent for longer than the days that are read.
    """
    for entity, item in found.items():
        fields = {field: item[field] for field in _CAPACITY_FIELDS}
        checkpoint[f"{_CAPACITY}/{entity}"] = json.dumps(fields)
    return {
        key.removeprefix(f"{_CAPACITY}/"): json.loads(text)
        for key, text in checkpoint.items()
        if key.startswith(f"{_CAPACITY}/")
    }


def _reporting_operators(
    scopes: Iterable[Scope], newest: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Operator that reported last of each facility of which any has reported."""
    last: dict[str, tuple[str, str]] = {}
    for scope in scopes:
        day = newest.get(scope.entity_id, {}).get("gasDayStart")
        if day and scope.facility_eic and scope.company_eic:
            one = (day, scope.company_eic)
            last[scope.facility_eic] = max(one, last.get(scope.facility_eic, one))
    return {facility: company for facility, (_, company) in last.items()}


def _has_capacity(item: Mapping[str, Any]) -> bool:
    dtmi = item["dtmi"]
    parts = dtmi.values() if isinstance(dtmi, Mapping) else (dtmi,)
    return any(map(_is_figure, parts))


def _is_figure(text: str | None) -> bool:
    """Words in place of a capacity do not take the place of the last one that was reported."""
    try:
        return number(text, "dtmi") is not None
    except UnreadableNumberError:
        return False


def _raw_measure(value: object) -> dict[str, str | None] | str | None:
    if isinstance(value, dict) and value.keys() <= {"lng", "gwh"}:
        return {"lng": json_text(value.get("lng")), "gwh": json_text(value.get("gwh"))}
    return json_text(value)


def _days(first: date, last: date) -> int:
    return max(0, (last - first).days + 1)
