"""From the model of version 1, filled by the sink of that time, to the present one.

`model_1/` is what that sink left behind: the statements of every table and view, and every row.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.clickhouse.asset_queries import asset_known_at, assets_by_id, search_assets
from streams.clickhouse.change_queries import loaded_positions
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.migrations import (
    CURRENT_VERSION,
    MIGRATIONS,
    Migration,
    model_version,
    pending,
)
from streams.clickhouse.schema import ensure_schema
from streams.clickhouse.tables import ROW_JSON, SERIES_KINDS, kinds, tables
from streams.core.errors import SinkError
from tests.sink.engine import CANONICAL, loader_of, prepared_rows
from tests.sink.http_server import serving
from tests.sink.records import OBSERVED_AT, WEIGHTS, batch, framed, plant

pytestmark = pytest.mark.integration

MODEL_1 = Path(__file__).parent / "model_1"


@pytest.fixture(scope="module", autouse=True)
def _present_model_afterwards(engine: ClickHouse) -> Iterator[None]:
    """Whatever a test leaves is replaced for other modules."""
    yield
    _drop_everything(engine)
    ensure_schema(engine, WEIGHTS)


@pytest.fixture
def model_1(engine: ClickHouse) -> ClickHouse:
    """The engine with the tables and rows of version 1."""
    _fill_model_1(engine)
    return engine


@dataclass(frozen=True, slots=True)
class Migrated:
    """The engine after a migration, which the tests of what it leaves share.

    Attributes:
        before: Content of each table of version 1.
        steps: Versions that the migration went through.
    """

    engine: ClickHouse
    before: Mapping[str, Sequence[Any]]
    steps: Sequence[int]


@pytest.fixture(scope="module")
def migrated(engine: ClickHouse) -> Migrated:
    """Tests that ask for it come before those that ask for `model_1`."""
    _fill_model_1(engine)
    assert model_version(engine) == 1
    columns = {table: list(rows[0]) for table, rows in stored_rows().items()}
    before = {table: content(engine, table, columns[table]) for table in columns}
    return Migrated(engine, before, [step.version for step in ensure_schema(engine, WEIGHTS)])


def _fill_model_1(engine: ClickHouse) -> None:
    _drop_everything(engine)
    for statement in (MODEL_1 / "model.sql").read_text(encoding="utf-8").split(";\n"):
        engine.command(statement)
    for table, rows in stored_rows().items():
        engine.command(f"INSERT INTO {table} FORMAT JSONEachRow {json.dumps(rows)[1:-1]}")


def _drop_everything(clickhouse: ClickHouse) -> None:
    names = clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        "ORDER BY engine LIKE '%View' DESC"
    ).rows
    for (name,) in names:
        clickhouse.command(f"DROP TABLE IF EXISTS {name} SYNC")


def stored_rows() -> Mapping[str, Sequence[dict[str, Any]]]:
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (MODEL_1 / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        rows[entry["table"]].append(entry["row"])
    return rows


def content(clickhouse: ClickHouse, table: str, columns: Sequence[str]) -> Sequence[Any]:
    names = ", ".join(f"`{name}`" for name in columns)
    return clickhouse.query(f"SELECT {names} FROM {table} FINAL ORDER BY ALL").rows


def _now(table: str) -> str:
    """What a table of version 1 is called now."""
    return f"{table}_by_day" if "lng_inventory" in table else table


def test_every_row_is_intact_and_reads_as_before(migrated: Migrated) -> None:
    assert migrated.steps == [step.version for step in MIGRATIONS]
    assert model_version(migrated.engine) == CURRENT_VERSION
    before = migrated.before
    for table, rows in stored_rows().items():
        assert content(migrated.engine, _now(table), list(rows[0])) == before[table]
    for kind in kinds().values():
        name = kind.versions.name.removesuffix("_by_day")
        keys = {(row["record_id"], row["version"]) for row in stored_rows().get(name, [])}
        assert len(before.get(name, [])) == len(keys)


def test_new_columns_are_filled_where_rows_say_what_they_are(migrated: Migrated) -> None:
    engine = migrated.engine
    for kind in kinds().values():
        for table in (kind.versions, kind.latest):
            rows = engine.query(
                f"SELECT known_at = observed_at, topic, partition, published_at FROM {table.name}"
            ).rows
            assert set(rows) <= {(True, CANONICAL, None, None)}
    assets = sum(
        len({row["record_id"] for row in rows})
        for table, rows in stored_rows().items()
        if table.endswith("_latest") and "lng_inventory" not in table
    )
    assert engine.query("SELECT count() FROM store_assets FINAL").rows == [(assets,)]
    (found,) = assets_by_id(["plant-1"]).run(engine)
    assert found.version == 2
    shown = orjson.loads(found.body)
    assert shown["members"] == [
        member | {"observed_at": "2026-01-01T12:00:00.123Z"} for member in plant(1)["members"]
    ]
    (withdrawn,) = assets_by_id(["plant-2"]).run(engine)
    assert withdrawn.record_status == "withdrawn"
    assert search_assets("plant").run(engine)[0].record_id == "plant-1"
    (first,) = asset_known_at("power_plant", "plant-1", OBSERVED_AT).run(engine)
    assert first.version == 2
    assert loaded_positions().run(engine) == []


def test_lists_show_what_was_stored_before(migrated: Migrated) -> None:
    lists_are_right(migrated.engine)


def lists_are_right(engine: ClickHouse) -> None:
    """Every list of the tables is what the columns say, and the plants are not empty."""
    for kind in kinds().keys() - SERIES_KINDS:
        rows = prepared_rows(engine, kind)
        assert rows or kind != "power_plant"


def test_from_the_model_before(model_1: ClickHouse) -> None:
    """Version 2 had no prepared rows, and its landings fill none."""
    ensure_schema(model_1, WEIGHTS)
    for kind in kinds().values():
        model_1.command(f"ALTER TABLE {kind.latest.name} DROP COLUMN {ROW_JSON.name}")
    model_1.command(
        "ALTER TABLE model_version DELETE WHERE version > 2 SETTINGS mutations_sync = 2"
    )
    assert [step.version for step in ensure_schema(model_1, WEIGHTS)] == [3]
    lists_are_right(model_1)


def test_what_is_loaded_again_after_it_gets_its_position(migrated: Migrated) -> None:
    engine = migrated.engine
    values = [framed(CANONICAL, plant(1)), framed(CANONICAL, plant(1, version=2, flags=[]))]
    loader_of(engine, "topic of model 1").load(batch(CANONICAL, values, first_offset=40))
    rows = engine.query(
        "SELECT version, partition, offset FROM power_plants_history "
        "WHERE record_id = 'plant-1' ORDER BY version"
    ).rows
    assert rows == [(1, 0, 40), (2, 0, 41)]
    (loaded,) = loaded_positions().run(engine)
    assert (loaded.partition, loaded.offset) == (0, 41)


def test_a_newer_model_is_left_alone(migrated: Migrated) -> None:
    engine = migrated.engine
    newer = CURRENT_VERSION + 1
    engine.command(f"INSERT INTO model_version (version, migrated_at) VALUES ({newer}, now64(3))")
    with pytest.raises(SinkError, match="run the newer code"):
        ensure_schema(engine, WEIGHTS)


def test_a_migration_that_is_cut_short_is_run_again(
    model_1: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(clickhouse: ClickHouse, version: int) -> None:
        raise SinkError("cut short")

    with monkeypatch.context() as patched:
        patched.setattr("streams.clickhouse.schema.record_version", fail)
        with pytest.raises(SinkError, match="cut short"):
            ensure_schema(model_1, WEIGHTS)
    assert model_version(model_1) == 1
    ensure_schema(model_1, WEIGHTS)
    assert model_version(model_1) == CURRENT_VERSION
    assert model_1.query("SELECT count(), uniq(record_id) FROM assets").rows == [(2, 2)]


def test_the_same_on_a_server(model_1: ClickHouse) -> None:
    with serving(model_1.address.removeprefix("chdb://"), "secret") as server:
        remote = ClickHouse(
            f"clickhouse://reader:secret@127.0.0.1:{server.server_address[1]}/default"
        )
        assert ensure_schema(remote, WEIGHTS) == list(MIGRATIONS)
        assert ensure_schema(remote, WEIGHTS) == []
        assert assets_by_id(["plant-1"]).run(remote)[0].version == 2
        remote.close()


def test_an_empty_database_has_the_present_model_at_once(engine: ClickHouse) -> None:
    _drop_everything(engine)
    assert ensure_schema(engine, WEIGHTS) == []
    assert model_version(engine) == CURRENT_VERSION
    assert {table.name for table in tables()} <= {
        name for (name,) in engine.query("SELECT name FROM system.tables").rows
    }


def test_who_starts_in_the_midst_of_a_first_start_migrates_nothing(
    engine: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop_everything(engine)
    command = ClickHouse.command
    steps: list[Migration] = []

    def meanwhile(self: ClickHouse, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        command(self, sql, parameters)
        steps.extend(pending(model_version(self)))

    monkeypatch.setattr(ClickHouse, "command", meanwhile)
    ensure_schema(engine, WEIGHTS)
    assert steps == []
