"""GIE ALSI by country and terminal: the listing, readable ids, scopes, and reading terminals."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from producers.config import HttpConfig
from producers.connector import Pull, PullRequest, RawItem
from producers.errors import (
    RateLimitedError,
    SourceError,
    TruncatedError,
    UnexpectedAnswerError,
)
from producers.http import HttpSource
from producers.run import Envelope, RunOptions
from producers.sources.alsi_lng.connector import AlsiConfig, AlsiLngConnector
from producers.sources.alsi_lng.listing import read_listing
from producers.sources.alsi_lng.terminals import known_terminals, new_terminal_id
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.payloads import LngInventory, LngTerminal, LngUnavailability
from streams.core.reconcile.combine import combine
from streams.core.records import Mapped
from tests.producers.golden import assert_golden, outcome, payloads

GOLDEN = Path(__file__).parents[2] / "golden" / "alsi_listing"
LISTING = json.loads((GOLDEN / "operators_with_marks_and_repetitions.json").read_text())
NEWEST = date(2024, 6, 30)
TODAY = date(2024, 7, 2)
ALL = RunOptions()

PANIGAGLIA = "59W0000000000011"
OLD_OPERATOR, NEW_OPERATOR = f"{PANIGAGLIA}/26X00000117915-0", f"{PANIGAGLIA}/59XFSRUITALIASTY"
BOTH_OPERATORS = (OLD_OPERATOR, NEW_OPERATOR)
SOUTH_HOOK = "21W0000000000419/21X0000000013554"

Row = dict[str, Any]


@dataclass
class Service:
    """ALSI with the listing of the golden file.

    Attributes:
        silent: Entities that answer with no rows.
        last_days: Newest day of entities that are late.
        unavailability: What that address answers; like a service without it unless given.
    """

    listing: object = field(default_factory=lambda: LISTING)
    silent: frozenset[str] = frozenset()
    last_days: Mapping[str, date] = field(default_factory=dict)
    unavailability: httpx.Response = field(default_factory=lambda: httpx.Response(404, text="no"))
    queries: list[dict[str, str]] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.queries.append(query)
        if request.url.path == "/api/about":
            assert query == {"show": "listing"}
            return httpx.Response(200, json=self.listing)
        if request.url.path == "/api/unavailability":
            return self.unavailability
        entity = entity_of(query)
        last = min(date.fromisoformat(query.get("to", "9999-12-31")), NEWEST)
        last = min(last, self.last_days.get(entity, NEWEST))
        first = date.fromisoformat(query.get("from", "2012-01-01"))
        days = [last - timedelta(days=index) for index in range((last - first).days + 1)]
        rows = [] if entity in self.silent else [self.row(query, day) for day in days[:300]]
        body = {"last_page": 1, "total": len(rows), "gas_day": str(NEWEST), "data": rows}
        return httpx.Response(200, json=body)

    def row(self, query: Mapping[str, str], day: date) -> Row:
        entity = entity_of(query)
        no_data = entity == OLD_OPERATOR
        return {
            "name": entity,
            "code": query.get("facility") or query.get("country") or "eu",
            "gasDayStart": day.isoformat(),
            "inventory": {"lng": "-", "gwh": "-"} if no_data else {"lng": "100", "gwh": "670"},
            "dtmi": {"lng": "-", "gwh": "-"} if no_data else {"lng": "200", "gwh": "1340"},
            "sendOut": "-" if no_data else "90.5",
            "dtrs": "-" if no_data else "120",
            "status": "N" if no_data else "C",
        }

    def asked(self, name: str) -> list[str]:
        """Values of one parameter, in the order of the queries."""
        return [query[name] for query in self.queries if name in query]


def entity_of(query: Mapping[str, str]) -> str:
    if "facility" in query:
        return f"{query['facility']}/{query['company']}"
    return query.get("country") or query["type"]


def entity_of_path(request: httpx.Request) -> str | None:
    """Whose days are asked for; None for what is no question about days."""
    query = dict(request.url.params)
    return entity_of(query) if request.url.path == "/api" else None


def connector(**changes: object) -> AlsiLngConnector:
    values = {
        "base_url": "https://alsi.example/api",
        "api_key": SecretStr("key"),
        "backfill_from": date(2024, 1, 1),
        "http": HttpConfig(requests_per_minute=60_000, attempts=2),
    }
    return AlsiLngConnector(AlsiConfig.model_validate(values | changes))


class Run:
    """One pull and what came of it."""

    def __init__(
        self,
        service: Service | None = None,
        checkpoint: Mapping[str, str] | None = None,
        options: RunOptions = ALL,
        **config: object,
    ) -> None:
        self.service = service or Service()
        self.items: list[RawItem] = []
        source = connector(**config)
        request = PullRequest(checkpoint or {}, TODAY, options.since, options.until, options.limit)
        self.pull = Pull(dict(request.checkpoint))
        transport = httpx.MockTransport(self.service.answer)
        with HttpSource(source.config.http, transport=transport) as http:
            self.items.extend(source.pull_or_subscribe(http, request, self.pull))

    def days(self, entity: str) -> list[str]:
        """Gas days that came of one entity."""
        return [
            item.item["gasDayStart"]
            for item in self.items
            if item.record_id.startswith(f"{entity}/") and item.stream != "terminals"
        ]

    def listed(self) -> dict[str, LngTerminal]:
        """Terminals, by record id."""
        found = {}
        for item in self.items:
            if item.stream == "terminals":
                mapped = read(item)
                assert isinstance(mapped, Mapped)
                assert isinstance(mapped.payload, LngTerminal)
                found[item.record_id] = mapped.payload
        return found


def read(item: RawItem, fetched_at: datetime = datetime(2026, 5, 20, tzinfo=UTC)) -> object:
    record = replace(Envelope(connector(), "run").observed(item), fetched_at=fetched_at)
    return AlsiLngConnector.map_to_schema(record)


@pytest.mark.parametrize("payload", payloads("alsi_listing", ".json"), ids=lambda path: path.stem)
def test_recorded_listings_become_what_was_reviewed(payload: Path) -> None:
    service = Service(listing=json.loads(payload.read_text(encoding="utf-8")))
    run = Run(service, granularity="terminal")
    terminals = [item for item in run.items if item.stream == "terminals"]
    assert terminals
    assert_golden(payload, outcome(connector(), terminals))


def test_every_scope_is_asked_for_and_a_terminal_by_all_three_codes() -> None:
    run = Run()
    queries = run.service.queries
    assert sorted(
        {query["country"] for query in queries if "company" not in query and "country" in query}
    ) == [
        "EE",
        "ES",
        "FR",
        "GB",
        "IT",
    ]
    assert {"country": "IT", "company": "26X00000117915-0", "facility": PANIGAGLIA}.items() <= next(
        query.items() for query in queries if query.get("company") == "26X00000117915-0"
    )
    assert len(run.service.asked("facility")) == 8, "a country with a mark adds no terminal"
    assert run.pull.expected == len(run.items) - len(run.listed())


def test_a_terminal_is_asked_for_under_the_operator_code_that_it_gives_itself() -> None:
    run = Run(granularity="terminal")
    assert "63X218318139939Y" in run.service.asked("company")
    assert "63Y218318139939Y" not in run.service.asked("company")


def test_the_first_run_reads_the_newest_days_of_countries_and_terminals() -> None:
    """Counted from the newest day the service holds, not from today."""
    run = Run(detail_backfill_days=10)
    assert len(run.days("eu")) == 182
    assert len(run.days("IT")) == len(run.days(NEW_OPERATOR)) == 10
    assert run.days("IT")[0] == "2024-06-30"


def test_without_the_eu_the_newest_day_is_asked_for_first() -> None:
    run = Run(granularity=["country"], detail_backfill_days=10)
    assert [query.get("type") for query in run.service.queries].count("eu") == 1
    assert len(run.days("ES")) == 10
    assert not run.days("eu")


def test_later_runs_look_back_from_the_newest_day_of_each_entity() -> None:
    """A terminal that was silent for long leaves no gap when it comes back."""
    late = Service(last_days={NEW_OPERATOR: date(2024, 3, 1)})
    first = Run(late, detail_backfill_days=150)
    checkpoint = first.pull.checkpoint
    assert checkpoint[f"newest_gas_day/{NEW_OPERATOR}"] == "2024-03-01"
    assert checkpoint["newest_gas_day/IT"] == "2024-06-30"
    second = Run(checkpoint=checkpoint, lookback_days=5)
    assert len(second.days("IT")) == 6
    assert second.days(NEW_OPERATOR)[-1] == "2024-02-25"
    assert second.days(NEW_OPERATOR)[0] == "2024-06-30"


def test_an_entity_that_reports_nothing_is_no_error_and_has_no_checkpoint() -> None:
    run = Run(Service(silent=frozenset({SOUTH_HOOK, "GB"})))
    assert f"newest_gas_day/{SOUTH_HOOK}" not in run.pull.checkpoint
    assert SOUTH_HOOK in run.listed()


def test_most_entities_without_days_are_an_error() -> None:
    """A filter the service does not understand answers with an empty list."""
    silent = frozenset({"IT", "GB", "ES", "FR"})
    run = Run(Service(silent=silent))
    assert "1 of 5 entities of scope country" in str(run.pull.failures["country"])
    assert run.days("eu")
    assert run.days(NEW_OPERATOR)


def test_a_range_long_ago_needs_one_entity_only() -> None:
    silent = frozenset({"IT", "GB", "ES", "FR"})
    options = RunOptions(date(2024, 1, 1), date(2024, 1, 3))
    run = Run(Service(silent=silent), options=options, granularity="country")
    assert run.days("EE") == ["2024-01-03", "2024-01-02", "2024-01-01"]


@pytest.mark.parametrize("code", ["eu", "EU", "DE"])
def test_rows_of_another_scope_are_an_error(code: str) -> None:
    """The filter of the request was dropped: EU rows would be taken for a terminal's."""

    class Careless(Service):
        def row(self, query: Mapping[str, str], day: date) -> Row:
            return super().row(query, day) | ({} if "type" in query else {"code": code})

    failures = Run(Careless()).pull.failures
    assert failures.keys() == {"country", "terminal"}
    assert all("was asked for" in str(error) for error in failures.values())


