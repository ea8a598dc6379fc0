"""Queries about the assets of one kind: lists by typed columns, and sums over groups."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.place import Box, features, place_of
from streams.clickhouse.prepared import appended, json_object
from streams.clickhouse.table import Column
from streams.clickhouse.tables import ROW_JSON, SERIES_KINDS, KindTables, kinds

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
_PAGE_ROWS = 10_001
"""More are no page, but a file."""

_TEXTS = frozenset({"String", "LowCardinality(String)", "Nullable(String)"})
_NUMBERS = frozenset({"Float64", "Int32", "Nullable(Float64)", "Nullable(Int32)"})
_TRUTHS = frozenset({"Bool", "Nullable(Bool)"})


DISTANCE = "distance_km"
"""Column of a list of what is near a place: how far."""

RANK = "search_rank"
"""Column of a list of search hits: 1 for the best."""


@dataclass(frozen=True, slots=True)
class Near:
    """A place in WGS84 degrees and a distance, km."""

    latitude: float
    longitude: float
    within_km: float = 20_100.0


@dataclass(frozen=True, slots=True)
class Filters:
    """What must hold of an asset, by column of its kind; null never fits.

    Attributes:
        words: One of these texts; of a list of texts, any of them.
        at_least, at_most: Numbers, both bounds included.
        truths: True or false.
        box: Where it must be.
        near: What it must be near; adds the column `distance_km`.
        hits: Ids it must have one of, the best hit first; adds the column `search_rank`.
        known_from, known_to: When it became known, both included.
    """

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    truths: Mapping[str, bool] = field(default_factory=dict)
    box: Box | None = None
    near: Near | None = None
    hits: Sequence[str] | None = None
    known_from: datetime | None = None
    known_to: datetime | None = None


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
    until: After | None = None,
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
        until: Last row of this page, where it is known.

    Raises:
        OutOfBoundsError: a column the kind does not have, or a parameter without bounds.
    """
    page = _page(kind, filters or Filters(), sort or Sort(), (after, until), limit, show)
    return BoundQuery(page.sql, page.parameters, _named(page.columns), page.columns)


def list_rows(
    kind: str,
    filters: Filters | None = None,
    sort: Sort | None = None,
    after: After | None = None,
    limit: int = 100,
) -> BoundQuery[str]:
    """The same page, each asset as a JSON object that was prepared when it was stored.

    Raises:
        OutOfBoundsError: a column the kind does not have, or a parameter without bounds.
    """
    row = ROW_JSON.name
    page = _page(kind, filters or Filters(), sort or Sort(), (after, None), limit, [row])
    computed = {name: name for name in page.columns if name != row}
    sql = f"SELECT {appended(row, computed)} FROM ({page.sql})" if computed else page.sql  # noqa: S608
    return BoundQuery(sql, page.parameters, str)


def kind_features(
    kind: str,
    filters: Filters | None = None,
    sort: Sort | None = None,
    after: After | None = None,
    limit: int = 100,
    until: After | None = None,
    show: Sequence[str] = (),
) -> BoundQuery[str]:
    """The same page, each asset as a GeoJSON feature with its columns as properties.

    By default those of a list, as they were prepared when the asset was stored. A line is one
    between its ends; an asset without a position has no geometry. Its `id` is the record id in any
    case.

    Raises:
        OutOfBoundsError: a column the kind does not have, or a parameter without bounds.
    """
    place = place_of(frozenset(column.name for column in _tables(kind).latest.columns))
    shown = list(show) or [ROW_JSON.name]
    unseen = [name for name in ("record_id", *place.columns()) if name not in shown]
    page = _page(
        kind, filters or Filters(), sort or Sort(), (after, until), limit, [*shown, *unseen]
    )
    seen = {name: f"`{name}`" for name in page.columns if name not in unseen}
    row = seen.pop(ROW_JSON.name, None)
    properties = json_object(seen) if row is None else appended(row, seen)
    return BoundQuery(features(place, properties, page.sql), page.parameters, str)


@dataclass(frozen=True, slots=True)
class _Page:
    sql: str
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]


def _page(
    kind: str,
    filters: Filters,
    sort: Sort,
    between: tuple[After | None, After | None],
    limit: int,
    show: Sequence[str],
) -> _Page:
    tables = _tables(kind)
    columns = {column.name: column for column in tables.latest.columns}
    conditions, parameters = _conditions(columns, filters)
    computed = _computed(columns, filters)
    sortable = columns | {name: Column(name, "Float64", "") for name in computed}
    by = sortable[bounds.one_of("sort", sort.column, sortable_columns(kind, filters))]
    after, until = between
    if after is not None:
        condition, values = _after(by, sort.descending, after, "after")
        conditions.append(condition)
        parameters |= values
    if until is not None:
        condition, values = _after(by, sort.descending, until, "until")
        conditions.append(f"NOT ifNull({condition}, false)")
        parameters |= values
    direction = " DESC" if sort.descending else ""
    order = f"`{by.name}`{direction} NULLS LAST, record_id"
    if by.name == "record_id" and len(conditions) > 1 and limit <= _PAGE_ROWS:
        # Reading in the order of the key takes half as long again where filters leave few rows;
        # only many rows are better not sorted in memory.
        order = f"identity(record_id){direction}"
    allowed = (*columns, ROW_JSON.name)
    shown = [bounds.one_of("column", name, allowed) for name in show] or shown_columns(kind)
    # As in the JSON of an asset: a number of JSON loses its last digits.
    sql = {name: "toString(version)" if name == "version" else f"`{name}`" for name in shown}
    sql |= computed
    names = ", ".join(f"{value} AS `{name}`" for name, value in sql.items())
    return _Page(
        f"""
SELECT {names} FROM {tables.latest.name} FINAL
WHERE {" AND ".join(conditions)}
ORDER BY {order} LIMIT {{limit:UInt32}}""",  # noqa: S608
        parameters | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        tuple(sql),
    )


