"""The feed of changes: whoever follows it has what ClickHouse has, whatever happens meanwhile."""

import time
from collections.abc import Iterator
from datetime import date
from random import Random

import httpx
import pytest

from streams.clickhouse.client import ClickHouse
from streams.serve.addresses import PREFIX
from streams.settings import Settings
from tests.bench.serving_data import TOPIC_ID
from tests.serve.client import Api, free_port, running_api
from tests.serve.data import load, publish
from tests.serve.feed_copy import Copy, follow
from tests.sink.engine import empty_tables, loader_of
from tests.sink.records import RECORD, gas_day, plant_with

DEADLINE_SECONDS = 30.0


def stored(clickhouse: ClickHouse) -> dict[tuple[str, str], tuple[str, int]]:
    """The same of ClickHouse."""
    rows = clickhouse.query("SELECT kind, record_id, record_status, version FROM infrastructure")
    return {(kind, record_id): (status, version) for kind, record_id, status, version in rows.rows}


def follow_pages(api: Api, copy: Copy, **asked: str) -> None:
    """Read up to the end of the feed."""
    while True:
        params = asked | ({"since": copy.cursor} if copy.cursor else {})
        answer = api.client.get(f"{PREFIX}/changes", params=params)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        for change in body["data"]:
            copy.take(change)
        copy.cursor = body["cursor"]
        if not body["more"]:
            return


def test_pages_give_every_version_once(api: Api, clickhouse: ClickHouse) -> None:
    copy = Copy()
    follow_pages(api, copy, limit="50")
    assert copy.content() == stored(clickhouse)
    ((versions,),) = clickhouse.query("SELECT count() FROM changes").rows
    assert copy.seen == versions
    before = copy.seen
    follow_pages(api, copy)
    assert copy.seen == before


def test_only_some_kinds_may_be_followed(api: Api, clickhouse: ClickHouse) -> None:
    copy = Copy()
    follow_pages(api, copy, kind="transmission_line", limit="3")
    assert {kind for kind, _ in copy.records} == {"transmission_line"}
    assert copy.seen == 1


def test_now_is_the_end_of_the_feed(api: Api) -> None:
    body = api.get("changes?since=now").json()
    assert (body["data"], body["more"]) == ([], False)


@pytest.mark.parametrize("cursor", ["abc", "WzEsMl0", "WyJiZW5jaCIseyIwIjotNX1d"])
def test_a_foreign_cursor_is_refused(api: Api, cursor: str) -> None:
    answer = api.get(f"changes?since={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "since")


def test_a_cursor_of_a_recreated_topic_is_gone(api: Api) -> None:
    # ["another life", {"0": 5}]
    answer = api.get("changes?since=WyJhbm90aGVyIGxpZmUiLHsiMCI6NX1d")
    assert (answer.status_code, answer.json()["type"]) == (410, "topic-recreated")


def _revisions() -> list[RECORD]:
    return [plant_with(1000 + number, name=f"first {number}") for number in range(40)] + [
        plant_with(1000 + number, version=2, name=f"second {number}") for number in range(20)
    ]


def _merges_and_days() -> list[RECORD]:
    merged = [
        plant_with(1000 + number, version=3, status="merged") | {"replaced_by": "plant-1039"}
        for number in range(10)
    ]
    withdrawn = [plant_with(1030, version=2, status="withdrawn")]
    days = [gas_day(date(2026, 1, number), version=number) for number in range(1, 20)]
    return merged + withdrawn + days


def _rebuild() -> list[RECORD]:
    """A rebuild publishes everything again under higher versions."""
    again = 2**56
    return [plant_with(1000 + number, version=again, name="rebuilt") for number in range(40)]


@pytest.fixture
def loaded_again(clickhouse: ClickHouse, api: Api) -> Iterator[None]:
    """The engine that all tests here share has its own data again when the test is over."""
    asked = ("power-plants?limit=1000", "lng-inventory")
    before = [api.data(address) for address in asked]
    yield
    _load_again(clickhouse)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while [api.data(address) for address in asked] != before:
        assert time.monotonic() < deadline


def _load_again(clickhouse: ClickHouse) -> None:
    empty_tables(clickhouse)
    load(clickhouse)


@pytest.mark.usefixtures("loaded_again")
def test_a_copy_kept_by_events_alone_equals_the_data(clickhouse: ClickHouse) -> None:
    """Through connections that break anywhere, restarts, repeats, merges, a rebuild, a reload."""
    random = Random(1)
    loader = loader_of(clickhouse, TOPIC_ID)
    copy = Copy()
    published: list[RECORD] = []
    for records in (_revisions(), _merges_and_days(), _rebuild()):
        with running_api(
            Settings(clickhouse_dsn=clickhouse.address, api_port=free_port())
        ) as client:
            follow(client, copy, most=random.randrange(1, 200))
            publish(loader, 3, len(published), records)
            # Loaded again after a crash, cut elsewhere.
            publish(loader, 3, len(published) + 7, records[7:])
            published += records
            _follow_to_the_end(client, copy, clickhouse, random)
    seen = copy.seen
    _load_again(clickhouse)
    publish(loader_of(clickhouse, TOPIC_ID), 3, 0, published)
    with running_api(Settings(clickhouse_dsn=clickhouse.address, api_port=free_port())) as client:
        last = [plant_with(1000, version=2**57, name="after the reload")]
        publish(loader, 3, len(published), last)
        _follow_to_the_end(client, copy, clickhouse, random)
    assert copy.seen == seen + 1
    ((versions,),) = clickhouse.query("SELECT count() FROM changes").rows
    assert copy.seen == versions
    rebuilt = copy.records["power_plant", "plant-1000"]
    assert rebuilt["name"] == "after the reload"


def _follow_to_the_end(
    client: httpx.Client, copy: Copy, clickhouse: ClickHouse, random: Random
) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while copy.content() != stored(clickhouse):
        assert time.monotonic() < deadline
        follow(client, copy, most=random.randrange(1, 60))