@pytest.mark.parametrize(
    ("listing", "error"),
    [
        ([], UnexpectedAnswerError),
        ({"LSO": {}}, UnexpectedAnswerError),
        ("maintenance", UnexpectedAnswerError),
        (LISTING[:2], TruncatedError),
    ],
    ids=["empty", "hierarchy without operators", "text", "cut short"],
)
def test_a_listing_that_cannot_be_whole_is_an_error(
    listing: object, error: type[SourceError]
) -> None:
    run = Run(Service(listing=listing), checkpoint={"listed_terminals": "8"})
    assert type(run.pull.failures["terminals"]) is error
    assert run.pull.checkpoint["listed_terminals"] == "8"
    assert run.days("eu")


def test_the_listing_is_a_release_of_its_own_stream_only() -> None:
    run = Run()
    assert run.pull.complete_streams == {"terminals"}
    assert not run.pull.complete, "gas days are revised, never delisted"
    assert run.pull.checkpoint["listed_terminals"] == "8"


@pytest.mark.parametrize(
    "options",
    [RunOptions(since=date(2024, 6, 1)), RunOptions(until=date(2024, 6, 1)), RunOptions(limit=950)],
    ids=["since", "until", "limit"],
)
def test_a_run_with_its_own_range_or_limit_delists_nothing_and_moves_no_checkpoint(
    options: RunOptions,
) -> None:
    run = Run(options=options)
    assert run.pull.complete_streams == set()
    assert not [key for key in run.pull.checkpoint if key.startswith("newest")]
    assert len(run.items) <= 950


