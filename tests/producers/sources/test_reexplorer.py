"""NLR: reading answers, both error shapes, the limit, the change check, resuming, and projects."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.config import load_config
from producers.connector import KnownPlant, Pull, PullRequest, RawItem
from producers.errors import (
    AuthenticationError,
    BudgetSpentError,
    ConfigurationError,
    RateLimitedError,
    TruncatedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from producers.http import HttpSource
from producers.run import Envelope
from producers.sources.reexplorer.config import ReexplorerConfig
from producers.sources.reexplorer.connector import ReexplorerConnector
from producers.sources.reexplorer.points import slug
from producers.sources.reexplorer.project_files import PROJECTS
from producers.sources.reexplorer.streams import NLR_STREAMS
from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.payloads import RenewableProject, RenewableResource
from streams.core.records import Mapped, RawRecord
from tests.avro.values import values
from tests.producers.golden import GOLDEN, assert_golden, outcome, payloads

KEY = "s3cret-key-of-40-characters-0123456789ab"
TODAY = date(2026, 8, 10)
PATHS = {stream.path: stream.name for stream in NLR_STREAMS}
TRACKERS = [path for suffix in (".csv", ".geojson") for path in payloads("reexplorer", suffix)]
BERLIN = {"name": "Berlin", "latitude": 52.5, "longitude": 13.4}
BOULDER = {"name": "Boulder", "latitude": 40.01, "longitude": -105.27}


def connector(**changes: object) -> ReexplorerConnector:
    values: dict[str, object] = {
        "base_url": "https://nlr.example",
        "api_key": KEY,
        "points": [BOULDER, BERLIN],
        "http": {"requests_per_minute": 60_000, "attempts": 2, "pause_seconds": 0},
    }
    return ReexplorerConnector(ReexplorerConfig.model_validate(values | changes))


def recorded(name: str) -> dict[str, object]:
    answer = json.loads((GOLDEN / "reexplorer" / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(answer, dict)
    return answer


ANSWERS = {
    "solar_resource": recorded("solar_resource_whole_numbers_beside_decimals")["answer"],
    "pvwatts": recorded("pvwatts_weather_cell_far_from_the_point")["answer"],
    "nsrdb_data_query": recorded("nsrdb_typical_year_among_the_years")["answer"],
    "wind_toolkit_site_count": recorded("site_count_of_wind_and_other_models")["answer"],
}


class Service:
    """The recorded answers, a limit that counts down, and faults."""

    def __init__(self, limit: int = 1000) -> None:
        self.answers: dict[str, object] = json.loads(json.dumps(ANSWERS))
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.headers: list[httpx.Headers] = []
        self.remaining = limit
        self.limit = limit
        self.fault: Callable[[], httpx.Response | None] = lambda: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        stream = PATHS[request.url.path]
        self.asked.append((stream, dict(request.url.params)))
        self.headers.append(request.headers)
        headers = {"X-RateLimit-Limit": str(self.limit)}
        if self.remaining == 0:
            body = {"error": {"code": "OVER_RATE_LIMIT", "message": "later"}}
            return httpx.Response(429, json=body, headers=headers)
        self.remaining -= 1
        headers["X-RateLimit-Remaining"] = str(self.remaining)
        found = self.fault()
        return found or httpx.Response(200, json=self.answers[stream], headers=headers)


class Run:
    """One pull and what came of it."""

    def __init__(
        self,
        source: ReexplorerConnector,
        service: Callable[[httpx.Request], httpx.Response],
        checkpoint: Mapping[str, str] | None = None,
        limit: int | None = None,
        plants: tuple[KnownPlant, ...] = (),
        accept_loss: bool = False,
        reread: frozenset[str] = frozenset(),
    ) -> None:
        request = PullRequest(
            checkpoint or {},
            TODAY,
            limit=limit,
            known_plants=lambda: plants,
            accept_loss=accept_loss,
            reread=reread,
        )
        self.items: list[RawItem] = []
        self.pull = Pull(dict(request.checkpoint))
        transport = httpx.MockTransport(service)
        with HttpSource(
            source.config.http,
            secret_headers=source.secret_headers(),
            secret_address=source.secret_address(),
            transport=transport,
        ) as http:
            self.items.extend(source.pull_or_subscribe(http, request, self.pull))

    @property
    def ids(self) -> list[str]:
        return [item.record_id for item in self.items]


def mapped(source: ReexplorerConnector, one: RawItem) -> RenewableResource | RenewableProject:
    found = source.map_to_schema(Envelope(source, "run").observed(one))
    assert isinstance(found, Mapped)
    assert isinstance(found.payload, RenewableResource | RenewableProject)
    return found.payload


@pytest.mark.parametrize("payload", payloads("reexplorer", ".json"), ids=lambda path: path.stem)
def test_recorded_answers_become_what_was_reviewed(payload: Path) -> None:
    case = json.loads(payload.read_text(encoding="utf-8"))

    def service(request: httpx.Request) -> httpx.Response:
        if "data_query/v2" in request.url.path:
            return httpx.Response(200, json=case["data_query"])
        return httpx.Response(case["status"], json=case["answer"])

    source = connector(points=[case["point"] | {"streams": [case["stream"]]}], api_key="DEMO_KEY")
    items = Run(source, service).items
    assert "DEMO_KEY" not in repr(items)
    assert_golden(payload, outcome(source, items))


@pytest.mark.parametrize("payload", TRACKERS, ids=lambda path: path.stem)
def test_recorded_tracker_files_become_what_was_reviewed(payload: Path) -> None:
    source = connector(points=[], project_files=[str(payload)])
    assert_golden(payload, outcome(source, Run(source, Service()).items))


def test_every_service_is_asked_about_every_point_once_with_the_key_in_a_header() -> None:
    service = Service()
    run = Run(connector(), service)
    expected = {
        f"{stream.name}/{point}" for stream in NLR_STREAMS for point in ("boulder", "berlin")
    }
    assert set(run.ids) == expected
    assert len(run.ids) == 8
    # Three change checks are the first question itself; nsrdb asks for all datasets.
    assert len(service.asked) == 9
    assert {headers["x-api-key"] for headers in service.headers} == {KEY}
    assert KEY not in str(service.asked)
    assert KEY not in repr(run.items)
    assert (run.pull.expected, run.pull.unchanged) == (8, False)
    assert run.pull.checkpoint["rate_limit"] == "991/1000"


def test_a_slash_behind_the_address_changes_nothing() -> None:
    usual, slashed = Service(), Service()
    expected = Run(connector(), usual).ids
    assert Run(connector(base_url="https://nlr.example/"), slashed).ids == expected
    assert slashed.asked == usual.asked
    assert all("x-api-key" in headers for headers in slashed.headers)


def test_an_unchanged_service_is_asked_one_question_each_and_yields_nothing() -> None:
    service = Service()
    first = Run(connector(), service)
    service.asked.clear()
    second = Run(connector(), service, first.pull.checkpoint)
    assert (second.items, second.pull.unchanged) == ([], True)
    assert [stream for stream, _ in service.asked] == [stream.name for stream in NLR_STREAMS]


@pytest.mark.parametrize(
    ("stream", "change"),
    [
        ("solar_resource", {"version": "1.0.1"}),
        ("solar_resource", {"metadata": {"sources": ["Perez-SUNY/NLR, 2027"]}}),
        ("pvwatts", {"ssc_info": {"version": 300}}),
        ("nsrdb_data_query", {"outputs": [{"name": "goes", "availableYears": [2025]}]}),
        ("wind_toolkit_site_count", {"outputs": {"wtk": 7123, "new-dataset": 1}}),
    ],
)
def test_only_the_service_that_changed_is_downloaded_again(
    stream: str, change: dict[str, object]
) -> None:
    service = Service()
    first = Run(connector(), service)
    before = service.answers[stream]
    assert isinstance(before, dict)
    service.answers[stream] = before | change
    second = Run(connector(), service, first.pull.checkpoint)
    assert {item.stream for item in second.items} == {stream}
    assert len(second.items) == 2
    assert Run(connector(), service, second.pull.checkpoint).items == []


def test_a_new_point_and_another_system_are_asked_about() -> None:
    service = Service()
    previous = Run(connector(), service).pull.checkpoint
    tilted = Run(connector(pv_system={"tilt_degrees": 5}), service, previous)
    assert {item.stream for item in tilted.items} == {"pvwatts"}
    lima = {"name": "Lima", "latitude": -12.05, "longitude": -77.04}
    more = Run(connector(points=[BOULDER, BERLIN, lima]), service, previous)
    assert {f"{stream.name}/lima" for stream in NLR_STREAMS} <= set(more.ids)


def test_a_point_in_the_south_faces_north_and_is_tilted_by_its_latitude() -> None:
    service = Service()
    sydney = {"name": "Sydney", "latitude": -33.87, "longitude": 151.21, "streams": ["pvwatts"]}
    Run(connector(points=[sydney]), service)
    (_, asked), *_ = service.asked
    assert (asked["tilt"], asked["azimuth"], asked["lat"]) == ("33.87", "0", "-33.87")


def test_a_point_at_the_edge_of_the_map_gets_a_box_on_the_map() -> None:
    service = Service()
    edge = {
        "name": "Edge",
        "latitude": 89.95,
        "longitude": 180,
        "streams": ["wind_toolkit_site_count"],
    }
    Run(connector(points=[edge]), service)
    wkt = service.asked[0][1]["wkt"]
    assert wkt == "POLYGON((179.9 89.85,180 89.85,180 90,179.9 90,179.9 89.85))"


def test_when_the_limit_is_used_up_the_next_run_goes_on_where_this_one_stopped() -> None:
    service = Service(limit=7)
    first = Run(connector(), service)
    assert len(first.items) == 5
    assert first.pull.checkpoint["rate_limit"] == "0/7"
    service.remaining = 7
    second = Run(connector(), service, first.pull.checkpoint)
    assert len(second.items) == 3
    assert not set(first.ids) & set(second.ids)
    third_service = Service()
    assert Run(connector(), third_service, second.pull.checkpoint).pull.unchanged


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize("failing", [stream.name for stream in NLR_STREAMS])
def test_a_failure_of_the_service_is_no_word_about_the_point(failing: str, status: int) -> None:
    """A refusal because of the point is; the last record stays, and the point is asked again."""
    service = Service()
    internal = httpx.Response(status, json={"errors": ["An internal error occurred."]})

    def sometimes(request: httpx.Request) -> httpx.Response:
        place = str(request.url.params.get("lat") or request.url.params.get("wkt"))
        in_berlin = place.startswith(("52.", "POLYGON((13.", "POINT(13."))
        is_failing = PATHS.get(request.url.path) == failing and in_berlin
        return internal if is_failing else service(request)

    first = Run(connector(points=[BOULDER, BERLIN]), sometimes)
    assert set(first.ids) == {
        f"{stream.name}/{point}" for stream in NLR_STREAMS for point in ("boulder", "berlin")
    } - {f"{failing}/berlin"}
    assert "internal error" in str(first.pull.failures[failing])
    still = Run(connector(points=[BOULDER, BERLIN]), sometimes, first.pull.checkpoint)
    assert still.ids == []
    assert failing in still.pull.failures
    healed = Run(connector(points=[BOULDER, BERLIN]), service, still.pull.checkpoint)
    assert healed.ids == [f"{failing}/berlin"]
    assert healed.pull.failures == {}
    done = Run(connector(points=[BOULDER, BERLIN]), service, healed.pull.checkpoint)
    assert (done.ids, done.pull.unchanged) == ([], True)


def test_a_service_that_fails_on_many_points_in_a_row_is_left_alone() -> None:
    points = [{"name": f"P{n}", "latitude": 40 + n / 10, "longitude": 8} for n in range(30)]
    service = Service()
    asked: list[str] = []

    def failing(request: httpx.Request) -> httpx.Response:
        if PATHS.get(request.url.path) != "pvwatts" or request.url.params["lat"] == "40":
            return service(request)
        asked.append(request.url.params["lat"])
        return httpx.Response(200, json={"errors": ["An internal error occurred."]})

    first = Run(connector(points=points), failing)
    assert len(asked) == 10
    assert len(first.items) == 30 * 3 + 1
    healed = Run(connector(points=points), service, first.pull.checkpoint)
    assert {f"pvwatts/p{n}" for n in range(1, 30)} <= set(healed.ids)


def test_a_service_that_fails_its_change_check_is_not_taken_for_changed() -> None:
    service = Service()
    first = Run(connector(), service)
    healthy = service.answers["pvwatts"]
    service.answers["pvwatts"] = {"errors": ["An internal error occurred."]}
    second = Run(connector(), service, first.pull.checkpoint)
    assert (second.items, list(second.pull.failures)) == ([], ["pvwatts"])
    service.answers["pvwatts"] = healthy
    assert Run(connector(), service, second.pull.checkpoint).pull.unchanged


def test_the_budget_of_a_run_ends_it_in_the_same_way(caplog: pytest.LogCaptureFixture) -> None:
    small = connector(http={"max_requests": 6, "requests_per_minute": 60_000})
    checkpoint: Mapping[str, str] = {}
    seen: list[str] = []
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            run = Run(small, Service(), checkpoint)
            checkpoint = run.pull.checkpoint
            seen += run.ids
    assert len(seen) == len(set(seen)) == 8
    assert "4 of 8 questions asked" in caplog.text


def test_a_429_without_warning_counts_as_a_hit_and_keeps_what_was_got() -> None:
    service = Service()
    answers = iter([None] * 7)

    def refuse() -> httpx.Response | None:
        if next(answers, "over") is None:
            return None
        return httpx.Response(429, json={"error": {"code": "OVER_RATE_LIMIT", "message": ""}})

    service.fault = refuse
    run = Run(connector(), service)
    assert 0 < len(run.items) < 8
    assert run.pull.checkpoint["rate_limit_hits"] == "1"


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("stream", list(PATHS.values()))
def test_a_point_that_a_service_refuses_is_a_dead_letter_and_stops_nothing(
    stream: str, status: int
) -> None:
    class Refusing(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            about_berlin = "52.5" in str(request.url) or "52.4" in str(request.url)
            if about_berlin and PATHS[request.url.path] == stream:
                return httpx.Response(status, text="no such point")
            return answer

    source = connector()
    run = Run(source, Refusing())
    assert (len(run.items), run.pull.failures) == (8, {})
    envelope = Envelope(source, "run")
    verdicts = [source.map_to_schema(envelope.observed(one)) for one in run.items]
    (refused,) = [one for one in verdicts if isinstance(one, Rejected)]
    assert (refused.rule_id, "no such point" in str(refused.observed)) == ("service_error", True)
    assert Run(source, Refusing(), run.pull.checkpoint).items == []


@pytest.mark.parametrize("stream", list(PATHS.values()))
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="no such point"),
        httpx.Response(422, json={"errors": ["An internal error occurred."]}),
    ],
    ids=["refused", "failed"],
)
def test_the_first_point_of_all_does_not_stop_the_others_either(
    stream: str, answer: httpx.Response
) -> None:
    """It is the one that finds out whether the data have changed."""

    class Refusing(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            found = super().__call__(request)
            about_boulder = "40." in str(request.url) or "39.9" in str(request.url)
            return answer if about_boulder and PATHS[request.url.path] == stream else found

    run = Run(connector(), Refusing())
    assert f"{stream}/berlin" in run.ids
    assert {f"{one}/boulder" for one in PATHS.values()} - {f"{stream}/boulder"} < set(run.ids)


@pytest.mark.parametrize("status", [500, 503])
def test_a_point_on_which_the_service_breaks_every_time_stops_no_other(status: int) -> None:
    class Breaking(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            breaks = PATHS[request.url.path] == "pvwatts" and "52.5" in str(request.url)
            return httpx.Response(status) if breaks else answer

    points = [BOULDER, BERLIN, *({"name": f"P{n}", "latitude": n, "longitude": n} for n in (1, 2))]
    run = Run(connector(points=points), Breaking())
    assert {"pvwatts/boulder", "pvwatts/p1", "pvwatts/p2"} < set(run.ids)
    assert list(run.pull.failures) == ["pvwatts"]
    again = Run(connector(points=points), Breaking(), run.pull.checkpoint)
    assert (again.ids, list(again.pull.failures)) == ([], ["pvwatts"])
    healed = Run(connector(points=points), Service(), again.pull.checkpoint)
    assert healed.ids == ["pvwatts/berlin"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (200, {"status": 500, "error": "Internal Server Error"}),
        (200, {"message": "Endpoint request timed out"}),
        (200, {"inputs": {}, "outputs": None, "errors": [], "warnings": []}),
        (200, {"outputs": None, "warnings": ["An internal error occurred."]}),
        (422, {"errors": []}),
        (422, {"errors": ["could not get a connection from the pool"]}),
        (400, {"errors": ["Something went wrong, please try again."]}),
        (422, "<html>bad gateway</html>"),
    ],
)
@pytest.mark.parametrize("stream", list(PATHS.values()))
def test_an_answer_without_a_word_about_the_point_withdraws_nothing(
    stream: str, status: int, body: object
) -> None:
    class Failing(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            about_berlin = "52.5" in str(request.url) or "52.4" in str(request.url)
            if about_berlin and PATHS[request.url.path] == stream:
                text = body if isinstance(body, str) else json.dumps(body)
                return httpx.Response(status, text=text)
            return answer

    run = Run(connector(), Failing())
    assert f"{stream}/berlin" not in run.ids
    assert len(run.items) == 7
    assert list(run.pull.failures) == [stream]
    healed = Run(connector(), Service(), run.pull.checkpoint)
    assert healed.ids == [f"{stream}/berlin"]


def test_irradiance_that_is_not_even_said_to_be_missing_is_a_failure() -> None:
    service = Service()
    first = Run(connector(), service)
    service.answers["solar_resource"] = {"version": "2.0.0", "outputs": {}, "errors": []}
    second = Run(connector(), service, first.pull.checkpoint)
    assert second.ids == []
    assert list(second.pull.failures) == ["solar_resource"]


def test_a_service_that_refuses_every_point_after_the_first_has_failed_itself() -> None:
    class Refusing(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            fails = PATHS[request.url.path] == "pvwatts" and "40.01" not in str(request.url)
            return httpx.Response(404, text="moved") if fails else answer

    more = [{"name": f"P{one}", "latitude": one, "longitude": one} for one in range(1, 9)]
    source = connector(points=[BOULDER, *more])
    run = Run(source, Refusing())
    assert list(run.pull.failures) == ["pvwatts"]
    assert len(run.items) == 3 * 9 + 1
    again = Run(source, Service(), run.pull.checkpoint)
    assert len(again.items) == 8


@pytest.mark.parametrize("failing", list(PATHS.values()))
def test_one_service_that_is_down_does_not_keep_the_others_from_being_asked(failing: str) -> None:
    class Down(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            return httpx.Response(503) if PATHS[request.url.path] == failing else answer

    run = Run(connector(), Down())
    assert list(run.pull.failures) == [failing]
    assert len(run.items) == 6
    again = Run(connector(), Service(), run.pull.checkpoint)
    assert {item.stream for item in again.items} == {failing}


def test_a_limit_that_must_be_waited_for_too_long_is_used_up_not_a_failure() -> None:
    service = Service()
    answers = iter([None] * 6)
    service.fault = lambda: next(answers, httpx.Response(429, headers={"retry-after": "3600"}))
    run = Run(connector(), service)
    assert 0 < len(run.items) < 8
    assert run.pull.failures == {}
    assert run.pull.checkpoint["rate_limit_hits"] == "1"
    second = Run(connector(), Service(), run.pull.checkpoint)
    assert len({*run.ids, *second.ids}) == 8


def test_a_429_while_requests_remain_is_about_the_pace_and_waited_for() -> None:
    service = Service()
    headers = {"x-ratelimit-remaining": "900"}
    answers = iter([None, httpx.Response(429, headers=headers)])
    service.fault = lambda: next(answers, None)
    run = Run(connector(), service)
    assert len(run.items) == 8
    assert "rate_limit_hits" not in run.pull.checkpoint


def test_a_429_that_says_when_to_come_back_is_waited_for() -> None:
    service = Service()
    answers = iter([httpx.Response(429, headers={"retry-after": "0"})])
    service.fault = lambda: next(answers, None)
    assert len(Run(connector(), service).items) == 8


def test_a_limit_that_is_used_up_at_the_start_is_an_error() -> None:
    with pytest.raises(RateLimitedError, match="Run again in an hour"):
        Run(connector(), Service(limit=0))


def test_a_budget_that_allows_no_point_is_an_error() -> None:
    point = BOULDER | {"streams": ["nsrdb_data_query"]}
    http = {"max_requests": 1, "requests_per_minute": 60_000}
    small = connector(points=[point], http=http)
    with pytest.raises(BudgetSpentError, match="max_requests"):
        Run(small, Service())


def test_a_limited_run_leaves_the_checkpoint() -> None:
    run = Run(connector(), Service(), {"pvwatts": "own:00000000"}, limit=3)
    assert (len(run.items), run.pull.checkpoint) == (3, {"pvwatts": "own:00000000"})


GATEWAY_BODIES = {
    "json": '{{"error": {{"code": "{0}", "message": "m"}}}}',
    "xml": "<response><error><code>{0}</code><message>m</message></error></response>",
    "csv": "Error Code,Error Message\r\n{0},m\r\n",
    "html": "<html><body><h1>{0}</h1><p>m</p></body></html>",
}


@pytest.mark.parametrize("form", GATEWAY_BODIES)
@pytest.mark.parametrize(
    ("status", "code", "error", "message"),
    [
        (403, "API_KEY_MISSING", AuthenticationError, "NLR_API_KEY"),
        (403, "API_KEY_INVALID", AuthenticationError, "NLR_API_KEY"),
        # The code decides, not the status.
        (400, "API_KEY_DISABLED", AuthenticationError, "NLR_API_KEY"),
        (403, "OVER_RATE_LIMIT", RateLimitedError, "Run again in an hour"),
        (429, "OVER_RATE_LIMIT", RateLimitedError, "Run again in an hour"),
        (400, "HTTPS_REQUIRED", UnexpectedAnswerError, "https://"),
        (404, "NOT_FOUND", UnexpectedAnswerError, "base_url"),
        (410, "GONE", UnexpectedAnswerError, r"https://developer\.nlr\.gov"),
    ],
)
def test_a_gateway_error_is_told_by_its_code_in_every_format(
    form: str, status: int, code: str, error: type[Exception], message: str
) -> None:
    service = Service()
    service.fault = lambda: httpx.Response(status, text=GATEWAY_BODIES[form].format(code))
    with pytest.raises(error, match=message):
        Run(connector(), service)


def test_the_key_appears_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.fault = lambda: httpx.Response(400, text=f"what is {KEY}?")
    with caplog.at_level(logging.DEBUG), pytest.raises(UnexpectedAnswerError) as caught:
        Run(connector(), service)
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text


def test_an_echoed_key_is_removed_at_every_depth_and_inside_texts() -> None:
    service = Service()
    answer = service.answers["wind_toolkit_site_count"]
    assert isinstance(answer, dict)
    answer["inputs"] = {"query": {"api_key": KEY}, "headers": [{"X-Api-Key": KEY}]}
    answer["next"] = {"link": f"https://x.example/?api_key={KEY}&page=2", "API_KEY": "other"}
    answer["note"] = f"asked with {KEY}"
    run = Run(connector(), service)
    assert KEY not in repr(run.items)
    (item, *_) = [one.item for one in run.items if one.stream == "wind_toolkit_site_count"]
    assert item["extra"] == {
        "next": '{"link":"https://x.example/?api_key=***&page=2"}',
        "note": "asked with ***",
        "status": "200",
    }


PLANTS = (
    KnownPlant("3", "Desert sun", "solar", 35.051, -118.172, "US"),
    KnownPlant("1", "Neighbour", "solar", 35.049, -118.168, "US"),
    KnownPlant("2", "Berlin sun", "solar", 52.5, 13.4, "DE"),
    KnownPlant("4", "Windy", "wind", 32.5, -100.4, "US"),
    KnownPlant("5", "Old gas", "gas", 32.5, -100.4, "US"),
)
COVERAGE = {
    "solar_resource": [(24.4, -125, 49.5, -66.9)],
    "pvwatts": [(-60, -180, 60, 180)],
    "nsrdb_data_query": [(-60, -180, 60, 180)],
    "wind_toolkit_site_count": [(-60, -180, 60, 180)],
}


def test_plants_inside_coverage_are_asked_about_when_that_is_wanted() -> None:
    source = connector(points=[], points_from_plants=True, plant_coverage=COVERAGE)
    run = Run(source, Service(), plants=PLANTS)
    assert sorted(run.ids) == [
        "nsrdb_data_query/35.05,-118.17",
        "nsrdb_data_query/52.50,13.40",
        "pvwatts/35.05,-118.17",
        "pvwatts/52.50,13.40",
        "solar_resource/35.05,-118.17",
        "wind_toolkit_site_count/32.50,-100.40",
    ]
    names = {mapped(source, item).name for item in run.items}
    assert names == {"Neighbour", "Berlin sun", "Windy"}
    assert Run(source, Service(), run.pull.checkpoint, plants=PLANTS).pull.unchanged
    more = (*PLANTS, KnownPlant("6", "New sun", "solar", 10.0, 10.0, None))
    assert "pvwatts/10.00,10.00" in Run(source, Service(), run.pull.checkpoint, plants=more).ids


def test_plants_are_not_read_unless_wanted() -> None:
    def explode() -> tuple[KnownPlant, ...]:
        raise AssertionError("read without being asked")

    source = connector()
    request = PullRequest({}, TODAY, known_plants=explode)
    with HttpSource(source.config.http, transport=httpx.MockTransport(Service())) as http:
        assert len(list(source.pull_or_subscribe(http, request, Pull({})))) == 8


@settings(max_examples=5, deadline=None, derandomize=True)
@given(count=st.integers(1, 30), budget=st.integers(3, 20))
def test_however_small_the_budget_every_point_is_asked_exactly_once(
    count: int, budget: int
) -> None:
    """A sweep over many plants is cut at any place, and no point is lost or asked twice."""
    plants = tuple(
        KnownPlant(str(i), f"Plant {i}", ("solar", "wind")[i % 2], i * 0.7 - 20, i * 1.3, None)
        for i in range(count)
    )
    source = connector(
        points=[],
        points_from_plants=True,
        plant_coverage=COVERAGE,
        http={"max_requests": budget + 4, "requests_per_minute": 60_000},
    )
    checkpoint: Mapping[str, str] = {}
    seen: list[str] = []
    for _ in range(4 * count + 2):
        run = Run(source, Service(), checkpoint, plants=plants)
        checkpoint = run.pull.checkpoint
        seen += run.ids
        if run.pull.unchanged:
            break
    assert run.pull.unchanged
    assert len(seen) == len(set(seen))
    solar, wind = (count + 1) // 2, count // 2
    assert len(seen) == 2 * solar + wind + sum(one.startswith("solar_resource/") for one in seen)


VARIETIES = "Project Name,Installation Type,Status,Capacity (MW),Latitude,Longitude,GEM phase ID"


@pytest.mark.parametrize("variety", ["Unknown", "--", "", "unknown", "not found"])
@pytest.mark.parametrize(("known", "kind"), [("Onshore", "wind"), ("Floating PV", "solar")])
def test_a_phase_of_unknown_variety_has_the_technology_of_its_file(
    tmp_path: Path, variety: str, known: str, kind: str
) -> None:
    path = tmp_path / "tracker.csv"
    rows = [
        f"Toy A,{known},announced,10,42.1,-3.2,G1",
        f"Toy B,{variety},announced,20,42.2,-3.3,G2",
        f"Toy C,{known},operating,30,42.3,-3.4,G3",
    ]
    path.write_text("\n".join([VARIETIES, *rows, ""]))
    source = connector(points=[], project_files=[str(path)])
    run = Run(source, Service())
    found = {item.record_id: mapped(source, item) for item in run.items}
    assert run.pull.left_out == {"not_planned": 1}
    assert {
        name: one.technology for name, one in found.items() if isinstance(one, RenewableProject)
    } == {"G1": kind, "G2": kind}


@pytest.mark.parametrize(
    ("known", "kind", "varieties"),
    [
        ("Onshore", "wind", ("Floating", "Fixed-bottom", "Nearshore", "Not stated")),
        ("Assumed PV", "solar", ("Parabolic trough", "thin film", "hybrid")),
    ],
)
def test_a_variety_that_nobody_knows_leaves_no_phase_out(
    tmp_path: Path, known: str, kind: str, varieties: tuple[str, ...]
) -> None:
    path = tmp_path / "tracker.csv"
    rows = [f"Toy,{one},announced,10,42.1,-3.2,G{n}" for n, one in enumerate((known, *varieties))]
    path.write_text("\n".join([VARIETIES, *rows, ""]))
    source = connector(points=[], project_files=[str(path)])
    run = Run(source, Service())
    assert len(run.items) == len(rows)
    for item in run.items:
        found = mapped(source, item)
        assert isinstance(found, RenewableProject)
        assert found.technology == kind


def test_a_file_without_a_known_variety_is_of_the_tracker_whose_columns_it_has(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tracker.csv"
    path.write_text(f"{VARIETIES}\nToy,Unknown,announced,10,42.1,-3.2,G1\n")
    source = connector(points=[], project_files=[str(path)])
    (item,) = Run(source, Service()).items
    found = mapped(source, item)
    assert isinstance(found, RenewableProject)
    assert found.technology == "wind"


@pytest.mark.parametrize(
    "word", ["GSPT", "gspt", "GSPT-Asia", "Solar", "Global Solar Power Tracker", "solar farms"]
)
def test_a_tracker_is_known_by_every_name_it_is_called(tmp_path: Path, word: str) -> None:
    path = tmp_path / "tracker.csv"
    rows = [f"Toy,,announced,10,42.1,-3.2,G1,{word}", "Old,,announced,9,42.1,-3.2,G2,GCPT"]
    path.write_text("\n".join([f"{VARIETIES},Tracker", *rows, ""]))
    source = connector(points=[], project_files=[str(path)])
    run = Run(source, Service())
    assert (run.ids, run.pull.left_out) == (["G1"], {"other_technology": 1})


def test_a_row_with_an_id_that_was_before_is_numbered_or_counted_as_in_every_source(
    tmp_path: Path,
) -> None:
    first, second = "Toy,Onshore,announced,10,42.1,-3.2,G1", "Toy,Onshore,announced,20,42.1,-3.2,G1"
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("\n".join([VARIETIES, first, second, first, ""]))
    files[1].write_text("\n".join([VARIETIES, second.replace("20", "30"), ""]))
    source = connector(points=[], project_files=[str(file) for file in files])
    run = Run(source, Service())
    assert run.ids == ["G1", "G1~2"]
    assert run.pull.left_out == {"repeated": 1, "in_an_earlier_list": 1}


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("404: Not Found", "no list of this kind"),
        ('{"message": "Not Found"}', "JSON without features"),
        (f"{VARIETIES}\nToy,flash steam,announced,10,1,2,G1\n", "other_technology 1"),
    ],
)
def test_a_file_without_a_phase_says_what_it_is_instead(
    tmp_path: Path, page: str, said: str
) -> None:
    file = tmp_path / "tracker.csv"
    text = (GOLDEN / "reexplorer" / "tracker_of_one_technology.csv").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    source = connector(points=[], project_files=[str(file)])
    previous = Run(source, Service()).pull.checkpoint
    for checkpoint in ({}, previous):
        file.write_text(page)
        failed = Run(source, Service(), checkpoint).pull.failures[PROJECTS]
        assert said in str(failed)
        assert "minimum_rows" not in str(failed)


def test_phases_of_one_id_in_two_places_are_two_projects_also_in_two_files(tmp_path: Path) -> None:
    header = (
        "GEM location ID,GEM phase ID,Project Name,Technology Type,Status,Capacity,"
        "Latitude,Longitude"
    )
    near = ("L1,G1,Toy,Onshore,announced,10,42.1,-3.2", "L1,G2,Toy,Onshore,announced,20,42.2,-3.3")
    far = ("L1,G3,Toy,Onshore,announced,30,40.0,-100.0", "L2,G4,Toy,Onshore,announced,40,42.1,-3.2")
    files = []
    for name, rows in (("a", (*near, far[0])), ("b", (far[0].replace("G3", "G5"), far[1]))):
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_text("\n".join([header, *rows, ""]))
    source = connector(points=[], project_files=[str(file) for file in files])
    envelope = Envelope(source, "run")
    found = {}
    for item in Run(source, Service()).items:
        verdict = source.map_to_schema(envelope.observed(item))
        assert isinstance(verdict, Mapped)
        found[item.record_id] = verdict.entity_id
    assert found == {
        **dict.fromkeys(("G1", "G2"), "L1/wind"),
        **dict.fromkeys(("G3", "G5"), "L1/wind/US"),
        "G4": "L2/wind",
    }


def test_no_row_of_a_file_vanishes_between_reading_and_an_outcome(tmp_path: Path) -> None:
    """A row of a mixed file that says nothing is an item, which is rejected with its reason."""
    path = tmp_path / "tracker.csv"
    varieties = ("Onshore", "PV", "Assumed PV", "Offshore floating", "Unknown", "", "Flash steam")
    rows = [
        f"Toy,{variety},{status},10,42.1,-3.2,G{index}{status[:1]}"
        for index, variety in enumerate(varieties)
        for status in ("announced", "retired", "planned soon")
    ]
    path.write_text("\n".join([VARIETIES, *rows, ""]))
    source = connector(points=[], project_files=[str(path)])
    run = Run(source, Service())
    assert len(run.items) + run.pull.left_out.total() == len(rows)
    assert run.pull.left_out == {"other_technology": 3, "not_planned": 6}
    silent = [item for item in run.items if item.record_id in ("G4a", "G5a")]
    for item in silent:
        verdict = source.map_to_schema(Envelope(source, "run").observed(item))
        assert isinstance(verdict, Rejected)
        assert verdict.rule_id == "unknown_fuel"
    assert len(silent) == 2


def test_projects_are_read_again_only_when_a_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "tracker.csv"
    text = (GOLDEN / "reexplorer" / "tracker_of_one_technology.csv").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    source = connector(points=[], project_files=["", str(file)])
    first = Run(source, Service())
    assert first.ids == ["G100000922222", "G100000922223"]
    assert first.pull.complete_streams == {PROJECTS}
    second = Run(source, Service(), first.pull.checkpoint)
    assert (second.items, second.pull.unchanged) == ([], True)
    file.write_text(text.replace("announced", "operating"), encoding="utf-8")
    third = Run(source, Service(), second.pull.checkpoint)
    assert third.ids == ["G100000922222"]
    assert third.pull.complete_streams == {PROJECTS}
    credit = third.items[0].credit
    assert credit is not None
    assert credit.licence == "CC-BY-4.0"


def test_all_files_are_read_when_one_of_them_changes(tmp_path: Path) -> None:
    """Together they are one release: what the unchanged file lists must not be delisted."""
    rows = (GOLDEN / "reexplorer" / "tracker_of_one_technology.csv").read_text(encoding="utf-8")
    keys: list[str | None] = []
    bodies = {"/a.csv": rows, "/b.csv": rows.replace("G1000", "G2000")}

    def server(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("x-api-key"))
        body = bodies[request.url.path]
        etag = f'"{hash(body)}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        return httpx.Response(200, text=body, headers={"etag": etag})

    files = ["https://files.example/a.csv", "https://files.example/b.csv"]
    source = connector(points=[], project_files=files)
    first = Run(source, server)
    assert len(first.ids) == 4
    assert Run(source, server, first.pull.checkpoint).pull.unchanged
    again = Run(source, server, first.pull.checkpoint, reread=frozenset({PROJECTS}))
    assert (again.ids, again.pull.checkpoint) == (first.ids, first.pull.checkpoint)
    bodies["/b.csv"] = bodies["/b.csv"].replace("Eksempel", "Example")
    assert sorted(Run(source, server, first.pull.checkpoint).ids) == sorted(first.ids)
    one = connector(points=[], project_files=files[:1])
    narrowed = Run(one, server, first.pull.checkpoint)
    assert "1 project files are configured where 2" in str(narrowed.pull.failures[PROJECTS])
    accepted = Run(one, server, first.pull.checkpoint, accept_loss=True)
    assert len(accepted.ids) == 2, "a file less is a change"
    assert set(keys) == {None}, "the key is for NLR alone"


def test_a_tracker_file_that_lost_half_its_rows_is_taken_for_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "tracker.csv"
    lines = (GOLDEN / "reexplorer" / "tracker_rows_of_every_kind.csv").read_text().splitlines()
    file.write_text("\n".join(lines) + "\n")
    source = connector(points=[], project_files=[str(file)])
    previous = Run(source, Service()).pull.checkpoint
    file.write_text("\n".join(lines[:4]) + "\n")
    cut = Run(source, Service(), previous)
    assert isinstance(cut.pull.failures[PROJECTS], TruncatedError)
    assert cut.pull.checkpoint == previous
    assert not cut.pull.unchanged
    assert cut.pull.complete_streams == set()


def test_a_tracker_file_whose_status_has_another_name_delists_no_project(tmp_path: Path) -> None:
    """Every row is still there, but none says any more that it is planned."""
    file = tmp_path / "tracker.csv"
    text = (GOLDEN / "reexplorer" / "tracker_of_one_technology.csv").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    source = connector(points=[], project_files=[str(file)])
    previous = Run(source, Service()).pull.checkpoint
    file.write_text(text.replace("Status", "Stage").replace("status", "stage"), encoding="utf-8")
    renamed = Run(source, Service(), previous)
    assert isinstance(renamed.pull.failures[PROJECTS], TruncatedError)
    assert (renamed.items, renamed.pull.checkpoint) == ([], previous)
    assert renamed.pull.complete_streams == set()


def test_a_cut_tracker_file_does_not_keep_the_services_from_being_asked(tmp_path: Path) -> None:
    source = connector(project_files=[str(tmp_path / "nowhere.csv")])
    run = Run(source, Service())
    assert (len(run.items), list(run.pull.failures)) == (8, [PROJECTS])
    again = Run(source, Service(), run.pull.checkpoint)
    assert again.items == []


def test_a_refused_key_does_not_lose_the_projects() -> None:
    file = GOLDEN / "reexplorer" / "tracker_of_one_technology.csv"
    service = Service()
    service.fault = lambda: httpx.Response(403, json={"error": {"code": "API_KEY_INVALID"}})
    run = Run(connector(project_files=[str(file)]), service)
    assert run.ids == ["G100000922222", "G100000922223"]
    assert isinstance(run.pull.failures["solar_resource"], AuthenticationError)
    assert run.pull.complete_streams == {PROJECTS}


def test_a_service_that_fails_in_the_middle_does_not_lose_what_was_answered() -> None:
    service = Service()
    answers = iter([None] * 6)
    service.fault = lambda: next(answers, httpx.Response(503))
    first = Run(connector(), service)
    assert 0 < len(first.items) < 8
    assert first.pull.failures
    assert all(isinstance(one, UnreachableError) for one in first.pull.failures.values())
    second = Run(connector(), Service(), first.pull.checkpoint)
    assert len(first.ids + second.ids) == len({*first.ids, *second.ids}) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_url": "https://developer.nrel.gov"}, r"https://developer\.nlr\.gov"),
        ({"base_url": "https://Developer.NREL.gov/"}, r"https://developer\.nlr\.gov"),
        ({"base_url": "http://developer.nlr.gov"}, "https only"),
        ({"points": [BOULDER, BOULDER | {"name": "BOULDER!"}]}, "boulder"),
        ({"points": [BOULDER | {"latitude": 91}]}, "less than or equal to 90"),
        ({"points": [BOULDER | {"streams": ["moon"]}]}, "'solar_resource', 'pvwatts'"),
        ({"pv_system": {"losses_pct": 100}}, "less than or equal to 99"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        connector(**change)


def test_the_old_host_is_refused_by_our_own_file_with_the_new_one_named() -> None:
    environment = {"NLR_API_KEY": KEY, "NLR_BASE_URL": "https://developer.nrel.gov"}
    with pytest.raises(ConfigurationError, match=r"base_url .*https://developer\.nlr\.gov"):
        load_config("reexplorer", ReexplorerConfig, environment)
    ours = load_config("reexplorer", ReexplorerConfig, {"NLR_API_KEY": KEY})
    assert ours.base_url == "https://developer.nlr.gov"
    assert ours.http.max_requests < 1000
    assert (ours.project_files, ours.points_from_plants) == ((), False)
    with pytest.raises(ConfigurationError, match="NLR_API_KEY"):
        load_config("reexplorer", ReexplorerConfig, {})


def test_names_become_stable_ids() -> None:
    assert slug("  Boulder, Colorado ") == "boulder-colorado"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    values(contract("raw.reexplorer").parsed(), {}),
    st.sampled_from([stream.name for stream in ReexplorerConnector.discover()]),
    st.sampled_from(["40.0", "1e-300", "nan", "-", "91", "٤٠"]),
)
def test_reading_never_fails_on_anything_the_contract_allows(
    record: AvroRecord, stream: str, figure: str
) -> None:
    record["stream"] = stream
    if record["item"] is not None:
        if record["item"]["point"] is not None:
            record["item"]["point"] |= {"latitude": figure, "longitude": "10"}
        record["item"]["errors"] = []
        if record["item"]["site_counts"] is not None:
            record["item"]["site_counts"]["wtk"] = figure
    else:
        record["event"] = "no_longer_listed"
    if record["item"] is not None:
        result = ReexplorerConnector.map_to_schema(
            RawRecord.from_avro(cast(avro.RawRecord, record))
        )
        assert isinstance(result, Mapped | Rejected)


@pytest.mark.real_data
def test_planned_phases_of_the_real_tracker_become_projects(real_data: Path) -> None:
    source = connector(
        points=[], project_files=[str(real_data / "gem" / "gem_units_complete.csv.gz")]
    )
    run = Run(source, Service())
    found = [mapped(source, item) for item in run.items]
    assert len(found) == 351
    assert len(set(run.ids)) == 351
    assert all(isinstance(project, RenewableProject) for project in found)
    assert all(project.country_code for project in found)
