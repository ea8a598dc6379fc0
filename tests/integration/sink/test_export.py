"""An export read back: the same bytes for the same data, and columns as its dictionary says."""

import io
import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from frictionless import Package

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.export_reader import ExportReader
from streams.clickhouse.views import views
from streams.commands.export import write_package
from tests.serve.data import publish
from tests.sink.engine import empty_tables, loader_of
from tests.sink.records import RECORD, WEIGHTS, gas_day, plant_with

pytestmark = pytest.mark.integration

VIEWS = views(WEIGHTS)
RECORDS: Sequence[RECORD] = [
    *(plant_with(number % 30, version=1 + number // 30) for number in range(90)),
    *(gas_day(date(2026, 1, 1) + timedelta(days=number)) for number in range(20)),
]

_ARROW_TYPES = {
    "string": ("string", "binary"),
    "number": ("double",),
    "integer": ("int32", "int64", "uint32", "uint64"),
    "boolean": ("bool",),
    "date": ("date32[day]",),
    "datetime": ("timestamp[ms, tz=UTC]",),
    "array": ("list",),
    "object": ("struct",),
}


def exported(clickhouse: ClickHouse, folder: Path) -> dict[str, bytes]:
    with ExportReader(clickhouse.address) as reader:
        write_package(reader.parquet, VIEWS, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_data_give_the_same_bytes_however_they_were_loaded(
    clickhouse: ClickHouse, tmp_path: Path
) -> None:
    publish(loader_of(clickhouse, "topic"), 0, 0, RECORDS)
    first = exported(clickhouse, tmp_path / "first")
    assert first.keys() == {f"{view.name}.parquet" for view in VIEWS} | {"datapackage.json"}
    assert exported(clickhouse, tmp_path / "first") == first

    empty_tables(clickhouse)
    again = loader_of(clickhouse, "topic")
    for start in reversed(range(0, len(RECORDS), 11)):
        publish(again, 0, start, RECORDS[start : start + 11])
    second = exported(clickhouse, tmp_path / "second")
    # `loaded` is how far, not what: it goes back here, which a sink never does.
    assert {name for name in first if first[name] != second[name]} <= {
        "loaded.parquet",
        "datapackage.json",
    }


def test_files_are_what_the_dictionary_says(clickhouse: ClickHouse, tmp_path: Path) -> None:
    publish(loader_of(clickhouse, "topic"), 0, 0, RECORDS)
    files = exported(clickhouse, tmp_path)
    package = json.loads(files["datapackage.json"])
    assert list(Package.metadata_validate(package)) == []
    rows = {}
    for resource in package["resources"]:
        content = files[resource["path"]]
        assert resource["bytes"] == len(content)
        table = pyarrow.parquet.read_table(io.BytesIO(content))
        rows[resource["title"]] = table.num_rows
        for field, column in zip(resource["schema"]["fields"], table.schema, strict=True):
            assert field["name"] == column.name
            assert str(column.type).startswith(_ARROW_TYPES[field["type"]]), (column, field)
            assert field["constraints"]["required"] == (not column.nullable), column
    assert rows["power_plants"] == 30
    assert rows["power_plants_history"] == 90
    assert rows["lng_inventory_days"] == 20


def test_views_have_the_columns_and_the_words_of_their_declaration(clickhouse: ClickHouse) -> None:
    for view in VIEWS:
        found = clickhouse.query(
            "SELECT name, type, comment FROM system.columns "
            "WHERE database = currentDatabase() AND table = {view:String} ORDER BY position",
            {"view": view.name},
        ).rows
        assert [(name, "".join(type_.split()), comment) for name, type_, comment in found] == [
            (column.name, "".join(column.type.split()), column.comment) for column in view.columns
        ]