def test_a_terminal_carries_the_capacity_of_its_newest_day_that_has_one() -> None:
    listed = Run().listed()
    assert listed[NEW_OPERATOR].dtmi_gwh == 1340
    assert listed[NEW_OPERATOR].dtrs_gwh_per_day == 120
    assert listed[OLD_OPERATOR].dtmi_gwh is None


def test_a_facility_under_two_operators_is_two_records_with_one_readable_id() -> None:
    run = Run()
    listed = run.listed()
    assert {listed[key].terminal_id for key in (OLD_OPERATOR, NEW_OPERATOR)} == {"IT_PANIGAGLIA"}
    assert listed[OLD_OPERATOR].status == "retired"
    assert listed[NEW_OPERATOR].status == "operating"
    old = read(next(item for item in run.items if item.record_id.startswith(f"{OLD_OPERATOR}/")))
    assert isinstance(old, Mapped)
    assert isinstance(old.payload, LngInventory)
    assert (old.payload.status, old.payload.inventory_gwh) == ("no_data", None)
    assert old.payload.terminal_id == "IT_PANIGAGLIA"


def test_the_virtual_tank_is_marked_in_both_kinds() -> None:
    run = Run()
    tank = "18W000000000GVMT/21X0000000013368"
    assert run.listed()[tank].virtual
    assert [one for one in run.listed().values() if one.virtual] == [run.listed()[tank]]
    day = read(next(item for item in run.items if item.record_id == f"{tank}/2024-06-30"))
    assert isinstance(day, Mapped)
    assert isinstance(day.payload, LngInventory)
    assert day.payload.virtual


