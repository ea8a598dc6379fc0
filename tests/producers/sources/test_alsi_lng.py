"""GIE ALSI: paging, filters, refusals, checkpoints, and reading rows."""

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from producers.config import HttpConfig
from producers.connector import Pull, PullRequest, RawItem
from producers.errors import (
    AuthenticationError,
    CheckpointError,
    RateLimitedError,
    SourceError,
    TruncatedError,
    UnexpectedAnswerError,
)
from producers.http import HttpSource
from producers.run import Envelope, RunOptions
from producers.sources.alsi_lng.connector import AlsiConfig, AlsiLngConnector
from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.keys import observation_record_id
from streams.core.payloads import LngInventory
from streams.core.records import Mapped, RawRecord
from tests.avro.values import values
from tests.producers.golden import assert_golden, outcome, payloads

NEWEST = date(2024, 6, 30)
TODAY = date(2024, 7, 1)
KEY = "s3cret-key"

ALL = RunOptions()

Query = Mapping[str, str]
Answer = Callable[[Query], object]


def connector(**changes: object) -> AlsiLngConnector:
    values = {
        "base_url": "https://alsi.example/api",
        "api_key": SecretStr(KEY),
        "backfill_from": date(2024, 1, 1),
        "granularity": "eu",
        "page_size": 30,
        "http": HttpConfig(requests_per_minute=60_000, attempts=2),
    }
    return AlsiLngConnector(AlsiConfig.model_validate(values | changes))


def row(gas_day: date, **changes: object) -> dict[str, object]:
    return {
        "name": "EU",
        "code": "eu",
        "updatedAt": f"{gas_day + timedelta(days=1)} 19:30:00",
        "gasDayStart": gas_day.isoformat(),
        "inventory": {"lng": "4800.5", "gwh": "32100.25"},
        "sendOut": "3900.4",
        "status": "C",
    } | changes


def service(query: Query) -> object:
    """ALSI with a row for each day up to NEWEST, newest first."""
    first, last = date.fromisoformat(query["from"]), date.fromisoformat(query["to"])
    last = min(last, NEWEST)
    days = [last - timedelta(days=index) for index in range((last - first).days + 1)]
    page, size = int(query["page"]), int(query["size"])
    rows = [row(day) for day in days[(page - 1) * size : page * size]]
    return body(rows, last_page=-(-len(days) // size))


def body(rows: list[dict[str, object]], last_page: int = 1) -> dict[str, object]:
    return {
        "last_page": last_page,
        "total": len(rows),
        "dataset": "",
        "gas_day": NEWEST.isoformat(),
        "data": rows,
    }


class Run:
    """One pull and what came of it."""

    def __init__(
        self,
        answer: Answer = service,
        checkpoint: Mapping[str, str] | None = None,
        using: AlsiLngConnector | None = None,
        options: RunOptions = ALL,
    ) -> None:
        self.queries: list[Query] = []
        self.items: list[RawItem] = []
        source = using or connector()
        request = PullRequest(checkpoint or {}, TODAY, options.since, options.until, options.limit)
        self.pull = Pull(dict(request.checkpoint))

        def handler(sent: httpx.Request) -> httpx.Response:
            assert sent.headers["x-key"] == KEY
            self.queries.append(dict(sent.url.params))
            return httpx.Response(200, json=answer(self.queries[-1]))

        transport = httpx.MockTransport(handler)
        with HttpSource(
            source.config.http, secret_headers=source.secret_headers(), transport=transport
        ) as http:
            self.items.extend(source.pull_or_subscribe(http, request, self.pull))

    @property
    def days(self) -> list[str]:
        return [str(item.item["gasDayStart"]) for item in self.items]


def test_the_first_run_reads_every_page_since_the_back_fill_date() -> None:
    run = Run()
    assert len(run.items) == 182
    assert run.days == sorted(run.days, reverse=True)
    assert [query["page"] for query in run.queries] == ["1", "2", "3", "4", "5", "6", "7"]
    assert {(query["type"], query["from"], query["to"]) for query in run.queries} == {
        ("eu", "2024-01-01", "2024-07-01")
    }
    assert run.pull.checkpoint == {"newest_gas_day/eu": "2024-06-30"}
    assert run.pull.expected == 182
    assert not run.pull.complete


def test_later_runs_read_the_look_back_days_again() -> None:
    run = Run(checkpoint={"newest_gas_day/eu": "2024-06-29"})
    assert run.queries[0]["from"] == "2024-05-30"
    assert len(run.items) == 32
    assert run.pull.checkpoint == {"newest_gas_day/eu": "2024-06-30"}


def test_a_long_pause_between_runs_leaves_no_gap() -> None:
    run = Run(checkpoint={"newest_gas_day/eu": "2024-02-10"})
    assert run.queries[0]["from"] == "2024-01-11"


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(since=date(2024, 3, 1)),
        RunOptions(until=date(2024, 3, 1)),
        RunOptions(limit=7),
    ],
    ids=["since", "until", "limit"],
)
def test_a_run_with_its_own_range_leaves_the_checkpoint(options: RunOptions) -> None:
    assert Run(options=options).pull.checkpoint == {}
    previous = {"newest_gas_day/eu": "2024-01-20"}
    assert Run(checkpoint=previous, options=options).pull.checkpoint == previous


