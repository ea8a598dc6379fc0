"""Brings a ClickHouse to this version of the model, or says why that cannot be."""

from collections.abc import Sequence

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
from streams.clickhouse.tables import MODEL_VERSION, kinds, tables
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
    grown = set()
    if stored is None:
        # First: who starts meanwhile would take a part of the tables for those of an old model.
        clickhouse.command(MODEL_VERSION.create())
        record_version(clickhouse, CURRENT_VERSION)
    for table in tables():
        clickhouse.command(table.create())
        clickhouse.command(table.set_settings())
        if _add_columns(clickhouse, table):
            grown.add(table.name)
        _check(clickhouse, table)
    for step in steps:
        step.run(clickhouse)
        record_version(clickhouse, step.version)
    for kind in kinds().values():
        if kind.latest.name in grown and not steps:
            fill_rows(clickhouse, kind)
    for view in views(weights):
        clickhouse.command(view.create())
    return steps


def _columns(clickhouse: ClickHouse, table: Table) -> dict[str, str]:
    rows = clickhouse.query(
        "SELECT name, type FROM system.columns "
        "WHERE database = currentDatabase() AND table = {table:String}",
        {"table": table.name},
    ).rows
    return dict(rows)


def _add_columns(clickhouse: ClickHouse, table: Table) -> bool:
    """Add what is missing; returns whether anything was."""
    present = _columns(clickhouse, table)
    missing = [column for column in table.stored_columns if column.name not in present]
    for column in missing:
        clickhouse.command(
            f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {column.definition()}"
        )
    return bool(missing)


def _check(clickhouse: ClickHouse, table: Table) -> None:
    present = _columns(clickhouse, table)
    for column in table.stored_columns:
        if _compact(present[column.name]) != _compact(column.type):
            raise _mismatch(
                table, f"column {column.name} is {present[column.name]}, not {column.type}"
            )
    ((sorting_key, engine),) = clickhouse.query(
        "SELECT sorting_key, engine_full FROM system.tables "
        "WHERE database = currentDatabase() AND name = {table:String}",
        {"table": table.name},
    ).rows
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
