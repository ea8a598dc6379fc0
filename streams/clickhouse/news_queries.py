"""What is different since a day: each record once, as it was before and as it is now."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.place import name_of
from streams.clickhouse.table import quoted
from streams.clickhouse.tables import SERIES_KINDS, KindTables, kinds

WHAT: Final = ("new", "changed", "withdrawn", "merged")


@dataclass(frozen=True, slots=True)
class News:
    """One record that is different.

    Attributes:
        what: new, changed, withdrawn or merged.
        name: Of a line without one its ends; of a gas day the entity; empty: none.
        status, status_before: Empty: not known, or there was none.
        measure, measure_before: Capacity, MW; of a gas day the inventory, GWh; None: not reported,
            or there was none.
        change: How much more it is now; None where either is not known.
        published_at: Kafka time of the present version.
    """

    kind: str
    record_id: str
    what: str
    name: str
    country_code: str
    status: str
    status_before: str
    measure: float | None
    measure_before: float | None
    change: float | None
    published_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class NewsCount:
    """How many records of a kind and source are different.

    Attributes:
        change: Sum of what they are more now; of new ones all of it, of those that are gone none.
    """

    kind: str
    source_id: str
    what: str
    record_count: int
    change: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which news; an empty word lets all through.

    Attributes:
        gas_days: Whether points of series are among them; they are where their kind is asked for.
    """

    since: date
    kind: str = ""
    source_id: str = ""
    what: str = ""
    gas_days: bool = False


def news_counts(since: date) -> BoundQuery[NewsCount]:
    """Counts by kind, source and what happened; a record of two sources is counted with both.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    sql, parameters = _different(Chosen(since, gas_days=True))
    return BoundQuery(
        f"""
SELECT kind, arrayJoin(source_ids) AS source_id, what, toInt64(count()), sum(ifNull(change, 0))
FROM ({sql}) GROUP BY kind, source_id, what ORDER BY kind, source_id, what""",  # noqa: S608
        parameters,
        NewsCount,
    )


def news(chosen: Chosen, limit: int = 100, *, newest_first: bool = False) -> BoundQuery[News]:
    """What is different, the largest change first, or the newest.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    sql, parameters = _different(chosen)
    order = "published_at DESC" if newest_first else "abs(ifNull(change, 0)) DESC"
    names = tuple(News.__dataclass_fields__)
    return BoundQuery(
        f"""
SELECT {", ".join(names)} FROM ({sql})
ORDER BY {order}, kind, record_id LIMIT {{limit:UInt32}}""",  # noqa: S608
        parameters | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        News,
        names,
    )


def _different(chosen: Chosen) -> tuple[str, dict[str, Any]]:
    """Records with a version published since, by all versions up to now."""
    parameters: dict[str, Any] = {"since": bounds.day("since", chosen.since)}
    wanted = sorted(kinds().keys() - (frozenset() if chosen.gas_days else SERIES_KINDS))
    if chosen.kind:
        wanted = [bounds.one_of("kind", chosen.kind, kinds())]
    conditions = []
    if chosen.source_id:
        parameters["source"] = bounds.text("source", chosen.source_id)
        conditions.append("has(source_ids, {source:String})")
    if chosen.what:
        conditions.append(f"what = {quoted(bounds.one_of('what', chosen.what, WHAT))}")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    parts = " UNION ALL ".join(_of_kind(kinds()[kind]) for kind in wanted)
    return (
        f"""
SELECT *, multiIf(record_status != 'current', record_status, older = 0, 'new', 'changed') AS what,
    multiIf(what = 'new', measure, what = 'changed', measure - measure_before,
        -measure_before) AS change
FROM ({parts}) {where}""",  # noqa: S608
        parameters,
    )


def _of_kind(tables: KindTables) -> str:
    """Records of a kind whose newest version was published since, and what was said before."""
    columns = frozenset(column.name for column in tables.versions.columns)
    if tables.kind in SERIES_KINDS:
        name, measure = "concat(ifNull(entity_name, ''), ', ', toString(gas_day))", "inventory_gwh"
    else:
        name = name_of(columns)
        measure = "capacity_mw" if "capacity_mw" in columns else "CAST(NULL, 'Nullable(Float64)')"
    status = "toString(ifNull(status, ''))" if "status" in columns else "''"
    country = "toString(ifNull(country_code, ''))" if "country_code" in columns else "''"
    at, since = "ifNull(published_at, known_at)", "toDateTime64({since:Date32}, 3, 'UTC')"
    latest, versions = tables.latest.name, tables.versions.name
    # Only what is different is looked up among all versions.
    return f"""
SELECT {quoted(tables.kind)} AS kind, record_id, now.sources AS source_ids, now.named AS name,
    now.country AS country_code, now.state AS record_status, now.stated AS status,
    earlier.said.1 AS status_before, now.measured AS measure, earlier.said.2 AS measure_before,
    now.at AS published_at, now.version AS version, earlier.older AS older
FROM
(
    SELECT record_id, toString(record_status) AS state, version,
        CAST(source_ids, 'Array(String)') AS sources, {name} AS named, {country} AS country,
        {status} AS stated, {measure} AS measured, {at} AS at
    FROM {latest} FINAL WHERE at >= {since}
) AS now
LEFT JOIN
(
    SELECT record_id, argMax(({status}, {measure}), version) AS said, toUInt8(1) AS older
    FROM {versions}
    WHERE {at} < {since} AND record_id IN
        (SELECT record_id FROM {latest} FINAL WHERE {at} >= {since})
    GROUP BY record_id
) AS earlier USING (record_id)"""  # noqa: S608
