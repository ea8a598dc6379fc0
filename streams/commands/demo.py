"""`make demo`: simulated days on this machine, with everything that goes wrong in a month."""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from producers.connectors import CONNECTORS
from producers.errors import ProducerError
from streams.commands.audit import run_audit
from streams.commands.dead_letters import find_dead_letters, redrive
from streams.commands.demo_alerts import HOW_TO_GET, Alert, AlertHistory
from streams.commands.demo_product import BY_HAND_ID, NextContract, Product
from streams.commands.local_run import drain, poll, start, terminate_as_interrupt, watch
from streams.commands.stored_records import compare_stored
from streams.core.dead_letters import Choice, DeadLetter, Policy
from streams.core.errors import InfrastructureError, SettingsError
from streams.serve.addresses import PREFIX
from streams.settings import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_INTERRUPTED, Settings

EXIT_OK: Final = 0
EXIT_NOT_SEEN: Final = 1

_ALSI, _WRI = "alsi_lng", "wri_powerplants"
_TERMINAL: Final = "ES_BARCELONA"
_POLLED_AT: Final = time_of_day(20, tzinfo=UTC)
"""When the sources are polled: ALSI has published the gas day before."""

_VARIABLES: Final[Mapping[str, str]] = {
    "SANDBOX_PLANTS": "1500",
    "WRI_MINIMUM_ROWS": "1000",
    "ALSI_LOOKBACK_DAYS": "10",
    "ALSI_DETAIL_BACKFILL_DAYS": "30",
}
"""Few records a day, so that a day takes seconds; the caller's own win."""

_REVISED_DAYS: Final = 8
_LOOKED_AT_DAYS_AGO: Final = 6
_DELISTED_PLANTS: Final = 3
_LOW_QUALITY: Final = 80.0

Step = Generator[Sequence[str], None, None]
"""What happens on a day: until it yields the sources that are polled, and after they flowed."""


@dataclass(slots=True)
class Tour:
    """The story so far.

    Attributes:
        day: The simulated day.
        product: What runs.
        missing: What was promised and not seen.
    """

    day: date
    product: Product
    console: Console
    alerts: AlertHistory
    number: int = 0
    missing: list[str] = field(default_factory=list)
    firing: frozenset[Alert] = frozenset()
    following: NextContract | None = None
    last_failure: str | None = None
    polled: int = 0
    quiet_since: int | None = None

    @property
    def present(self) -> datetime:
        """When this day's polls begin."""
        return datetime.combine(self.day, _POLLED_AT)

    def title(self, text: str) -> None:
        """What happened on this day."""
        self.console.print(
            f"Day {self.number}, {self.day}: {text}", style="bold", markup=False, soft_wrap=True
        )

    def say(self, text: str) -> None:
        """What the pipeline answered."""
        self.console.print(f"  {text}", markup=False, soft_wrap=True, highlight=False)

    def show(self, where: str) -> None:
        """The page or command that shows it."""
        self.say(f"see: {where}")

    def promise(self, seen: bool, what: str) -> None:
        """Note what was not seen."""
        if not seen:
            self.missing.append(f"day {self.number}: {what}")

    def score(self, source_id: str) -> float:
        """Quality of the newest window of a source."""
        return self.product.by_source("connector_data_quality_score")[source_id]


def demo(*, days: int, once: bool, console: Console) -> int:
    """Run the simulated days and tell what happens.

    Returns the exit code: 0 when everything it promises was seen and every record is accounted
    for, 1 when something was not, 2 when a setting is wrong, 3 when a component failed, 130 after
    Ctrl-C before the end.
    """
    reached = False
    with ExitStack() as cleanup:
        cleanup.enter_context(terminate_as_interrupt())
        cleanup.callback(console.print, "Stopped.")
        try:
            tour = _begin(cleanup, days, console)
            _run_days(tour, days)
            _check_audit(tour)
            reached = True
            for missing in tour.missing:
                console.print(f"Not seen: {missing}", style="red", markup=False, soft_wrap=True)
            code = EXIT_NOT_SEEN if tour.missing else EXIT_OK
            if not once:
                _say_what_to_open(tour)
                watch(tour.product.local)
        except KeyboardInterrupt:
            return EXIT_OK if reached else EXIT_INTERRUPTED
        except InfrastructureError as error:
            console.print(str(error), style="red", markup=False)
            return EXIT_CONFIGURATION if isinstance(error, SettingsError) else EXIT_FAILED
        except httpx.HTTPError as error:
            logs = _data_dir() / "logs"
            console.print(f"{error}. See the logs in {logs}.", style="red", markup=False)
            return EXIT_FAILED
        return code