def test_a_terminal_opens_by_the_fetch_time() -> None:
    listed = next(
        item for item in Run().items if item.stream == "terminals" and "NEW-2" in item.record_id
    )
    for year, status in ((2998, "construction"), (3000, "operating")):
        mapped = read(listed, datetime(year, 1, 1, tzinfo=UTC))
        assert isinstance(mapped, Mapped)
        assert isinstance(mapped.payload, LngTerminal)
        assert mapped.payload.status == status


def test_a_new_terminal_keeps_the_id_of_its_first_name() -> None:
    first = Run()
    renamed = json.loads(json.dumps(LISTING))
    renamed[-1]["facilities"][0]["name"] = "Northern Gateway"
    second = Run(Service(listing=renamed), checkpoint=first.pull.checkpoint)
    key = "21W00000000NEW-2/21X00000000NEW-1"
    assert first.listed()[key].terminal_id == "EE_PALDISKI"
    assert second.listed()[key].terminal_id == "EE_PALDISKI"
    assert second.listed()[key].name == "Northern Gateway"


def test_two_new_terminals_of_one_name_get_two_ids() -> None:
    listed = Run().listed()
    ids = {one.terminal_id for one in listed.values() if one.country_code == "EE"}
    assert ids == {"EE_PALDISKI", "EE_PALDISKI_21W00000000NEW_3"}


def test_given_ids_never_change() -> None:
    """They are in people's queries: this list only ever grows."""
    given_ids = {eic: known.terminal_id for eic, known in known_terminals().items()}
    assert len(set(given_ids.values())) == len(given_ids) == 37
    assert given_ids["21W000000000039X"] == "ES_BARCELONA"
    assert given_ids["18W000000000GVMT"] == "ES_TVB"
    assert given_ids[PANIGAGLIA] == "IT_PANIGAGLIA"


@pytest.mark.real_data
def test_every_terminal_of_the_real_list_has_a_readable_id(real_data: Path) -> None:
    with (real_data / "alsi" / "terminals.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        known = known_terminals()[row["facility_eic"]]
        assert known.terminal_id.startswith(row["country"] + "_")
        assert known.virtual == row["note"].startswith("virtual")
        assert known.name == row["facility_name"]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=20), max_size=8))
