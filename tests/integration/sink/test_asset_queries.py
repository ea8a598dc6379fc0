"""One asset now, before and through all its versions; assets by place, name and group."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from streams.clickhouse.asset_queries import (
    asset_known_at,
    asset_versions,
    assets_by_id,
    assets_in_box,
    assets_near,
    search_assets,
    versions_of_assets,
)
from streams.clickhouse.bounds import OutOfBoundsError
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.kind_queries import (
    After,
    Filters,
    Sort,
    count_kind,
    list_kind,
    sum_kind,
)
from streams.clickhouse.place import Box
from streams.sink.loader import Loader
from tests.sink.engine import CANONICAL
from tests.sink.records import (
    KAFKA_TIME,
    OBSERVED_AT,
    RECORD,
    batch,
    framed,
    line,
    plant,
    plant_with,
)

pytestmark = pytest.mark.integration


def load(loader: Loader, *records: RECORD, first_offset: int = 0) -> None:
    values = [framed(CANONICAL, record) for record in records]
    assert loader.load(batch(CANONICAL, values, first_offset=first_offset)).rejected == 0


def ids(rows: Sequence[Any]) -> list[str]:
    return [row["record_id"] if isinstance(row, dict) else row.record_id for row in rows]


def test_a_body_says_everything_about_an_asset(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, plant(1), plant(7, version=2**62))
    (found,) = assets_by_id(["plant-7", "unknown"]).run(clickhouse)
    assert (found.kind, found.record_id, found.record_status) == (
        "power_plant",
        "plant-7",
        "current",
    )
    shown = orjson.loads(found.body)
    record = plant(7)
    assert {name: shown[name] for name in record["power_plant"]} == record["power_plant"]
    assert shown["version"] == str(2**62) == str(found.version)
    assert shown["observed_at"] == "2026-01-01T12:00:00.123Z"
    assert shown["members"][0]["lineage"] == {
        "topic": "raw.power_plant",
        "partition": 2,
        "offset": 17,
    }
    assert shown["members"][0]["observed_at"] == "2026-01-01T12:00:00.123Z"
    assert shown["provenance"] == record["provenance"]
    assert (shown["topic"], shown["partition"], shown["offset"]) == (CANONICAL, 0, 1)
    assert shown["published_at"] == "2026-01-01T12:00:00.500Z"
    assert shown["replaced_by"] is None


def test_a_merged_asset_names_its_survivor(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, plant(1), plant(1, version=2, status="merged", replaced_by="plant-2"))
    (found,) = assets_by_id(["plant-1"]).run(clickhouse)
    assert (found.record_status, found.replaced_by) == ("merged", "plant-2")
    assert assets_in_box(Box(-180, -90, 180, 90)).run(clickhouse) == []


def test_an_asset_is_shown_as_it_was_known(clickhouse: ClickHouse, loader: Loader) -> None:
    hours = [OBSERVED_AT + timedelta(hours=hour) for hour in range(4)]
    load(
        loader,
        plant(1, version=10, known_at=hours[0], observed_at=hours[0], flags=["first"]),
        plant(1, version=11, known_at=hours[2], observed_at=hours[0], flags=["second"]),
    )

    def flags_at(moment: Any) -> list[list[str]]:
        rows = asset_known_at("power_plant", "plant-1", moment).run(clickhouse)
        return [orjson.loads(row.body)["flags"] for row in rows]

    before = hours[0] - timedelta(milliseconds=1)
    assert flags_at(before) == []
    assert [flags_at(hour) for hour in hours] == [
        [["first"]],
        [["first"]],
        [["second"]],
        [["second"]],
    ]
    # A rebuild publishes the same past under higher versions, with a better mapping.
    load(
        loader,
        plant(1, version=100, known_at=hours[0], observed_at=hours[0], flags=["first, better"]),
        plant(1, version=101, known_at=hours[2], observed_at=hours[0], flags=["second, better"]),
        first_offset=2,
    )
    assert flags_at(before) == []
    assert [flags_at(hour) for hour in hours[1:3]] == [[["first, better"]], [["second, better"]]]


def test_every_version_of_an_asset_says_when_and_where(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    load(loader, *(plant(1, version=version, flags=[f"v{version}"]) for version in (1, 2, 3)))
    found = asset_versions("power_plant", "plant-1", interim=True).run(clickhouse)
    assert [(row.version, row.partition, row.offset) for row in found] == [
        (3, 0, 2),
        (2, 0, 1),
        (1, 0, 0),
    ]
    assert {row.published_at.timestamp() * 1000 for row in found if row.published_at} == {
        KAFKA_TIME
    }
    assert [orjson.loads(row.body)["flags"] for row in found] == [["v3"], ["v2"], ["v1"]]


def test_of_versions_known_at_one_moment_the_last_is_what_was_known(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    later = OBSERVED_AT + timedelta(days=30)
    # Three units of a release came in one by one, then two of the next.
    known = {1: OBSERVED_AT, 2: OBSERVED_AT, 3: OBSERVED_AT, 4: later, 5: later}
    records = [plant(1, version=version, known_at=at) for version, at in known.items()]
    load(loader, *records, plant(2, version=1))
    assert [row.version for row in asset_versions("power_plant", "plant-1").run(clickhouse)] == [
        5,
        3,
    ]
    (newest,) = asset_versions("power_plant", "plant-1", 1).run(clickhouse)
    assert newest.version == 5
    both = versions_of_assets("power_plant", ["plant-1", "plant-2"]).run(clickhouse)
    assert [orjson.loads(row.body)["record_id"] for row in both] == ["plant-1"] * 2 + ["plant-2"]


def test_a_box_may_cross_the_antimeridian(clickhouse: ClickHouse, loader: Loader) -> None:
    load(
        loader,
        plant_with(1, latitude=-17.0, longitude=179.5),
        plant_with(2, latitude=-17.0, longitude=-179.5),
        plant_with(3, latitude=-17.0, longitude=0.0),
        plant_with(4, latitude=None, longitude=None),
        plant_with(5, latitude=60.0, longitude=179.5),
    )
    assert ids(assets_in_box(Box(179, -20, -179, -10)).run(clickhouse)) == ["plant-1", "plant-2"]
    assert ids(assets_in_box(Box(-1, -20, 1, -10)).run(clickhouse)) == ["plant-3"]
    page = assets_in_box(Box(-180, -90, 180, 90), after="plant-2", limit=2).run(clickhouse)
    assert ids(page) == ["plant-3", "plant-5"]


def test_a_line_meets_a_box_between_its_ends(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, line("long", (40.0, -5.0), (44.0, 3.0)), line("far", (50.0, 10.0), (51.0, 11.0)))
    assert ids(assets_in_box(Box(-1, 41, 0, 42)).run(clickhouse)) == ["long"]
    found = list_kind("transmission_line", Filters(box=Box(-1, 41, 0, 42))).run(clickhouse)
    assert ids(found) == ["long"]
    assert {hit.name for hit in search_assets("arkale").run(clickhouse)} == {"Arkale - Argia"}


def test_the_nearest_come_first_with_their_distance(clickhouse: ClickHouse, loader: Loader) -> None:
    load(
        loader,
        plant_with(1, latitude=41.0, longitude=2.0),
        plant_with(2, latitude=40.0, longitude=2.0),
        plant_with(3, latitude=10.0, longitude=2.0),
        plant_with(4, latitude=None, longitude=None),
        line("line", (30.0, 2.0), (40.5, 2.0)),
    )
    found = assets_near(40.0, 2.0, limit=3).run(clickhouse)
    assert ids(found) == ["plant-2", "line", "plant-1"]
    assert [round(row.measure) for row in found] == [0, 56, 111]
    assert ids(assets_near(40.0, 2.0, within_km=60).run(clickhouse)) == ["plant-2", "line"]
    assert ids(assets_near(40.0, 2.0, ["power_plant"], limit=2).run(clickhouse)) == [
        "plant-2",
        "plant-1",
    ]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Łódź", "plant-1"),
        ("lodz", "plant-1"),
        ("LODZ elektrocieplownia", "plant-1"),
        ("nunoa", "plant-2"),
        ("Grosskraftwerk", "plant-3"),
        ("Großkraftwerk Mannheim", "plant-3"),
        ("barcleona", "plant-4"),
        ("Bracelona", "plant-4"),
        ("Καβάλα", "plant-5"),
        ("kavala", "plant-5"),
    ],
)
def test_search_forgives_accents_and_slips(
    clickhouse: ClickHouse, loader: Loader, text: str, first: str
) -> None:
    load(
        loader,
        plant_with(1, name="Elektrociepłownia Łódź"),
        plant_with(2, name="Central Ñuñoa"),
        plant_with(3, name="Grosskraftwerk Mannheim", aliases=["Großkraftwerk Mannheim"]),
        plant_with(4, name="Port of Barcelona"),
        plant_with(5, name="Kavala", aliases=["Καβάλα"]),
        plant_with(6, name="Something Else"),
        plant_with(7, name="Barcelona", status="withdrawn"),
    )
    found = search_assets(text).run(clickhouse)
    assert found[0].record_id == first
    assert "plant-7" not in ids(found)


def test_a_search_takes_its_text_as_data(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, plant(1))
    assert search_assets("%' OR 1=1 -- \\").run(clickhouse) == []
    assert ids(search_assets("pl").run(clickhouse)) == ["plant-1"]


def test_pages_by_any_column_show_every_asset_once(clickhouse: ClickHouse, loader: Loader) -> None:
    load(
        loader,
        *(
            plant_with(number, capacity_mw=None if number % 3 == 0 else float(number % 4))
            for number in range(20)
        ),
    )
    for descending in (False, True):
        sort = Sort("capacity_mw", descending)
        whole = list_kind("power_plant", sort=sort).run(clickhouse)
        values = [row["capacity_mw"] for row in whole if row["capacity_mw"] is not None]
        assert values == sorted(values, reverse=descending)
        assert [row["capacity_mw"] for row in whole[len(values) :]] == [None] * 7
        paged: list[str] = []
        after: After | None = None
        while page := list_kind("power_plant", sort=sort, after=after, limit=3).run(clickhouse):
            paged += ids(page)
            after = After(page[-1]["capacity_mw"], page[-1]["record_id"])
        assert paged == ids(whole)
        assert len(set(paged)) == 20


def test_a_page_moves_no_other_when_rows_change(clickhouse: ClickHouse, loader: Loader) -> None:
    load(loader, *(plant_with(number, name=f"Plant {number:02}") for number in range(6)))
    sort = Sort("name")
    page = list_kind("power_plant", sort=sort, limit=3).run(clickhouse)
    load(loader, plant_with(0, version=2, status="withdrawn"), first_offset=6)
    after = After(page[-1]["name"], page[-1]["record_id"])
    rest = list_kind("power_plant", sort=sort, after=after, limit=10).run(clickhouse)
    assert ids(rest) == ["plant-3", "plant-4", "plant-5"]


def test_filters_narrow_a_list(clickhouse: ClickHouse, loader: Loader) -> None:
    load(
        loader,
        plant_with(1, primary_fuel="wind", capacity_mw=50.0),
        plant_with(2, primary_fuel="wind", capacity_mw=150.0),
        plant_with(3, primary_fuel="solar", capacity_mw=150.0, country_code="PT"),
        plant_with(4, primary_fuel="wind", capacity_mw=None),
        plant_with(5, primary_fuel="gas", other_fuels=["coal"], capacity_mw=5.0),
    )

    def listed(filters: Filters) -> list[str]:
        (total,) = count_kind("power_plant", filters).run(clickhouse)
        found = ids(list_kind("power_plant", filters).run(clickhouse))
        assert len(found) == total
        return found

    wind = Filters(words={"primary_fuel": ["wind"]}, at_least={"capacity_mw": 100})
    assert listed(wind) == ["plant-2"]
    assert listed(Filters(words={"primary_fuel": ["solar", "gas"]})) == ["plant-3", "plant-5"]
    assert listed(Filters(at_most={"capacity_mw": 50})) == ["plant-1", "plant-5"]
    assert listed(Filters(words={"other_fuels": ["coal"], "country_code": ["ES"]})) == ["plant-5"]


def test_operating_capacity_is_apart_from_planned_and_retired(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    def is_(number: int, status: str, capacity: float | None) -> RECORD:
        record = plant_with(number, capacity_mw=capacity)
        record["power_plant"]["status"] = status
        return record

    load(
        loader,
        is_(1, "operating", 10.0),
        is_(2, "operating", 5.0),
        is_(3, "construction", 100.0),
        is_(4, "retired", 1000.0),
        is_(5, "mothballed", None),
    )
    (row,) = sum_kind("power_plant", ["country_code", "primary_fuel"], ["capacity_mw"]).run(
        clickhouse
    )
    assert row == {
        "country_code": "ES",
        "primary_fuel": "wind",
        "assets": 5,
        "operating_assets": 2,
        "operating_capacity_mw": 15.0,
        "planned_assets": 1,
        "planned_capacity_mw": 100.0,
        "retired_assets": 1,
        "retired_capacity_mw": 1000.0,
        "other_assets": 1,
        "other_capacity_mw": None,
    }
    (total,) = sum_kind("power_plant", [], ["capacity_mw"]).run(clickhouse)
    assert total["operating_capacity_mw"] == 15.0


@pytest.mark.parametrize(
    "ask",
    [
        lambda: list_kind("power_plant", Filters(words={"no_column": ["x"]})),
        lambda: list_kind("power_plant", Filters(at_least={"capacity_mw": float("nan")})),
        lambda: list_kind("power_plant", Filters(words={"capacity_mw": ["x"]})),
        lambda: list_kind("power_plant", sort=Sort("generation")),
        lambda: list_kind("lng_inventory"),
        lambda: list_kind("power_plant", limit=0),
        lambda: assets_by_id([]),
        lambda: assets_by_id(["x" * 201]),
        lambda: search_assets("\x00"),
        lambda: assets_near(91, 0),
        lambda: Box(0, 10, 1, 9),
        lambda: sum_kind("power_plant", ["capacity_mw"]),
        lambda: asset_known_at("power_plant", "x", OBSERVED_AT.replace(tzinfo=None)),
        lambda: asset_known_at("power_plant", "x", OBSERVED_AT.replace(year=28)),
    ],
)
def test_what_has_no_bounds_is_refused_before_it_is_asked(ask: Any) -> None:
    with pytest.raises(OutOfBoundsError, match="must be"):
        ask()