def test_an_explicit_range_is_inclusive_and_wins_over_the_look_back() -> None:
    run = Run(
        checkpoint={"newest_gas_day/eu": "2024-06-30"},
        options=RunOptions(date(2024, 2, 1), date(2024, 2, 3)),
    )
    assert run.days == ["2024-02-03", "2024-02-02", "2024-02-01"]


def test_a_limit_stops_the_paging() -> None:
    run = Run(options=RunOptions(limit=31))
    assert (len(run.items), len(run.queries)) == (31, 2)


def test_a_filter_the_service_ignores_is_applied_on_receipt() -> None:
    everything = [row(date(2024, 6, 30) - timedelta(days=index)) for index in range(100)]
    two_days = RunOptions(date(2024, 6, 29), date(2024, 6, 30))
    run = Run(lambda query: body(everything), options=two_days)
    assert run.days == ["2024-06-30", "2024-06-29"]


def test_rows_repeated_because_a_day_appeared_between_two_pages_do_no_harm() -> None:
    def shifting(query: Query) -> object:
        answer = service(query)
        assert isinstance(answer, dict)
        if query["page"] != "1":
            answer["data"].insert(0, row(date(2024, 6, 1)))
        return answer

    run = Run(shifting)
    assert run.days.count("2024-06-01") == 1
    assert len(run.days) == 182
    assert run.pull.checkpoint == {"newest_gas_day/eu": "2024-06-30"}


def test_an_empty_answer_where_days_must_be_is_an_error() -> None:
    with pytest.raises(TruncatedError, match="gave 0 of the 182 gas days"):
        Run(lambda query: body([], last_page=0))


def test_a_missing_page_is_an_error() -> None:
    run = Run(lambda query: service(query) if query["page"] == "1" else body([], last_page=1))
    assert "gave 30 of the 182" in str(run.pull.failures["eu"])
    assert "newest_gas_day/eu" not in run.pull.checkpoint


def test_days_the_service_does_not_hold_yet_are_not_missing() -> None:
    assert Run(options=RunOptions(date(2024, 7, 1))).items == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"error": "access denied", "message": "Invalid key"}, AuthenticationError),
        ({"message": "Unauthorized"}, AuthenticationError),
        ({"error": "limit", "message": "Too many requests"}, RateLimitedError),
        ({"last_page": 1, "data": None}, UnexpectedAnswerError),
        ({"last_page": 1, "data": ["row"]}, UnexpectedAnswerError),
        ({"data": []}, UnexpectedAnswerError),
        ({"last_page": "1", "data": []}, UnexpectedAnswerError),
        ({}, UnexpectedAnswerError),
    ],
)
def test_an_answer_of_another_shape_with_status_200_is_an_error(
    answer: object, error: type[SourceError]
) -> None:
    with pytest.raises(error):
        Run(lambda query: answer)


def test_a_failure_of_the_service_is_not_blamed_on_the_key() -> None:
    with pytest.raises(UnexpectedAnswerError, match="of itself") as caught:
        Run(lambda query: {"error": "Internal Server Error", "message": "try again"})
    assert "ALSI_API_KEY" not in str(caught.value)


def test_a_refusal_that_repeats_the_key_does_not_show_it() -> None:
    with pytest.raises(AuthenticationError, match=r"ALSI_API_KEY") as caught:
        Run(lambda query: {"error": "access denied", "message": f"unknown key {KEY}"})
    assert KEY not in str(caught.value)


def test_a_checkpoint_that_is_no_date_names_the_table() -> None:
    with pytest.raises(CheckpointError, match=r"producers\.checkpoints"):
        Run(checkpoint={"newest_gas_day/eu": "yesterday"})


def test_the_update_time_is_read_on_a_clock_that_stays_at_utc_plus_one() -> None:
    """3,190 days were stamped within one hour on 2025-10-01, in what would be summer time."""
    day = date(2024, 6, 1)
    stamped = row(day, updatedAt="2025-10-01 14:04:31")
    run = Run(lambda query: body([stamped]), options=RunOptions(day, day))
    updated = run.items[0].source_updated_at
    assert updated is not None
    assert updated.isoformat() == "2025-10-01T13:04:31+00:00"