def test_new_ids_are_plain_unique_and_never_one_of_the_table(names: list[str]) -> None:
    taken: set[str] = set()
    for index, name in enumerate(names):
        new = new_terminal_id("ES", name, f"21W0000000000-{index:02d}", taken)
        assert new not in taken
        assert new not in {known.terminal_id for known in known_terminals().values()}
        assert new.replace("_", "").isalnum()
        assert new.isascii()
        assert new == new_terminal_id("ES", name, f"21W0000000000-{index:02d}", taken)
        taken.add(new)


def test_a_name_of_the_table_is_not_given_to_another_terminal() -> None:
    assert new_terminal_id("ES", "Barcelona LNG", "21W00000000NEW-9", ()) != "ES_BARCELONA"


def outage(**changes: object) -> Row:
    """As the sister platform sends it, about Panigaglia."""
    return {
        "published": "2024-06-08 10:40:07",
        "country": {"name": "Italy", "code": "IT"},
        "company": {"name": "Snam LNG", "eic": "59XFSRUITALIASTY"},
        "facility": {"name": "Panigaglia", "eic": PANIGAGLIA},
        "start": "2024-07-04 06:00:00",
        "end": "2024-07-08 12:00:00",
        "volume": "-",
        "injection": "-",
        "withdrawal": "41.4",
        "description": "Maintenance",
        "end_flag": "Confirmed",
        "type": "Planned",
    } | changes


def offering(*rows: Row) -> Service:
    body = {"last_page": 1, "total": len(rows), "dataset": "", "data": list(rows)}
    return Service(unavailability=httpx.Response(200, json=body))


def test_an_unavailability_stands_with_its_terminal_and_operator() -> None:
    run = Run(offering(outage(), outage()), granularity="terminal")
    listed = run.listed()
    (found,) = listed[NEW_OPERATOR].unavailabilities
    assert found == LngUnavailability(
        starts_at=datetime(2024, 7, 4, 4, tzinfo=UTC),
        ends_at=datetime(2024, 7, 8, 10, tzinfo=UTC),
        published_at=datetime(2024, 6, 8, 9, 40, 7, tzinfo=UTC),
        planned=True,
        end_confirmed=True,
        send_out_as_reported="41.4",
        volume_as_reported=None,
        description="Maintenance",
    )
    assert [key for key, one in listed.items() if one.unavailabilities] == [NEW_OPERATOR]
    (asked,) = [query for query in run.service.queries if "start" in query]
    assert (asked["start"], asked["end"]) == ("2024-05-31", "2025-08-04")


def test_an_unavailability_that_cannot_be_read_keeps_what_can() -> None:
    odd = outage(start="soon", end=None, type="Partly", end_flag="", description="-")
    (found,) = Run(offering(odd), granularity="terminal").listed()[NEW_OPERATOR].unavailabilities
    assert (found.starts_at, found.ends_at, found.planned) == (None, None, None)
    assert found.send_out_as_reported == "41.4"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="no such page"),
        httpx.Response(403, text="not yours"),
        httpx.Response(200, json={"error": "access denied"}),
        httpx.Response(200, json={"data": "none"}),
        httpx.Response(200, text="<html>the web site</html>"),
    ],
    ids=["404", "403", "error body", "no rows", "html"],
)
def test_a_service_without_unavailabilities_is_no_error(answer: httpx.Response) -> None:
    listed = Run(Service(unavailability=answer), granularity="terminal").listed()
    assert len(listed) == 8
    assert not any(one.unavailabilities for one in listed.values())


def test_the_limit_is_an_error_there_too() -> None:
    with pytest.raises(RateLimitedError):
        Run(Service(unavailability=httpx.Response(429, headers={"retry-after": "3600"})))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["facilities", "eic", "country", "company", "name", "code"]), inner
        )
    ),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(JSON)