def event_days(days: int) -> Mapping[int, int]:
    """Which event is on which day, both counted from 0, spread over all days."""
    last = len(_EVENTS) - 1
    return {round(event * (days - 1) / last): event for event in range(len(_EVENTS))}


def _data_dir() -> Path:
    return Settings().data_dir.absolute() / "demo"


def _begin(cleanup: ExitStack, days: int, console: Console) -> Tour:
    # Made-up data only, in a directory of its own, because the story is about these.
    data_dir = _data_dir()
    made_up = {"SANDBOX_DATA_DIR": str(data_dir / "no files")}
    first = datetime.now(UTC).date() - timedelta(days=days)
    backfill = {"ALSI_BACKFILL_FROM": str(first - timedelta(days=400))}
    variables = {**_VARIABLES, **backfill, **os.environ, **made_up}
    local = start(cleanup, console, live=False, data_dir=data_dir, variables=variables, fresh=True)
    product = Product(local)
    cleanup.callback(product.close)
    began = datetime.combine(first, _POLLED_AT)
    alerts = AlertHistory(data_dir / "alerts", began)
    if not alerts.evaluated_by_prometheus:
        console.print(HOW_TO_GET, markup=False)
    return Tour(first, product, console, alerts)


def _run_days(tour: Tour, days: int) -> None:
    events, first = event_days(days), tour.day
    for index in range(days):
        tour.number, tour.day = index + 1, first + timedelta(days=index)
        with tour.console.status(f"Day {tour.number} of {days}"):
            tour.product.control("day", day=str(tour.day))
            _run_day(tour, _EVENTS[events[index]] if index in events else None)


def _run_day(tour: Tour, event: Callable[[Tour], Step] | None) -> None:
    if event is not None:
        _tell_quiet_days(tour)
    elif tour.quiet_since is None:
        tour.quiet_since, tour.polled = tour.number, 0
    step = event(tour) if event else iter([()])
    polled = next(step)
    tour.last_failure = None
    for name in dict.fromkeys([_ALSI, *polled]):
        try:
            tour.polled += poll(tour.product.local, name, tour.present).polled
        except ProducerError as error:
            tour.product.local.require_running()
            tour.last_failure = f"{type(error).__name__}: {error}"
    drain(tour.product.local, tour.console)
    tour.product.wait_served()
    for _ in step:
        pass
    _tell_alerts(tour)


def _tell_quiet_days(tour: Tour) -> None:
    if tour.quiet_since is None:
        return
    last = tour.number - 1
    days = f"Days {tour.quiet_since} to {last}" if tour.quiet_since < last else f"Day {last}"
    read = f"{tour.polled:,} gas days read, new ones and revised ones"
    tour.console.print(f"{days}: {read if tour.polled else 'nothing can be read'}", style="dim")
    tour.quiet_since = None


def _tell_alerts(tour: Tour) -> None:
    tour.alerts.add_day(tour.product.metrics())
    before, tour.firing = tour.firing, tour.alerts.fired()
    for alert in sorted(tour.firing - before):
        tour.say(f"alert {alert.name} fires: {alert.of}  (day {tour.number}; {alert.runbook})")
    for alert in sorted(before - tour.firing):
        tour.say(f"alert {alert.name} is over: {alert.of}  (day {tour.number})")


def _first_polls(tour: Tour) -> Step:
    tour.title("every source is polled for the first time")
    yield list(tour.product.local.sources)
    raw = tour.product.by_source("connector_records_processed")
    tour.say(f"{sum(raw.values()):,.0f} raw records of {len(raw)} sources, each with an outcome")
    assets = tour.product.number("SELECT count() AS assets FROM assets")
    tour.say(f"{assets:,} assets of all kinds in ClickHouse")
    tour.promise(assets > 0, "assets")
    tour.show(f"{tour.product.api}/ (the map)")


