"""Queries about the assets of one kind: lists by typed columns, and sums over groups."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.place import Box, place_of
from streams.clickhouse.table import Column
from streams.clickhouse.tables import SERIES_KINDS, KindTables, kinds

KindRow = Mapping[str, Any]
"""Values of one asset by column."""

STATUS_GROUPS: Mapping[str, tuple[str, ...]] = {
    "operating": ("operating",),
    "planned": ("announced", "pre-construction", "construction"),
    "retired": ("retired",),
    "other": ("mothballed", "shelved", "cancelled", "unknown"),
}
"""What is added up apart from each other, by the words of `status`."""

_LONGEST_CURSOR = 10_000

_TEXTS = frozenset({"String", "LowCardinality(String)", "Nullable(String)"})
_NUMBERS = frozenset({"Float64", "Int32", "Nullable(Float64)", "Nullable(Int32)"})
_TRUTHS = frozenset({"Bool", "Nullable(Bool)"})


@dataclass(frozen=True, slots=True)
class Filters:
    """What must hold of an asset, by column of its kind; null never fits.

    Attributes:
        words: One of these texts; of a list of texts, any of them.
        at_least, at_most: Numbers, both bounds included.
        truths: True or false.
        box: Where it must be.
    """

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    truths: Mapping[str, bool] = field(default_factory=dict)
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """Order of a list: by a column, null last, then by id."""

    column: str = "record_id"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before: its value of the sort column and its id."""

    value: str | float | bool | None
    record_id: str


def list_kind(
    kind: str,
    filters: Filters | None = None,
    sort: Sort | None = None,
    after: After | None = None,
    limit: int = 100,
    show: Sequence[str] = (),
) -> BoundQuery[KindRow]:
    """Listed assets of a kind, a page of them.

    The next page begins after the last row, by value: rows that change meanwhile move no others.

    Args:
        kind: Kind of assets.
        filters: What must hold of each.
        sort: Their order.
        after: Last row of the page before.
        limit: Most rows.
        show: Columns; by default all but lists of records, such as units.

    Raises:
        OutOfBoundsError: a column the kind does not have, or a parameter without bounds.
    """
    tables = _tables(kind)
    columns = {column.name: column for column in tables.latest.columns}
    conditions, parameters = _conditions(columns, filters or Filters())
    sort = sort or Sort()
    sortable = [
        name for name, column in columns.items() if column.type in _TEXTS | _NUMBERS | _TRUTHS
    ]
    by = columns[bounds.one_of("sort", sort.column, sortable)]
    if after is not None:
        condition, values = _after(by, sort.descending, after)
        conditions.append(condition)
        parameters |= values
    direction = " DESC" if sort.descending else ""
    shown = [bounds.one_of("column", name, columns) for name in show] or [
        name for name, column in columns.items() if "Tuple(" not in column.type
    ]
    names = ", ".join(f"`{name}`" for name in shown)
    return BoundQuery(
        f"""
SELECT {names} FROM {tables.latest.name} FINAL
WHERE {" AND ".join(conditions)}
ORDER BY `{by.name}`{direction} NULLS LAST, record_id LIMIT {{limit:UInt32}}""",  # noqa: S608
        parameters | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        _named(tuple(shown)),
    )


def count_kind(kind: str, filters: Filters | None = None) -> BoundQuery[int]:
    """How many assets a list has in all.

    Raises:
        OutOfBoundsError: a column the kind does not have, or a parameter without bounds.
    """
    tables = _tables(kind)
    columns = {column.name: column for column in tables.latest.columns}
    conditions, parameters = _conditions(columns, filters or Filters())
    return BoundQuery(
        f"SELECT count() FROM {tables.latest.name} FINAL WHERE {' AND '.join(conditions)}",  # noqa: S608
        parameters,
        int,
    )