@pytest.mark.parametrize("payload", payloads("alsi_lng", ".json"), ids=lambda path: path.stem)
def test_recorded_answers_become_what_was_reviewed(payload: Path) -> None:
    answer = json.loads(payload.read_text(encoding="utf-8"))
    run = Run(
        lambda query: answer,
        using=connector(minimum_share=0),
        options=RunOptions(date(2012, 1, 1), date(2024, 12, 31)),
    )
    assert len(run.items) == len(answer["data"])
    assert_golden(payload, outcome(connector(), run.items))


ITEM_FIELDS = (
    "terminal_id",
    "sendOut",
    "dtrs",
    "contractedCapacity",
    "availableCapacity",
    "coveredCapacity",
)
ITEM_SCHEMA = contract("raw.alsi_lng").parsed()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    values(ITEM_SCHEMA, {}),
    st.sampled_from(["2024-06-01", "0001-01-01", "9999-12-31", "2024-02-30", "20240601", None]),
    st.sampled_from(["C", "E", "N", "?"]),
)
def test_reading_never_fails_on_anything_the_contract_allows(
    record: AvroRecord, gas_day: str | None, status: str
) -> None:
    if record["item"] is not None:
        record["item"] |= {"gasDayStart": gas_day, "status": status}
    result = AlsiLngConnector.map_to_schema(RawRecord.from_avro(cast(avro.RawRecord, record)))
    assert isinstance(result, Mapped | Rejected)


def raw_record(item: Mapping[str, object]) -> RawRecord:
    empty = dict.fromkeys(field["name"] for field in ITEM_SCHEMA["fields"])
    return RawRecord.from_avro(cast(avro.RawRecord, empty | {"item": item}))


def test_a_terminal_is_known_by_facility_and_operator() -> None:
    """Panigaglia kept its facility code when the operator changed."""
    row_of_terminal = dict.fromkeys(("inventory", "dtmi", "name", *ITEM_FIELDS))
    row_of_terminal |= {"scope": "terminal", "country": "IT", "gasDayStart": "2024-06-01"}
    row_of_terminal |= {"facility_eic": "59W", "company_eic": "26X", "status": "N"}
    mapped = AlsiLngConnector.map_to_schema(raw_record(row_of_terminal))
    assert isinstance(mapped, Mapped)
    assert isinstance(mapped.payload, LngInventory)
    assert (mapped.entity_id, mapped.payload.country_code) == ("59W/26X", "IT")


def test_an_observation_is_found_by_its_entity_and_gas_day() -> None:
    """Neighbour days are looked up by record ids of this form."""
    run = Run()
    envelope = Envelope(connector(), "run")
    for item in run.items:
        mapped = AlsiLngConnector.map_to_schema(envelope.observed(item))
        assert isinstance(mapped, Mapped)
        if isinstance(mapped.payload, LngInventory):
            expected = observation_record_id(mapped.entity_id, mapped.payload.gas_day)
            assert item.record_id == expected


def test_words_in_a_figure_cost_the_figure_not_the_day() -> None:
    row = dict.fromkeys(("inventory", "dtmi", "name", *ITEM_FIELDS))
    row |= {"scope": "eu", "gasDayStart": "2024-06-01", "status": "C", "facility_eic": None}
    row |= {"inventory": {"lng": "n/a", "gwh": "32100"}, "sendOut": "see note", "country": None}
    mapped = AlsiLngConnector.map_to_schema(raw_record({**row, "company_eic": None}))
    assert isinstance(mapped, Mapped)
    assert isinstance(mapped.payload, LngInventory)
    assert mapped.flags == ("figure_unreadable",)
    day = mapped.payload
    assert (day.inventory_gwh, day.inventory_thousand_m3_lng) == (32100.0, None)
    assert day.send_out_gwh_per_day is None


def test_a_slash_behind_the_address_changes_nothing() -> None:
    asked: list[str] = []

    def handler(sent: httpx.Request) -> httpx.Response:
        asked.append(sent.url.path)
        return httpx.Response(200, json=service(dict(sent.url.params)))

    source = connector(base_url="https://alsi.example/api/")
    with HttpSource(source.config.http, transport=httpx.MockTransport(handler)) as http:
        items = list(source.pull_or_subscribe(http, PullRequest({}, TODAY, limit=1), Pull({})))
    assert set(asked) == {"/api"}
    assert [item.origin for item in items] == ["https://alsi.example/api"]