def _revisions(tour: Tour) -> Step:
    tour.title(f"GIE corrects the last {_REVISED_DAYS} gas days of its terminals")
    yesterday = tour.present - timedelta(hours=12)
    tour.product.control("revise", days=_REVISED_DAYS)
    yield ()
    day = tour.day - timedelta(days=_LOOKED_AT_DAYS_AGO)
    before = tour.product.gas_day(_TERMINAL, day, yesterday).get("inventory_gwh")
    after = tour.product.gas_day(_TERMINAL, day, tour.present + timedelta(hours=1))
    tour.say(
        f"{_TERMINAL} held on {day}, as known yesterday: {before} GWh; as known now: "
        f"{after.get('inventory_gwh')} GWh"
    )
    tour.promise(
        None not in (before, after.get("inventory_gwh")) and before != after["inventory_gwh"],
        "a revised gas day that is known before and after",
    )
    address = f"{tour.product.api}{PREFIX}/lng-inventory/{_TERMINAL}"
    known = f"known_at={yesterday:%Y-%m-%dT%H:%M:%SZ}"
    tour.show(f"curl '{address}?start_date={day}&end_date={day}&{known}'")


def _bad_release(tour: Tour) -> Step:
    tour.title("WRI publishes a bad release: GW for MW, latitude for longitude, names lost")
    before = tour.score(_WRI)
    tour.product.control("wri", spoil=True)
    yield (_WRI,)
    after = tour.score(_WRI)
    tour.say(f"quality of {_WRI}: {before:.1f}, now {after:.1f}")
    tour.promise(after < _LOW_QUALITY < before, f"quality falls below {_LOW_QUALITY:.0f}")
    letters = find_dead_letters(tour.product.local.settings, Choice(source=_WRI))
    rules = ", ".join(sorted({letter.rule_id for letter in letters}))
    tour.say(f"{len(letters)} records are rejected ({rules}) and kept as dead letters")
    tour.promise(bool(letters), "dead letters of the bad release")
    tour.show(f"{tour.product.api}/quality/{_WRI}, make dlq")


def _good_release(tour: Tour) -> Step:
    tour.title("WRI publishes the release again, corrected")
    before = tour.score(_WRI)
    tour.product.control("wri", spoil=False)
    yield (_WRI,)
    after = tour.score(_WRI)
    tour.say(f"quality of {_WRI}: {before:.1f}, now {after:.1f}")
    tour.promise(before < _LOW_QUALITY < after, "quality recovers")
    tour.show(f"{tour.product.api}/changes")


def _source_away(tour: Tour) -> Step:
    tour.title("GIE ALSI is away: every request is answered with 503")
    tour.product.control("fault", fault="error", path="/alsi", retry_after="0")
    yield ()
    tour.say(f"the poll failed: {tour.last_failure}")
    up = tour.product.by_source("connector_up")["alsi_lng_inventory"]
    tour.say(f"connector_up of alsi_lng_inventory: {up:.0f}; the checkpoint has not moved")
    tour.promise(tour.last_failure is not None and up == 0, "a source that is away")
    tour.show("make checkpoints SOURCE=alsi_lng")


def _source_back(tour: Tour) -> Step:
    tour.title("GIE ALSI is back")
    newest = f"SELECT max(gas_day) AS day FROM lng_inventory_days WHERE series_id = '{_TERMINAL}'"  # noqa: S608
    ((before,),) = (row.values() for row in tour.product.rows(newest))
    tour.product.end_faults()
    yield ()
    ((after,),) = (row.values() for row in tour.product.rows(newest))
    tour.say(f"newest gas day of {_TERMINAL}: {before}, now {after}: the gap is read")
    up = tour.product.by_source("connector_up")["alsi_lng_inventory"]
    tour.promise(after > before and up == 1, "the gap of a source that was away is read")
    tour.show(f"{tour.product.api}/lng/{_TERMINAL}")


