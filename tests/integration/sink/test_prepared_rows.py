"""What lists and series answer from the prepared column is what the other columns say."""

from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.avro.contracts import contract
from streams.clickhouse.bounds import FIRST_DAY, LAST_DAY
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.gas_days import DAY_COLUMNS
from streams.clickhouse.kind_queries import After, Filters, Near, Sort
from streams.clickhouse.series_queries import SeriesDay, day_table, prepared_days, series_days
from streams.clickhouse.tables import KINDS, SERIES_KINDS, kinds
from streams.sink.loader import Loader
from tests.avro.values import values
from tests.sink.engine import CANONICAL, OLDER_ID, older_schema, prepared_rows, texts
from tests.sink.records import (
    batch,
    canonical,
    framed,
    framed_with,
    gas_day,
    kind_schema,
    plant,
    plant_with,
)

pytestmark = pytest.mark.integration


def test_days_are_written_as_they_are_read() -> None:
    assert tuple(SeriesDay.__dataclass_fields__) == ("series_id", *DAY_COLUMNS)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - SERIES_KINDS))
@given(data=st.data())
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_row_is_what_its_columns_say(
    clickhouse: ClickHouse, loader: Loader, kind: str, data: st.DataObject
) -> None:
    fields = contract(CANONICAL).parsed()["fields"]
    payloads = data.draw(st.lists(values(kind_schema(fields, kind), {}), min_size=10, max_size=10))
    records = [canonical(kind, str(number), one, 1, {}) for number, one in enumerate(payloads)]
    clickhouse.command(f"TRUNCATE TABLE {kinds()[kind].latest.name}")
    loader.load(batch(CANONICAL, [framed(CANONICAL, record) for record in records]))
    assert len(prepared_rows(clickhouse, kind)) == len(records)


def test_what_only_a_question_gives_comes_after_it(clickhouse: ClickHouse, loader: Loader) -> None:
    records = [plant_with(number, latitude=40.0 + number, longitude=2.0) for number in range(1, 5)]
    loader.load(batch(CANONICAL, [framed(CANONICAL, record) for record in records]))
    near = Filters(near=Near(40.0, 2.0, 400.0))
    asked: dict[str, Any] = {"filters": near, "sort": Sort("distance_km"), "limit": 2}
    _, last_row = prepared_rows(clickhouse, "power_plant", **asked)
    last = orjson.loads(last_row)
    after = After(last["distance_km"], last["record_id"])
    assert len(prepared_rows(clickhouse, "power_plant", **asked, after=after)) == 1
    hits = Filters(hits=["plant-3", "plant-1"])
    found = prepared_rows(clickhouse, "power_plant", filters=hits, sort=Sort("search_rank"))
    assert len(found) == 2


def test_what_a_writer_did_not_know_is_null(clickhouse: ClickHouse, loader: Loader) -> None:
    older = plant(1)
    del older["power_plant"]["owner"]
    loader.load(batch(CANONICAL, [framed_with(older_schema(), OLDER_ID, older)]))
    assert len(prepared_rows(clickhouse, "power_plant")) == 1


def test_gas_days_are_what_their_columns_say(clickhouse: ClickHouse, loader: Loader) -> None:
    records = [gas_day(date(2025, 10, number), flags=[]) for number in range(1, 4)]
    records[1]["lng_inventory"] |= {"scope": "terminal", "terminal_id": "ES_BARCELONA"}
    loader.load(batch(CANONICAL, [framed(CANONICAL, record) for record in records]))
    entities = [records[0]["lng_inventory"]["entity_id"]]
    days = day_table(series_days(entities, FIRST_DAY, LAST_DAY))
    prepared = texts(clickhouse, prepared_days(entities, FIRST_DAY, LAST_DAY), "TSVRaw")
    lines = texts(clickhouse, days, "JSONEachRow")
    names = [orjson.loads(line)["series_id"].encode() for line in lines]
    assert set(names) == {b"ES_BARCELONA", b"EU"}
    assert prepared == [b"%s\t%s" % one for one in zip(names, lines, strict=True)]