def test_reading_a_listing_never_fails(document: object) -> None:
    assert isinstance(read_listing(document), tuple)


def test_a_terminal_without_a_facility_is_rejected() -> None:
    item = next(item for item in Run().items if item.stream == "terminals")
    rejected = read(replace(item, item={**item.item, "facility": None}))
    assert isinstance(rejected, Rejected)
    assert rejected.rule_id == "missing_id"


@pytest.mark.parametrize("change", [{"dtmi": "many"}, {"dtrs": "nan"}])
def test_a_capacity_in_words_is_null_and_flags_its_terminal(change: Row) -> None:
    item = next(item for item in Run().items if item.stream == "terminals")
    mapped = read(replace(item, item={**item.item, **change}))
    assert isinstance(mapped, Mapped)
    assert mapped.flags == ("figure_unreadable",)
    ((field, _),) = change.items()
    assert getattr(mapped.payload, {"dtmi": "dtmi_gwh", "dtrs": "dtrs_gwh_per_day"}[field]) is None


class Failing(Service):
    """Some entities are answered with 503."""

    failing: frozenset[str] = frozenset()

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api" and entity_of(dict(request.url.params)) in self.failing:
            self.queries.append(dict(request.url.params))
            return httpx.Response(503, text="maintenance")
        return super().answer(request)


def failing(*entities: str, **changes: Any) -> Failing:
    service = Failing(**changes)
    service.failing = frozenset(entities)
    return service


def test_a_gap_of_the_eu_stops_neither_countries_nor_terminals() -> None:
    class Gap(Service):
        def row(self, query: Mapping[str, str], day: date) -> Row:
            row = super().row(query, day)
            missing = "type" in query and day in (date(2024, 6, 10), date(2024, 6, 11))
            return row | ({"gasDayStart": "-"} if missing else {})

    checkpoint = {"newest_gas_day/eu": "2024-06-29"}
    run = Run(Gap(), checkpoint=checkpoint)
    assert run.pull.failures.keys() == {"eu"}
    assert "gave 30 of the 32 gas days" in str(run.pull.failures["eu"])
    assert run.pull.checkpoint["newest_gas_day/eu"] == "2024-06-29"
    assert run.days("IT")
    assert run.days(NEW_OPERATOR)
    assert run.pull.complete_streams == {"terminals"}


def test_one_terminal_that_fails_stops_none_and_is_asked_first_the_next_time() -> None:
    first = Run()
    run = Run(failing(NEW_OPERATOR), checkpoint=first.pull.checkpoint)
    assert run.pull.failures.keys() == {"terminal"}
    assert f"1 of 8 entities, {NEW_OPERATOR}" in str(run.pull.failures["terminal"])
    assert len({item.record_id for item in run.items if item.stream == "terminals"}) == 8
    assert run.listed()[NEW_OPERATOR].dtmi_gwh == 1340, "as it was reported before"
    assert run.pull.checkpoint["unread"] == NEW_OPERATOR
    again = Run(checkpoint=run.pull.checkpoint)
    companies = again.service.asked("facility")
    assert companies[0] == PANIGAGLIA
    assert again.service.asked("company")[0] == NEW_OPERATOR.partition("/")[2]
    assert "unread" not in again.pull.checkpoint
    assert again.pull.failures == {}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(403, text="not yours"),
        httpx.Response(200, json={"error": "access denied", "message": "no such facility"}),
        httpx.Response(200, json={"error": "Internal Server Error", "message": ""}),
        httpx.Response(404, text="no such facility"),
        httpx.Response(200, json={"data": "none", "last_page": 1}),
        httpx.Response(200, text="<html>maintenance</html>"),
    ],
    ids=["403", "denied", "internal", "404", "no rows", "html"],
)
def test_one_terminal_that_is_refused_in_any_way_stops_none(answer: httpx.Response) -> None:
    """The key has read all that came before it."""

    class Refusing(Service):
        def answer(self, request: httpx.Request) -> httpx.Response:
            found = super().answer(request)
            return answer if entity_of_path(request) == SOUTH_HOOK else found

    run = Run(Refusing())
    assert run.pull.failures.keys() == {"terminal"}
    assert f"1 of 8 entities, {SOUTH_HOOK}" in str(run.pull.failures["terminal"])
    assert run.days(NEW_OPERATOR)
    assert run.pull.checkpoint["unread"] == SOUTH_HOOK


