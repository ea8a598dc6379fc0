"""The fault switches of the sandbox, and what the HTTP client and the connectors make of them.

Over real HTTP: a sandbox with made-up data, no broker.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from producers.connector import Pull, PullRequest, RawItem
from producers.errors import (
    AuthenticationError,
    BudgetSpentError,
    RateLimitedError,
    SourceError,
    TruncatedError,
    UnreachableError,
)
from producers.run import RunOptions, connect
from tests.producers.sandbox_server import PLANTS, Sandbox

pytestmark = pytest.mark.processes

ALSI, GEM, NLR, WRI = "alsi_lng", "gem_transmission", "reexplorer", "wri_powerplants"
NEWEST = date(2026, 5, 19)
DAYS = RunOptions(since=date(2026, 2, 22), until=date(2026, 5, 19))
DAY_COUNT = 87


@contextmanager
def configured(tmp_path: Path, sandbox: Sandbox, **http: object) -> Iterator[dict[str, str]]:
    """An environment with configurations of little patience."""
    client = {"requests_per_minute": 60_000, "attempts": 3, "pause_seconds": 0.1, **http}
    variables = sandbox.environment()
    (tmp_path / "alsi_lng.yaml").write_text(
        f"base_url: {variables['ALSI_BASE_URL']}\napi_key: ${{ALSI_API_KEY}}\ngranularity: eu\n"
        "page_size: 30\n"
        f"http: {client}\n"
    )
    (tmp_path / "wri_powerplants.yaml").write_text(
        f"location: {variables['WRI_LOCATION']}\nminimum_rows: 1000\nhttp: {client}\n"
    )
    yield variables | {"CONFIG_PATH": str(tmp_path)}


class Poll:
    """One pull over HTTP, without broker and database."""

    def __init__(self, name: str, environment: dict[str, str], options: RunOptions) -> None:
        connector, http = connect(name, environment)
        self.items: list[RawItem] = []
        self.pull = Pull({})
        request = PullRequest({}, date(2026, 5, 20), options.since, options.until, options.limit)
        with http:
            for item in connector.pull_or_subscribe(http, request, self.pull):
                self.items.append(item)
            self.requests = http.requests_sent


@pytest.fixture
def environment(tmp_path: Path, sandbox: Sandbox) -> Iterator[dict[str, str]]:
    with configured(tmp_path, sandbox) as variables:
        yield variables


@cache
def undisturbed(name: str, sandbox: Sandbox) -> Poll:
    """A whole poll of a source; ask for it before a fault is switched on."""
    return Poll(name, sandbox.environment(), RunOptions())


def days(poll: Poll) -> set[str]:
    return {str(item.item["gasDayStart"]) for item in poll.items}


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "cut"},
        {"fault": "limited"},
        {"fault": "limited", "retry_after": "0"},
        {"fault": "error"},
        {"fault": "error", "status": 500},
        {"fault": "error", "retry_after": "0"},
        {"fault": "html"},
        {"fault": "truncated"},
    ],
    ids=str,
)
def test_a_fault_that_passes_loses_nothing(
    environment: dict[str, str], sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.control("fault", path="/alsi", query="page=2", times=2, **fault)
    poll = Poll(ALSI, environment, DAYS)
    assert len(poll.items) == len(days(poll)) == DAY_COUNT
    assert poll.requests == 3 + 2


def failure_of_the_eu(environment: dict[str, str]) -> SourceError:
    """How a poll ends whose days of the EU cannot be read, whatever was read before."""
    try:
        return Poll(ALSI, environment, DAYS).pull.failures["eu"]
    except SourceError as error:
        return error


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ({"fault": "cut"}, UnreachableError, "Run again"),
        ({"fault": "limited"}, RateLimitedError, "HTTP 429"),
        ({"fault": "limited", "retry_after": "3600"}, RateLimitedError, "longest_wait_seconds"),
        ({"fault": "error"}, UnreachableError, "HTTP 503"),
        ({"fault": "html"}, UnreachableError, "no JSON but .*Maintenance"),
        ({"fault": "truncated"}, UnreachableError, "no JSON"),
        ({"fault": "refused"}, AuthenticationError, "HTTP 401"),
        ({"fault": "refused", "status": 403}, AuthenticationError, "HTTP 403"),
    ],
    ids=str,
)
def test_a_fault_that_stays_is_reported(
    environment: dict[str, str],
    sandbox: Sandbox,
    fault: dict[str, Any],
    error: type[SourceError],
    message: str,
) -> None:
    sandbox.control("fault", path="/alsi", after=1, **fault)
    found = failure_of_the_eu(environment)
    assert type(found) is error
    assert re.search(message, str(found))


def test_an_answer_that_comes_too_late_counts_as_none(tmp_path: Path, sandbox: Sandbox) -> None:
    sandbox.control("fault", fault="slow", seconds=2, times=1)
    with configured(tmp_path, sandbox, timeout_seconds=0.3) as environment:
        poll = Poll(ALSI, environment, DAYS)
    assert (len(poll.items), poll.requests) == (DAY_COUNT, 4)


def test_retry_after_is_obeyed_before_the_next_request(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.control("fault", fault="limited", retry_after="1", times=1)
    with stamina.set_testing(False):
        began = time.monotonic()
        assert len(Poll(ALSI, environment, DAYS).items) == DAY_COUNT
    assert time.monotonic() - began >= 1


def test_the_budget_ends_a_run_that_keeps_failing(tmp_path: Path, sandbox: Sandbox) -> None:
    sandbox.control("fault", fault="error")
    with (
        configured(tmp_path, sandbox, max_requests=2) as environment,
        pytest.raises(BudgetSpentError, match="max_requests"),
    ):
        Poll(ALSI, environment, DAYS)


def test_a_day_that_appears_while_paging_makes_pages_overlap_and_loses_nothing(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.control("fault", path="/alsi", fault="grow", after=1, times=1)
    poll = Poll(ALSI, environment, RunOptions(since=date(2026, 2, 22)))
    assert len(poll.items) == len(days(poll)) == DAY_COUNT


def test_a_day_that_slips_to_a_page_already_read_is_read_again(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    """The newest day is taken back, so each row moves up by one: the 31st is skipped at first."""
    sandbox.control("fault", path="/alsi", fault="shrink", after=1, times=1)
    poll = Poll(ALSI, environment, DAYS)
    assert len(days(poll)) == DAY_COUNT
    assert poll.requests > 3


def test_a_page_that_comes_twice_instead_of_the_next_is_read_again(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.control("fault", path="/alsi", fault="repeat", after=1, times=1)
    poll = Poll(ALSI, environment, DAYS)
    assert len(poll.items) == len(days(poll)) == DAY_COUNT


def test_pages_that_never_stand_still_are_an_error(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    for request in (1, 4, 7):
        sandbox.control("fault", path="/alsi", fault="shrink", after=request, times=1)
    found = failure_of_the_eu(environment)
    assert isinstance(found, TruncatedError)
    assert "kept moving" in str(found)


@pytest.mark.parametrize("fault", ["cut", "error", "limited"])
def test_a_download_that_fails_in_passing_is_whole_in_the_end(
    environment: dict[str, str], sandbox: Sandbox, fault: str
) -> None:
    sandbox.control("fault", path="/wri", fault=fault, times=1)
    poll = Poll(WRI, environment, RunOptions())
    assert len(poll.items) == PLANTS
    assert poll.pull.complete


@pytest.mark.parametrize("fault", ["truncated", "html"])
def test_a_file_that_is_no_whole_release_gives_no_item(
    environment: dict[str, str], sandbox: Sandbox, fault: str
) -> None:
    sandbox.control("fault", path="/wri", fault=fault)
    with pytest.raises(SourceError):
        Poll(WRI, environment, RunOptions())
    sandbox.control("reset")
    assert len(Poll(WRI, environment, RunOptions()).items) == PLANTS


ANSWERS = [(NLR, "/nlr"), (GEM, "/gem/assets")]
FILES = [(NLR, "/trackers"), (GEM, "/gem/files"), (GEM, "/gem/grid"), (GEM, "/gem/projects")]
PASSING = [
    {"fault": "cut"},
    {"fault": "limited", "retry_after": "0"},
    {"fault": "error"},
]
NO_JSON = [{"fault": "html"}, {"fault": "truncated"}]


@pytest.mark.parametrize(
    ("name", "path", "fault"),
    [(*place, PASSING[0]) for place in ANSWERS + FILES]
    + [(*place, NO_JSON[0]) for place in ANSWERS]
    + [
        pytest.param(*place, fault, marks=pytest.mark.soak)
        for places, faults in ((ANSWERS + FILES, PASSING[1:]), (ANSWERS, NO_JSON[1:]))
        for place in places
        for fault in faults
    ],
    ids=str,
)
def test_whichever_part_of_a_source_fails_in_passing_the_same_records_come(
    sandbox: Sandbox, name: str, path: str, fault: dict[str, Any]
) -> None:
    expected = undisturbed(name, sandbox)
    sandbox.control("fault", path=path, times=2, **fault)
    poll = Poll(name, sandbox.environment(), RunOptions())
    assert poll.items == expected.items
    assert poll.requests == expected.requests + 2
    assert poll.pull.failures == {}
    assert poll.pull.complete_streams == expected.pull.complete_streams


@pytest.mark.parametrize(
    ("name", "path", "streams"),
    [
        (NLR, "/trackers", {"renewable_projects"}),
        (GEM, "/gem/assets", {"power_units"}),
        (GEM, "/gem/files/lng", {"lng_terminals"}),
        (GEM, "/gem/files/units", {"power_units"}),
        (GEM, "/gem/grid/buses", {"substations", "transmission_lines"}),
        (GEM, "/gem/grid/lines", {"transmission_lines"}),
        (GEM, "/gem/projects", {"transmission_projects"}),
    ],
)
@pytest.mark.parametrize(
    "fault",
    ["html", *(pytest.param(one, marks=pytest.mark.soak) for one in ("truncated", "error"))],
)
def test_a_list_that_stays_broken_takes_only_its_stream_and_completes_nothing(
    sandbox: Sandbox, name: str, path: str, streams: set[str], fault: str
) -> None:
    expected = undisturbed(name, sandbox)
    sandbox.control("fault", path=path, fault=fault)
    poll = Poll(name, sandbox.environment(), RunOptions())
    assert poll.pull.failures.keys() == streams
    assert poll.items == [item for item in expected.items if item.stream not in streams]
    assert poll.pull.complete_streams == expected.pull.complete_streams - streams
    assert not poll.pull.complete


def test_a_switch_fails_only_what_it_names_and_a_reset_removes_it(sandbox: Sandbox) -> None:
    sandbox.control("fault", fault="error", path="/alsi", query="page=2")
    address = f"{sandbox.url}/alsi/api?type=eu"
    key = {"x-key": sandbox.environment()["ALSI_API_KEY"]}
    statuses = [httpx.get(address + page, headers=key).status_code for page in ("", "&page=2")]
    assert statuses == [200, 503]
    assert httpx.get(f"{sandbox.url}/healthz").status_code == 200
    sandbox.control("reset")
    assert httpx.get(address + "&page=2", headers=key).status_code == 200


@pytest.mark.parametrize("body", [{}, {"fault": "flood"}, {"fault": "cut", "times": 0}])
def test_a_switch_that_makes_no_sense_is_refused(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert httpx.post(f"{sandbox.url}/control/fault", json=body).status_code == 422
