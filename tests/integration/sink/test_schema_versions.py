"""Schemas and tables of older and newer versions."""

import orjson
import pytest

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.counts import count_current
from streams.clickhouse.schema import ensure_schema
from streams.clickhouse.tables import ROW_JSON, kinds
from streams.core.errors import SinkError
from streams.sink.loader import Loader
from tests.sink.engine import (
    CANONICAL,
    NEWER_ID,
    OLDER_ID,
    loader_of,
    newer_schema,
    older_schema,
    plants,
    prepared_rows,
)
from tests.sink.records import WEIGHTS, batch, framed, framed_with, plant

pytestmark = pytest.mark.integration


def test_records_of_every_schema_version_share_the_tables(
    clickhouse: ClickHouse, loader: Loader
) -> None:
    older, newer = plant(1), plant(3)
    del older["power_plant"]["owner"]
    newer["power_plant"]["height_m"] = 12.5
    values = [
        framed_with(older_schema(), OLDER_ID, older),
        framed(CANONICAL, plant(2)),
        framed_with(newer_schema(), NEWER_ID, newer),
    ]
    result = loader.load(batch(CANONICAL, values))
    assert (result.loaded, result.rejected) == (3, 0)
    assert clickhouse.query("SELECT record_id, name, owner FROM power_plants ORDER BY 1").rows == [
        (f"plant-{number}", f"Plant {number}", None) for number in (1, 2, 3)
    ]


def test_the_schema_can_be_ensured_again(clickhouse: ClickHouse, loader: Loader) -> None:
    loader.load(plants([1]))
    ensure_schema(clickhouse, WEIGHTS)
    assert count_current(clickhouse)["power_plant"] == 1


def test_a_missing_column_is_added(clickhouse: ClickHouse, loader: Loader) -> None:
    """A newer contract brings fields; rows loaded before show null there."""
    loader.load(plants([1]))
    for table in (kinds()["power_plant"].versions, kinds()["power_plant"].latest):
        clickhouse.command(f"ALTER TABLE {table.name} DROP COLUMN owner")
    clickhouse.command(
        f"ALTER TABLE store_power_plants_latest UPDATE {ROW_JSON.name} = '{{}}' WHERE true "
        "SETTINGS mutations_sync = 2"
    )
    ensure_schema(clickhouse, WEIGHTS)
    (row,) = prepared_rows(clickhouse, "power_plant")
    assert orjson.loads(row)["owner"] is None
    value = framed(CANONICAL, plant(2))
    loader_of(clickhouse, "first life of the topic").load(batch(CANONICAL, [value], first_offset=1))
    assert clickhouse.query("SELECT record_id, owner FROM power_plants ORDER BY 1").rows == [
        ("plant-1", None),
        ("plant-2", None),
    ]


def test_a_column_of_another_type_is_refused_with_advice(clickhouse: ClickHouse) -> None:
    clickhouse.command("ALTER TABLE store_quality_scores MODIFY COLUMN score String")
    try:
        with pytest.raises(SinkError, match=r"store_quality_scores.*column score.*drop"):
            ensure_schema(clickhouse, WEIGHTS)
    finally:
        clickhouse.command("ALTER TABLE store_quality_scores MODIFY COLUMN score Float64")
