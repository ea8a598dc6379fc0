"""Steps between versions of the model: forwards only, each safe to run again.

A new column comes with its table (`schema.ensure_schema` adds it, its default fills old rows). A
step does what a column's default cannot. It may be cut short, and another worker may run it at the
same time: its inserts collapse by key, its drops take what is there.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from streams.clickhouse import prepared
from streams.clickhouse.client import ClickHouse
from streams.clickhouse.tables import (
    ASSETS,
    MODEL_VERSION,
    ROW_JSON,
    SERIES_KINDS,
    KindTables,
    kinds,
)
from streams.core.errors import SinkError

_FIRST_MODEL_VERSION = 1
"""Of tables that no version was kept of."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step to a version of the model.

    Attributes:
        version: The version it leads to.
        what: What it does, as a fact.
        run: Does it; the tables have the columns of this version.
    """

    version: int
    what: str
    run: Callable[[ClickHouse], None]


def model_version(clickhouse: ClickHouse) -> int | None:
    """Version of the stored model; None when nothing is stored.

    Raises:
        SinkError: no answer.
    """
    names = {
        name
        for (name,) in clickhouse.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase()"
        ).rows
    }
    if MODEL_VERSION.name in names:
        ((version,),) = clickhouse.query(f"SELECT max(version) FROM {MODEL_VERSION.name}").rows  # noqa: S608
        if version:
            return int(version)
    stored = {kind.latest.name for kind in kinds().values()} & names
    return _FIRST_MODEL_VERSION if stored else None


def pending(stored: int | None) -> Sequence[Migration]:
    """Steps from a stored version to this one; none for an empty database.

    Raises:
        SinkError: the stored model is newer than this code.
    """
    if stored is not None and stored > CURRENT_VERSION:
        raise SinkError(
            f"ClickHouse has version {stored} of the model, this code knows {CURRENT_VERSION}: "
            "run the newer code. Models are migrated forwards only."
        )
    return [step for step in MIGRATIONS if stored is not None and step.version > stored]


def record_version(clickhouse: ClickHouse, version: int) -> None:
    """Store that the model has a version now.

    Raises:
        SinkError: refused or no answer.
    """
    clickhouse.command(
        f"INSERT INTO {MODEL_VERSION.name} (version, migrated_at) "  # noqa: S608
        f"VALUES ({version:d}, now64(3, 'UTC'))"
    )


_ISO_TIMES = ", ".join(f"{name} = '{value}'" for name, value in prepared.ISO_TIMES.items())


def _drop_landings(clickhouse: ClickHouse) -> None:
    """Landings of an earlier version fill fewer tables: nobody may insert there any more.

    A worker of that version then fails before it acknowledges anything.
    """
    rows = clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        "AND name LIKE 'landing\\_%' ORDER BY engine = 'MaterializedView'"
    ).rows
    for (name,) in rows:
        clickhouse.command(f"DROP TABLE IF EXISTS {name} SYNC")


def _fill_assets(clickhouse: ClickHouse) -> None:
    """Prepare every asset once more, from its highest version."""
    for kind in kinds().values():
        if kind.kind in SERIES_KINDS:
            continue
        values = {column.name: f"`{column.name}`" for column in kind.versions.columns}
        columns = prepared.asset(kind, values)
        selected = ", ".join(columns.values())
        clickhouse.command(f"""
INSERT INTO {ASSETS.name} ({", ".join(columns)})
SELECT {selected} FROM
(
    SELECT * FROM {kind.versions.name} ORDER BY record_id, version DESC LIMIT 1 BY record_id
)
SETTINGS {_ISO_TIMES}""")  # noqa: S608  names from this package


def fill_rows(clickhouse: ClickHouse, kind: KindTables, present: Collection[str]) -> None:
    """Prepare what lists and series show of every record of a kind once more.

    Args:
        clickhouse: Where.
        kind: Which records.
        present: Columns that the table has; rows show the others with their defaults.

    Raises:
        SinkError: refused or no answer.
    """
    table = kind.latest
    values = {one.name: f"`{one.name}`" for one in table.columns if one.name in present}
    names = ", ".join(values.values())
    clickhouse.command(f"""
INSERT INTO {table.name} ({names}, {ROW_JSON.name})
SELECT {names}, {prepared.row(kind, values)} FROM {table.name} FINAL
SETTINGS {_ISO_TIMES}""")  # noqa: S608  names from this package


def _sort_series_by_day(clickhouse: ClickHouse) -> None:
    """Copy series to tables sorted by entity and day; the old ones go when all is copied."""
    for kind in kinds().values():
        for table in (kind.versions, kind.latest) if kind.kind in SERIES_KINDS else ():
            old = table.name.removesuffix("_by_day")
            present = clickhouse.query(
                "SELECT name FROM system.columns "
                "WHERE database = currentDatabase() AND table = {table:String}",
                {"table": old},
            ).rows
            if present:
                names = ", ".join(f"`{name}`" for (name,) in present)
                clickhouse.command(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {old}")  # noqa: S608
                clickhouse.command(f"DROP TABLE IF EXISTS {old} SYNC")


def _prepare_reads(clickhouse: ClickHouse) -> None:
    _drop_landings(clickhouse)
    _sort_series_by_day(clickhouse)
    _fill_assets(clickhouse)


def _prepare_rows(clickhouse: ClickHouse) -> None:
    _drop_landings(clickhouse)
    for kind in kinds().values():
        fill_rows(clickhouse, kind, {column.name for column in kind.latest.columns})


MIGRATIONS: Sequence[Migration] = (
    Migration(
        2,
        "Assets once more with place, folded names and JSON; series sorted by entity and day. "
        "Positions and the feed of changes begin with what is loaded from now on.",
        _prepare_reads,
    ),
    Migration(
        3,
        "What lists and series show of each record, once more as one JSON object.",
        _prepare_rows,
    ),
)
"""Every step, ascending by version."""

CURRENT_VERSION = max(step.version for step in MIGRATIONS)