def sum_kind(
    kind: str,
    group_by: Sequence[str],
    sum_of: Sequence[str] = (),
    filters: Filters | None = None,
) -> BoundQuery[KindRow]:
    """Counts and sums of listed assets by group, what operates apart from what does not.

    Each row has the group's columns, `assets`, and for each group of statuses `<group>_assets` and
    `<group>_<column>`; a sum over no reported value is null.

    Raises:
        OutOfBoundsError: a column the kind does not have, or a parameter without bounds.
    """
    tables = _tables(kind)
    columns = {column.name: column for column in tables.latest.columns}
    groups = [
        bounds.one_of(
            "group_by", name, [column for column in columns if columns[column].type in _TEXTS]
        )
        for name in group_by
    ]
    sums = [
        bounds.one_of(
            "sum", name, [column for column in columns if columns[column].type in _NUMBERS]
        )
        for name in sum_of
    ]
    conditions, parameters = _conditions(columns, filters or Filters())
    selected = {name: f"`{name}`" for name in groups} | {"assets": "count()"}
    for group, statuses in STATUS_GROUPS.items() if "status" in columns else ():
        words = ", ".join(f"'{status}'" for status in statuses)
        selected[f"{group}_assets"] = f"countIf(status IN ({words}))"
        for name in sums:
            selected[f"{group}_{name}"] = f"sumOrNullIf(`{name}`, status IN ({words}))"
    names = ", ".join(f"{sql} AS `{name}`" for name, sql in selected.items())
    by = ", ".join(f"`{name}`" for name in groups)
    return BoundQuery(
        f"""
SELECT {names} FROM {tables.latest.name} FINAL
WHERE {" AND ".join(conditions)}
{f"GROUP BY {by} ORDER BY {by}" if by else ""}""",  # noqa: S608  names from this package
        parameters,
        _named(tuple(selected)),
    )


def _tables(kind: str) -> KindTables:
    return kinds()[bounds.one_of("kind", kind, kinds().keys() - SERIES_KINDS)]


def _named(names: tuple[str, ...]) -> Callable[..., KindRow]:
    return lambda *values: dict(zip(names, values, strict=True))


def _conditions(
    columns: Mapping[str, Column], filters: Filters
) -> tuple[list[str], dict[str, Any]]:
    conditions = ["record_status = 'current'"]
    parameters: dict[str, Any] = {}

    def bind(condition: str, value: Any) -> None:
        name = f"filter_{len(parameters)}"
        parameters[name] = value
        conditions.append(condition.replace("?", name))

    for name, values in filters.words.items():
        words = bounds.texts(name, values)
        if columns[_of(columns, name, "text", _TEXTS)].type in _TEXTS:
            bind(f"`{name}` IN {{?:Array(String)}}", words)
        else:
            bind(f"hasAny(`{name}`, {{?:Array(String)}})", words)
    for name, least in filters.at_least.items():
        _of(columns, name, "number", _NUMBERS)
        bind(f"`{name}` >= {{?:Float64}}", bounds.number(name, least))
    for name, most in filters.at_most.items():
        _of(columns, name, "number", _NUMBERS)
        bind(f"`{name}` <= {{?:Float64}}", bounds.number(name, most))
    for name, truth in filters.truths.items():
        _of(columns, name, "true or false", _TRUTHS)
        bind(f"`{name}` = {{?:Bool}}", truth)
    if filters.box is not None:
        conditions.append(filters.box.contains(place_of(frozenset(columns))))
        parameters |= filters.box.parameters()
    return conditions, parameters


def _of(columns: Mapping[str, Column], name: str, what: str, types: frozenset[str]) -> str:
    """A column of one of some types, or a list of texts where texts are asked for."""
    lists = {"Array(String)", "Array(LowCardinality(String))"} if types is _TEXTS else set()
    allowed = [column.name for column in columns.values() if column.type in types | lists]
    return bounds.one_of(f"filter by {what}", name, allowed)


def _after(by: Column, descending: bool, after: After) -> tuple[str, dict[str, Any]]:
    """Condition: behind a row, in an order with null last."""
    parameters: dict[str, Any] = {"after_id": bounds.text("after", after.record_id)}
    later_id = "record_id > {after_id:String}"
    name = f"`{by.name}`"
    if after.value is None:
        return f"({name} IS NULL AND {later_id})", parameters
    if by.type in _TEXTS:
        value = str(after.value)
        bounds.whole("length of the cursor", len(value), 0, _LONGEST_CURSOR)
        parameters["after_value"], type_ = value, "String"
    elif by.type in _TRUTHS:
        parameters["after_value"], type_ = bool(after.value), "Bool"
    else:
        parameters["after_value"], type_ = bounds.number("after", float(after.value)), "Float64"
    last = f"{{after_value:{type_}}}"
    sign = "<" if descending else ">"
    later = f"{name} {sign} {last} OR ({name} = {last} AND {later_id})"
    nulls = f" OR {name} IS NULL" if by.type.startswith("Nullable(") else ""
    return f"({later}{nulls})", parameters