def _drift(tour: Tour) -> Step:
    tour.title("GIE calls a column otherwise; a colleague writes with a schema nobody registered")
    tour.product.control("alsi", rename={"sendOut": "sendOutGwh"})
    tour.following = tour.product.next_contract()
    tour.product.publish_by_hand(tour.following, tour.present)
    yield ()
    drifted = [
        f"{one.labels['field']} is {one.labels['change']}"
        for one in tour.product.metrics()
        if one.name == "connector_drift_records"
    ]
    tour.say(f"fields of alsi_lng_inventory: {', '.join(sorted(set(drifted)))}")
    tour.promise(bool(drifted), "a drifted column")
    for letter in _by_hand(tour):
        tour.say(f"dead letter {letter.raw.key}: {letter.rule_id}: {letter.message}")
    tour.promise(bool(_by_hand(tour)), "a dead letter of an unknown schema")
    tour.show(f"{tour.product.api}/quality, make dlq ARGS='--rule unknown_schema_id --detail'")


def _redriven(tour: Tour) -> Step:
    tour.title("the column has its name again; the schema is registered, the dead letter redriven")
    tour.product.control("alsi", rename={})
    assert tour.following is not None
    tour.product.register(tour.following)
    settings = tour.product.local.settings
    # A worker remembers for a minute that nobody knows an id.
    tour.product.local.restart("pipeline")
    letters = _by_hand(tour)
    report = redrive(
        settings, letters, policy=Policy.STOP, limit=10, dry_run=False, console=Console(quiet=True)
    )
    yield ()
    tour.say(f"{report.sent} dead letter redriven, {len(_by_hand(tour))} still open")
    found = tour.product.get("assets", q="written by hand").json()["data"]
    for asset in found:
        tour.say(f"{asset['name']} is an asset now: {asset['record_id']}")
    tour.promise(report.sent == 1 and not _by_hand(tour) and bool(found), "a dead letter redriven")
    tour.show(f"make trace ID={BY_HAND_ID}")


def _by_hand(tour: Tour) -> list[DeadLetter]:
    """Open dead letters of the schema that nobody had registered."""
    return find_dead_letters(tour.product.local.settings, Choice(rule="unknown_schema_id"))


def _delisting(tour: Tour) -> Step:
    plants = tour.product.plants_of_one_member(_WRI, _DELISTED_PLANTS)
    tour.title(f"WRI no longer lists {len(plants)} plants")
    tour.product.control("wri", drop=[plant.own_id for plant in plants])
    yield (_WRI,)
    answers = [tour.product.get(f"assets/{plant.record_id}").status_code for plant in plants]
    for plant, status in zip(plants, answers, strict=True):
        tour.say(f"{plant.name}: the API answers {status}, with its last version")
    tour.promise(bool(plants) and set(answers) == {410}, "a delisting")
    tour.show(f"{tour.product.api}/changes")


_EVENTS: Final = (
    _first_polls,
    _revisions,
    _bad_release,
    _good_release,
    _source_away,
    _source_back,
    _drift,
    _redriven,
    _delisting,
)

LEAST_DAYS: Final = len(_EVENTS)
MOST_DAYS: Final = 60
"""Fields that a source has begun to send are shown for 90 days."""


def _check_audit(tour: Tour) -> None:
    settings = tour.product.local.settings
    audit = run_audit(settings, {name: one.source_id for name, one in CONNECTORS.items()})
    compared = compare_stored(settings, audit.published)
    problems = [*audit.problems, *compared.problems]
    if compared.not_compared is not None:
        problems.append(f"ClickHouse was not compared: {compared.not_compared}")
    tour.missing += [f"an audit without a problem: {problem}" for problem in problems]
    if not tour.missing:
        tour.console.print("Every record of every day is accounted for.", style="green")


def _say_what_to_open(tour: Tour) -> None:
    api = tour.product.api
    tour.console.print("Everything runs. Ctrl-C stops it; the next demo begins anew. Open and try:")
    for line in (
        f"{api}/            the map; {api}/pipeline, {api}/quality, {api}/changes",
        "make dlq                        what is still rejected, by source, rule and day",
        "make audit                      what became of every raw record",
        f"make trace ID={BY_HAND_ID}           one record through every stage",
        'make sql QUERY="SELECT source_id, window_start, score FROM quality_scores '
        "WHERE dimension = 'total' ORDER BY window_start\"",
    ):
        tour.say(line)
