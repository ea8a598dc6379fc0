"""A column and a storage table, and the statements that make them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Column name, with its unit where it has one.
        type: ClickHouse type.
        comment: Meaning, unit, meaning of null.
        default: Expression for rows that were stored before the column was; empty: null or none.
    """

    name: str
    type: str
    comment: str
    default: str = ""

    def definition(self) -> str:
        """The column as `CREATE TABLE` and `ADD COLUMN` want it."""
        default = f" DEFAULT {self.default}" if self.default else ""
        return f"`{self.name}` {self.type}{default} COMMENT {quoted(self.comment)}"


@dataclass(frozen=True, slots=True)
class Table:
    """One storage table, a ReplacingMergeTree.

    Attributes:
        name: Table name.
        columns: All columns.
        order_by: Sorting key; rows equal in it are one row.
        version: Column whose highest value wins among equal rows; empty: the row inserted last.
        prepared: Further columns: texts that answer what is asked often, with no filter of theirs.
        granularity: Rows between two marks of the primary index: what a point read decompresses.
        merge_after_seconds: Parts older than this are merged into one; 0 leaves that to ClickHouse.
    """

    name: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    version: str
    prepared: tuple[Column, ...] = ()
    granularity: int = 8192
    merge_after_seconds: int = 0

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """All columns and then the prepared ones."""
        return (*self.columns, *self.prepared)

    @property
    def sorting_key(self) -> str:
        """The sorting key, without parentheses."""
        return ", ".join(self.order_by)

    def create(self) -> str:
        """Statement that creates the table unless it is there."""
        columns = ",\n  ".join(column.definition() for column in self.stored_columns)
        settings = {"index_granularity": self.granularity, **self.changeable_settings()}
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (\n  {columns}\n)\n"
            f"ENGINE = ReplacingMergeTree({self.version})\n"
            f"ORDER BY ({self.sorting_key})\n"
            f"SETTINGS {_assignments(settings)}\n"
            "COMMENT 'Storage of the views: a row may be here more than once.'"
        )

    def changeable_settings(self) -> Mapping[str, int]:
        """Settings that a table takes over while it is in use."""
        # A memory of inserts may outlive the rows of one that failed; tables once had it.
        settings = {"non_replicated_deduplication_window": 0}
        if self.merge_after_seconds:
            settings |= {
                "min_age_to_force_merge_seconds": self.merge_after_seconds,
                "min_age_to_force_merge_on_partition_only": 1,
            }
        return settings

    def set_settings(self) -> str:
        """Statement that gives an existing table its settings."""
        return f"ALTER TABLE {self.name} MODIFY SETTING {_assignments(self.changeable_settings())}"


def _assignments(settings: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())


def quoted(text: str) -> str:
    """Text as a ClickHouse string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