def test_a_key_that_is_refused_after_a_part_was_read_is_not_tried_on_every_entity() -> None:
    class Revoked(Service):
        def answer(self, request: httpx.Request) -> httpx.Response:
            found = super().answer(request)
            is_detail = "country" in dict(request.url.params)
            return httpx.Response(401, text="revoked") if is_detail else found

    run = Run(Revoked())
    assert run.days("eu")
    assert run.pull.failures.keys() == {"country", "terminal"}
    assert len({query["country"] for query in run.service.queries if "country" in query}) < 8
    assert "401" in str(run.pull.failures["country"])


def test_a_terminal_that_was_never_read_is_neither_emptied_nor_delisted() -> None:
    run = Run(failing(SOUTH_HOOK))
    assert SOUTH_HOOK not in run.listed()
    assert run.pull.complete_streams == set()


def test_a_service_that_is_down_is_not_asked_for_every_entity() -> None:
    codes = ("EE", "ES", "FR", "GB", "IT")
    run = Run(failing(*codes), granularity=["eu", "country"])
    asked = {query["country"] for query in run.service.queries if "country" in query}
    assert len(asked) == 3
    assert "5 of 5 entities, EE, ES, FR, GB, IT" in str(run.pull.failures["country"])


def test_a_terminal_that_is_silent_for_longer_than_the_look_back_keeps_its_capacities() -> None:
    first = Run()
    silent = Service(silent=frozenset({NEW_OPERATOR}))
    run = Run(silent, checkpoint=first.pull.checkpoint)
    assert run.listed()[NEW_OPERATOR].dtmi_gwh == 1340


def test_words_do_not_take_the_place_of_the_last_capacity() -> None:
    class Words(Service):
        def row(self, query: Mapping[str, str], day: date) -> Row:
            words = {"dtmi": {"lng": "n/a", "gwh": "see note"}}
            return super().row(query, day) | (words if day == NEWEST else {})

    assert Run(Words()).listed()[NEW_OPERATOR].dtmi_gwh == 1340


def test_of_two_operators_the_one_that_reports_counts() -> None:
    """Without a last day in the listing both operate, and the former one came first."""
    listing = json.loads(json.dumps(LISTING))
    for operator in listing:
        for one in operator["facilities"]:
            one["operational_end_date"] = None
    run = Run(Service(listing=listing))
    listed = run.listed()
    assert (listed[OLD_OPERATOR].status, listed[NEW_OPERATOR].status) == ("retired", "operating")
    old, new = (listed[key].to_avro() for key in BOTH_OPERATORS)
    found = cast(avro.LngTerminal, combine([old, new]))
    assert (found["operator"], found["dtmi_gwh"]) == (listed[NEW_OPERATOR].operator, 1340)
    old["dtmi_gwh"], new["dtmi_gwh"] = 900.0, None
    assert cast(avro.LngTerminal, combine([old, new]))["dtmi_gwh"] == 900.0, "no null beats a value"


@pytest.mark.parametrize("status", [503, 404])
def test_outages_of_before_stay_while_the_service_does_not_give_them(status: int) -> None:
    first = Run(offering(outage()), granularity="terminal")
    answer = httpx.Response(status, text="no")
    run = Run(
        Service(unavailability=answer), granularity="terminal", checkpoint=first.pull.checkpoint
    )
    assert run.listed()[NEW_OPERATOR].unavailabilities
    none = Run(offering(), granularity="terminal", checkpoint=run.pull.checkpoint)
    assert not none.listed()[NEW_OPERATOR].unavailabilities