def shown_columns(kind: str) -> Sequence[str]:
    """Columns that a list shows: all but lists of records, such as units."""
    return _tables(kind).shown


def sortable_columns(kind: str, filters: Filters | None = None) -> Sequence[str]:
    """Columns a list may be sorted by."""
    stored = [
        column.name
        for column in _tables(kind).latest.columns
        if column.type in _TEXTS | _NUMBERS | _TRUTHS and column.name not in _POSITION
    ]
    near = [DISTANCE] if filters is None or filters.near is not None else []
    hits = [RANK] if filters is None or filters.hits is not None else []
    return stored + near + hits


_POSITION = frozenset({"topic", "topic_id", "partition", "offset", "published_at"})


def _computed(columns: Mapping[str, Column], filters: Filters) -> dict[str, str]:
    """SQL of columns that only filters give."""
    computed = {}
    if filters.near is not None:
        computed[DISTANCE] = place_of(frozenset(columns)).distance_km()
    if filters.hits is not None:
        computed[RANK] = "toInt32(indexOf({hits:Array(String)}, record_id))"
    return computed


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
        tuple(selected),
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
    for name, truth in filters.truths.items():
        _of(columns, name, "true or false", _TRUTHS)
        bind(f"`{name}` = {{?:Bool}}", truth)
    if filters.box is not None:
        conditions.append(filters.box.contains(place_of(frozenset(columns))))
        parameters |= filters.box.parameters()
    if filters.near is not None:
        condition, near = _near(columns, filters.near)
        conditions.append(condition)
        parameters |= near
    if filters.hits is not None:
        conditions.append("record_id IN {hits:Array(String)}")
        parameters["hits"] = bounds.texts("hits", filters.hits) if filters.hits else []
    for condition, value in _limits(columns, filters):
        bind(condition, value)
    return conditions, parameters


def _limits(columns: Mapping[str, Column], filters: Filters) -> Iterator[tuple[str, Any]]:
    """Conditions on numbers and times, each with its value."""
    for sign, numbers in ((">=", filters.at_least), ("<=", filters.at_most)):
        for name, number in numbers.items():
            _of(columns, name, "number", _NUMBERS)
            yield f"`{name}` {sign} {{?:Float64}}", bounds.number(name, number)
    for sign, moment in ((">=", filters.known_from), ("<=", filters.known_to)):
        if moment is not None:
            known_at = bounds.moment("datetime", moment)
            yield f"known_at {sign} {{?:DateTime64(3, 'UTC')}}", known_at


def _near(columns: Mapping[str, Column], near: Near) -> tuple[str, dict[str, Any]]:
    place = place_of(frozenset(columns))
    known = f"{place.latitude} IS NOT NULL AND {place.longitude} IS NOT NULL"
    return f"{known} AND {place.distance_km()} <= {{within_km:Float64}}", {
        "latitude": bounds.number("near", near.latitude, -90, 90),
        "longitude": bounds.number("near", near.longitude, -180, 180),
        "within_km": bounds.number("within_km", near.within_km, 0, 20_100),
    }


def _of(columns: Mapping[str, Column], name: str, what: str, types: frozenset[str]) -> str:
    """A column of one of some types, or a list of texts where texts are asked for."""
    lists = {"Array(String)", "Array(LowCardinality(String))"} if types is _TEXTS else set()
    allowed = [column.name for column in columns.values() if column.type in types | lists]
    return bounds.one_of(f"filter by {what}", name, allowed)


def _after(
    by: Column, descending: bool, after: After, parameter: str
) -> tuple[str, dict[str, Any]]:
    """Condition: behind a row, in an order with null last."""
    parameters: dict[str, Any] = {f"{parameter}_id": bounds.text(parameter, after.record_id)}
    later_id = f"record_id > {{{parameter}_id:String}}"
    name = f"`{by.name}`"
    if after.value is None:
        return f"({name} IS NULL AND {later_id})", parameters
    if by.type in _TEXTS:
        value = str(after.value)
        bounds.whole("length of the cursor", len(value), 0, _LONGEST_CURSOR)
        parameters[f"{parameter}_value"], type_ = value, "String"
    elif by.type in _TRUTHS:
        parameters[f"{parameter}_value"], type_ = bool(after.value), "Bool"
    else:
        number = bounds.number(parameter, float(after.value))
        parameters[f"{parameter}_value"], type_ = number, "Float64"
    last = f"{{{parameter}_value:{type_}}}"
    sign = "<" if descending else ">"
    later = f"{name} {sign} {last} OR ({name} = {last} AND {later_id})"
    nulls = f" OR {name} IS NULL" if by.type.startswith("Nullable(") else ""
    return f"({later}{nulls})", parameters
