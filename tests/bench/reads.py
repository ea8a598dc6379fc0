"""How long the queries of the product take on the embedded engine, one client, caches warm."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from streams.clickhouse.asset_queries import (
    asset_known_at,
    asset_versions,
    assets_by_id,
    assets_in_box,
    assets_near,
    search_assets,
)
from streams.clickhouse.bound_query import READ_SETTINGS, BoundQuery
from streams.clickhouse.change_queries import Positions, changes_between
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.kind_queries import Filters, Sort, list_kind, sum_kind
from streams.clickhouse.place import Box
from streams.clickhouse.schema import ensure_schema
from streams.clickhouse.series_queries import (
    find_series,
    series_days,
    series_known_at,
    series_vintages,
)
from streams.topics import PARTITIONS
from tests.bench.serving_data import (
    FIRST_DAY,
    Size,
    asset_ids,
    entity_ids,
    fill,
    parts_of,
    wait_merged,
)
from tests.sink.records import WEIGHTS

_SETTINGS = {**READ_SETTINGS, "max_threads": 1}
_RUNS = 200
_WARM_UP = 10
_QUERY_SECONDS = 20.0

Ask = Callable[[Random], BoundQuery[Any]]


@dataclass(frozen=True, slots=True)
class ReadTime:
    """Milliseconds of one query.

    Attributes:
        processor: Processor time, which others on the machine do not change.
    """

    what: str
    median: float
    p99: float
    processor: float


def read_times(home: Path, size: Size) -> Iterator[str | ReadTime]:
    """Fill an engine, wait for its merges and time every query; says what it does meanwhile.

    Raises:
        InfrastructureError: merges do not come down to a few parts by themselves.
    """
    clickhouse = ClickHouse(f"chdb://{home}")
    try:
        ensure_schema(clickhouse, WEIGHTS)
        began = time.monotonic()
        versions = fill(clickhouse, size)
        yield f"{versions:,} versions loaded in {time.monotonic() - began:.0f} s"
        yield f"parts right after: {parts_of(clickhouse)}"
        yield f"parts {wait_merged(clickhouse):.0f} s later: {parts_of(clickhouse)}"
        for what, ask in _queries(size).items():
            yield _timed(clickhouse, what, ask)
    finally:
        clickhouse.close()


def _timed(clickhouse: ClickHouse, what: str, ask: Ask) -> ReadTime:
    random = Random(1)
    times: list[float] = []
    deadline = time.monotonic() + _QUERY_SECONDS
    for _ in range(_WARM_UP):
        _run(clickhouse, ask(random))
    processor = time.process_time()
    while len(times) < _RUNS and time.monotonic() < deadline:
        times.append(_run(clickhouse, ask(random)))
    processor = (time.process_time() - processor) * 1000 / len(times)
    p99 = statistics.quantiles(times, n=100)[98]
    return ReadTime(what, statistics.median(times), p99, processor)


def _run(clickhouse: ClickHouse, query: BoundQuery[Any]) -> float:
    """Milliseconds until the answer is here, in ClickHouse's own format, as the API sends it."""
    began = time.perf_counter()
    clickhouse.formatted(query.sql, "JSONCompactEachRow", query.parameters, _SETTINGS)
    return (time.perf_counter() - began) * 1000


def _queries(size: Size) -> dict[str, Ask]:
    ids, entities = asset_ids(size), entity_ids(size)
    last = FIRST_DAY + timedelta(days=size.days - 1)
    recent = last - timedelta(days=59)
    then = datetime(2023, 6, 1, tzinfo=UTC)
    loaded = Positions("bench", dict.fromkeys(range(PARTITIONS), 10**9))
    middle = Positions("bench", dict.fromkeys(range(PARTITIONS), 10_000))

    def entity(random: Random) -> Sequence[str]:
        return [random.choice(entities)]

    def box(random: Random, degrees: float) -> Box:
        west, south = random.uniform(-175, 170), random.uniform(-60, 60)
        return Box(west, south, west + degrees, south + degrees)

    return {
        "asset by id": lambda random: assets_by_id([random.choice(ids)]),
        "25 assets by id": lambda random: assets_by_id(random.sample(ids, 25)),
        "asset as known at a time": lambda random: asset_known_at(
            "power_plant", random.choice(ids), then
        ),
        "versions of an asset": lambda random: asset_versions("power_plant", random.choice(ids)),
        "series, 60 days": lambda random: series_days(entity(random), recent, last),
        "series, 5 years": lambda random: series_days(entity(random), FIRST_DAY, last),
        "series, 60 days, as known at a time": lambda random: series_known_at(
            entity(random), recent, last, datetime(2026, 1, 1, tzinfo=UTC)
        ),
        "series, 5 years, as known at a time": lambda random: series_known_at(
            entity(random), FIRST_DAY, last, then
        ),
        "25 series, 60 days": lambda random: series_days(random.sample(entities, 25), recent, last),
        "vintages, 5 years": lambda random: series_vintages(entity(random), FIRST_DAY, last),
        "series of a name": lambda random: find_series(f"ES_TERMINAL_{10 * random.randrange(6)}"),
        "list of 101, country and fuel": lambda random: list_kind(
            "power_plant",
            Filters(words={"country_code": ["ES"], "primary_fuel": ["wind"]}),
            limit=101,
        ),
        "list of 101, by capacity": lambda random: list_kind(
            "power_plant", sort=Sort("capacity_mw", descending=True), limit=101
        ),
        "box of 5 x 5 degrees": lambda random: assets_in_box(box(random, 5)),
        "all assets for a map": lambda random: assets_in_box(
            Box(-180, -90, 180, 90), limit=100_000
        ),
        "nearest 10": lambda random: assets_near(
            random.uniform(-60, 60), random.uniform(-180, 180)
        ),
        "search": lambda random: search_assets(
            random.choice(("Krafwerk Mühle 17", "sao norte", "Lodz"))
        ),
        "sums by country and fuel": lambda random: sum_kind(
            "power_plant", ["country_code", "primary_fuel"], ["capacity_mw"]
        ),
        "1,000 changes of a partition": lambda random: changes_between(
            middle, Positions("bench", {random.randrange(PARTITIONS): 10**9}), limit=1000
        ),
        "no changes": lambda random: changes_between(loaded, loaded),
    }
