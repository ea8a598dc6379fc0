"""Series of gas days by any of their names, now, as they were known, and all their versions."""

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow.parquet
import pytest

from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.client import ClickHouse
from streams.core.canonical import canonical_record
from streams.serve.data_version import DataVersion
from streams.serve.kept import Kept
from streams.serve.pool import Reader
from streams.serve.series import SeriesDirectory, SeriesReader
from tests.bench.serving_data import TOPIC_ID
from tests.core.series import raw_day, series_of
from tests.serve.client import Api
from tests.serve.data import BARCELONA, publish
from tests.sink.engine import loader_of

DAY = "start_date=2025-10-01&end_date=2025-10-01"


def test_a_series_is_found_by_every_name(api: Api) -> None:
    facility, _, company = BARCELONA.partition("/")
    answers = [
        api.get(f"lng-inventory/{name}?start_date=2025-10-01&end_date=2025-10-31").json()
        for name in ("ES_BARCELONA", "es_barcelona", facility, company)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert [row["gas_day"] for row in answers[0]["data"]] == [
        f"2025-10-0{day}" for day in range(1, 6)
    ]
    assert answers[0]["series"][0]["series_id"] == "ES_BARCELONA"
    unknown = api.get("lng-inventory/ES_NOWHERE")
    assert unknown.status_code == 404
    assert "ES_BARCELONA" in unknown.json()["detail"]


def test_without_dates_the_newest_sixty_days_are_answered(api: Api) -> None:
    series = {one["series_id"]: one for one in api.data("lng-inventory")}
    assert series["ES_BARCELONA"]["last_gas_day"] == "2025-10-05"
    rows = api.data("lng-inventory/ES_BARCELONA")
    assert [row["gas_day"] for row in rows][-1] == "2025-10-05"
    assert api.data("lng-inventory/ES_BARCELONA?end_date=2025-10-02")[-1]["gas_day"] == "2025-10-02"


def test_a_revised_gas_day_has_both_values_each_at_its_time(api: Api) -> None:
    def inventory(**asked: str) -> list[float]:
        query = "".join(f"&{name}={value}" for name, value in asked.items())
        return [
            row["inventory_gwh"] for row in api.data(f"lng-inventory/ES_BARCELONA?{DAY}{query}")
        ]

    assert inventory() == [1100.0]
    assert inventory(known_at="2025-10-01T00:00:00Z") == []
    assert inventory(known_at="2025-10-02T19:45:00Z") == [1000.0]
    assert inventory(known_at="2025-10-20T19:44:59Z") == [1000.0]
    assert inventory(known_at="2025-10-20T19:45:00Z") == [1100.0]
    assert inventory(revisions="all") == [1000.0, 1100.0]
    vintages = api.data("lng-inventory/ES_BARCELONA/vintages")
    assert (vintages[0]["known_at"], vintages[0]["first_gas_day"]) == (
        "2025-10-20T19:45:00Z",
        "2025-10-01",
    )


@pytest.mark.real_data
def test_a_real_gas_day_that_was_corrected_has_both_values(
    api: Api, clickhouse: ClickHouse, real_data: Path
) -> None:
    """The EU's 2026-04-30, as it was captured before and after its correction."""
    seen = json.loads((real_data / "alsi/eu_revision_example.json").read_text(encoding="utf-8"))
    before, after = (one["row"] for one in seen)
    times = datetime(2026, 5, 2, 20, tzinfo=UTC), datetime(2026, 5, 4, 20, tzinfo=UTC)
    raws = [
        raw_day(
            date(2026, 4, 30),
            fetched=fetched,
            scope={"scope": "eu", "country": None},
            lng=row["inventory"]["lng"],
            gwh=row["inventory"]["gwh"],
            sendOut=row["sendOut"],
            dtrs=row["dtrs"],
            status="E",
        )
        for row, fetched in zip((before, after), times, strict=True)
    ]
    published = [
        dict(canonical_record(change.stored, change.published, change.known_at))
        for found in series_of(raws).observed
        for change in found.changes
        if change.published is not None and change.stored is not None
    ]
    publish(loader_of(clickhouse, TOPIC_ID), 3, 1_000_000, published)
    deadline = time.monotonic() + 15
    while api.get("lng-inventory/EU").status_code == httpx.codes.NOT_FOUND:
        assert time.monotonic() < deadline, "the API knows no new series"
        time.sleep(0.05)

    def figures(asked: str = "") -> list[tuple[float, float]]:
        address = f"lng-inventory/EU?start_date=2026-04-30&end_date=2026-04-30{asked}"
        return [(row["inventory_gwh"], row["send_out_gwh_per_day"]) for row in api.data(address)]

    assert figures() == [(32128.99, 4411.5)]
    assert figures("&known_at=2026-05-03T00:00:00Z") == [(32884.97, 4355.4)]
    assert figures("&known_at=2026-05-01T00:00:00Z") == []
    assert figures("&revisions=all") == [(32884.97, 4355.4), (32128.99, 4411.5)]


def test_the_same_days_come_as_a_table(api: Api) -> None:
    rows = api.data(f"lng-inventory/ES_BARCELONA?{DAY}")
    answer = api.get(f"lng-inventory/ES_BARCELONA?{DAY}&format=parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    (row,) = table.to_pylist()
    assert row["inventory_gwh"] == rows[0]["inventory_gwh"]
    assert str(row["gas_day"]) == rows[0]["gas_day"]
    assert list(row) == list(rows[0])


def test_wrong_days_are_named(api: Api) -> None:
    for query, parameter in (
        ("start_date=2025-13-01", "start_date"),
        ("start_date=0028-01-01", "start_date"),
        ("end_date=2200-01-01", "end_date"),
        ("start_date=5", "start_date"),
        ("start_date=2025-10-02&end_date=2025-10-01", "start_date"),
        ("known_at=2025-10-02T19:45:00", "known_at"),
        ("known_at=0028-01-01T00:00:00Z", "known_at"),
        ("revisions=all&known_at=2025-10-02T19:45:00Z", "known_at"),
    ):
        answer = api.get(f"lng-inventory/ES_BARCELONA?{query}")
        assert answer.status_code == 400, query
        assert answer.json()["errors"][0]["parameter"] == parameter


class CountedQueries(Reader):
    """Answers as ClickHouse would, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__("chdb://nowhere")
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def answer(self, query: BoundQuery[Any], output_format: str) -> bytes:
        self.asked += 1
        self.meanwhile()
        return b"ES\t[%d]\n" % self.asked


class OneSeries(SeriesDirectory):
    """Knows Spain."""

    def entities(self, series_ids: Iterable[str]) -> list[Any]:
        return [SimpleNamespace(entity_id=name) for name in series_ids]


def test_days_are_read_once_for_each_version_of_the_data() -> None:
    queries = CountedQueries()
    version = DataVersion(queries)
    days = SeriesReader(queries, OneSeries(queries, version), Kept(version))

    def read(first: date = date(2026, 1, 1)) -> list[bytes]:
        return list(asyncio.run(days.days(["ES"], first, date(2026, 3, 1))))

    assert [read(), read()] == [[b"[1]"], [b"[2]"]], "nothing is kept without a version"
    version.current = "one"
    assert [read(), read()] == [[b"[3]"], [b"[3]"]]
    assert read(date(2026, 2, 1)) == [b"[4]"]
    version.current = "two"
    queries.meanwhile = lambda: setattr(version, "current", "three")
    assert read() == [b"[5]"]
    queries.meanwhile = lambda: None
    assert [read(), read()] == [[b"[6]"], [b"[6]"]], "it changed while the fifth was read"
