"""Brings a ClickHouse to this version of the model, or says why that cannot be."""

from collections.abc import Mapping, Sequence

from streams.clickhouse.client import ClickHouse
from streams.clickhouse.migrations import (
    CURRENT_VERSION,
    Migration,
    fill_rows,
    model_version,
    pending,
    record_version,
)
from streams.clickhouse.table import Table
from streams.clickhouse.tables import MODEL_VERSION, ROW_JSON, kinds, tables
from streams.clickhouse.views import views
from streams.core.errors import SinkError
from streams.core.quality import Weights


def ensure_schema(clickhouse: ClickHouse, weights: Weights) -> Sequence[Migration]:
    """Create what is missing and migrate what is older; changes nothing that is right.

    A column that a newer contract brings is added; others than these are left alone.

    Args:
        clickhouse: Where.
        weights: Of the quality dimensions.

    Returns:
        The steps that were taken.

    Raises:
        SinkError: the stored model is newer than this code, or a table has another column type or
            sorting key than this version needs.
    """
    stored = model_version(clickhouse)
    steps = pending(stored)
    if stored is None:
        # First: who starts meanwhile would take a part of the tables for those of an old model.
        clickhouse.command(MODEL_VERSION.create())
        record_version(clickhouse, CURRENT_VERSION)
    for table in tables():
        clickhouse.command(table.create())
        clickhouse.command(table.set_settings())
    _add_columns(clickhouse)
    _check(clickhouse)
    for step in steps:
        step.run(clickhouse)
        record_version(clickhouse, step.version)
    for view in views(weights):
        clickhouse.command(view.create())
    return steps


def _columns(clickhouse: ClickHouse) -> Mapping[str, Mapping[str, str]]:
    """Type of every column of every table."""
    found: dict[str, dict[str, str]] = {}
    for table, name, type_ in clickhouse.query(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"
    ).rows:
        found.setdefault(table, {})[name] = type_
    return found


def _add_columns(clickhouse: ClickHouse) -> None:
    present = _columns(clickhouse)
    for kind in kinds().values():
        names = present[kind.latest.name].keys()
        # Before a column is there: who is stopped in between finds it missing and does both again.
        if ROW_JSON.name in names and any(one.name not in names for one in kind.latest.columns):
            fill_rows(clickhouse, kind, names)
    for table in tables():
        for column in table.stored_columns:
            if column.name not in present[table.name]:
                clickhouse.command(
                    f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {column.definition()}"
                )


def _check(clickhouse: ClickHouse) -> None:
    """Compare every table with what this version needs.

    Raises:
        SinkError: a table has another column type or sorting key.
    """
    columns = _columns(clickhouse)
    stored = {
        name: (sorting_key, engine)
        for name, sorting_key, engine in clickhouse.query(
            "SELECT name, sorting_key, engine_full FROM system.tables "
            "WHERE database = currentDatabase()"
        ).rows
    }
    for table in tables():
        present = columns[table.name]
        for column in table.stored_columns:
            if _compact(present[column.name]) != _compact(column.type):
                raise _mismatch(
                    table, f"column {column.name} is {present[column.name]}, not {column.type}"
                )
        sorting_key, engine = stored[table.name]
        if sorting_key.strip("()") != table.sorting_key:
            raise _mismatch(table, f"it is ordered by {sorting_key}, not {table.sorting_key}")
        if "ReplacingMergeTree" not in engine:
            raise _mismatch(table, f"its engine is {engine}, not a ReplacingMergeTree")


def _compact(type_: str) -> str:
    """A type without blanks: ClickHouse breaks long ones into lines."""
    return "".join(type_.split())


def _mismatch(table: Table, what: str) -> SinkError:
    return SinkError(
        f"Table {table.name} does not fit this version: {what}. Rename or drop it and load it "
        "again with `make sink-reload`."
    )
