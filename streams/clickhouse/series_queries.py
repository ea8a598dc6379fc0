"""Queries about LNG inventory: now, as it was known, and what changed when.

Two times say when a version of a gas day was known. `observed_at` is when its own raw record was
fetched: what the source reports was known then. `known_at` is when the newest raw record was
fetched that the version follows from, the next gas day included: what is derived was known then.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from streams.clickhouse import bounds
from streams.clickhouse.bound_query import BoundQuery
from streams.clickhouse.gas_days import DAY_COLUMNS, SERIES_ID, one_row_a_day
from streams.clickhouse.table import quoted
from streams.clickhouse.tables import ROW_JSON, kinds
from streams.core.flag_rules import REPORTERS_DROPPED, TOTALS_DISAGREE
from streams.core.history import HISTORY_CHECKS

_NEIGHBOUR_RULES = sorted(
    {check.rule.id for check in HISTORY_CHECKS} | {TOTALS_DISAGREE.id, REPORTERS_DROPPED.id}
)
"""Rules that flag a gas day because of other records."""

_DERIVED = ("ship_unloading_gwh", "ship_unloading_uncertainty_gwh", "ship_unloading_method")


@dataclass(frozen=True, slots=True)
class Series:
    """One entity that reports gas days; operators of one terminal share its series.

    Attributes:
        series_id: ES_BARCELONA, ES or EU.
        entity_id: Id of the entity at its source.
        virtual: It contains what other terminals report, so leave it out of sums.
    """

    series_id: str
    scope: str
    entity_id: str
    entity_name: str
    country_code: str | None
    facility_eic: str | None
    company_eic: str | None
    virtual: bool
    first_gas_day: date
    last_gas_day: date


@dataclass(frozen=True, slots=True)
class SeriesDay:
    """One gas day of one series; None is not reported, in GWh, GWh/d, 10^3 m3 LNG and percent.

    Attributes:
        entity_id: Whose figures they are, where several operators share a terminal.
        fullness_pct: Derived: inventory over declared maximum.
        ship_unloading_gwh: Derived from the next gas day; None until that was known.
        known_at: Fetch time of the newest raw record it follows from.
    """

    series_id: str
    entity_id: str
    gas_day: date
    gas_day_start: datetime
    gas_day_end: datetime
    status: str
    inventory_gwh: float | None
    inventory_thousand_m3_lng: float | None
    send_out_gwh_per_day: float | None
    dtmi_gwh: float | None
    dtrs_gwh_per_day: float | None
    fullness_pct: float | None
    ship_unloading_gwh: float | None
    ship_unloading_uncertainty_gwh: float | None
    ship_unloading_method: str | None
    flags: list[str]
    version: int
    observed_at: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True)
class PreparedDay:
    """One gas day of one series; `day` is a JSON object of all fields of `SeriesDay`.

    The version is a text there: it has more digits than a JSON number keeps.
    """

    series_id: str
    day: str


@dataclass(frozen=True, slots=True)
class Revision(SeriesDay):
    """One version of a gas day of one entity.

    Attributes:
        record_status: current or withdrawn.
        published_at: None: stored before it was kept.
    """

    record_status: str
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Vintage:
    """A time at which something about a series became known.

    Attributes:
        versions: New versions of gas days.
        first_gas_day, last_gas_day: Of those gas days.
    """

    known_at: datetime
    versions: int
    first_gas_day: date
    last_gas_day: date


def find_series(name: str = "") -> BoundQuery[Series]:
    """Entities of a name: a terminal's readable id, an EIC, an entity id, a country code or EU.

    Args:
        name: In any case; empty for every entity.

    Raises:
        OutOfBoundsError: a name that is too long.
    """
    condition, parameters = "", {}
    if name:
        parameters = {"name": bounds.text("series", name).upper()}
        named = ("terminal_id", "entity_id", "facility_eic", "company_eic")
        condition = (
            f" AND ({' OR '.join(f'upper(stored.{column}) = {{name:String}}' for column in named)})"
        )
    newest = ("entity_name", "country_code", "facility_eic", "company_eic", "virtual")
    values = ", ".join(f"argMax(stored.{column}, stored.gas_day) AS {column}" for column in newest)
    return BoundQuery(
        f"""
SELECT {SERIES_ID} AS series_id, scope, entity_id, {values}, min(gas_day), max(gas_day)
FROM {_latest()} AS stored FINAL
WHERE record_status = 'current'{condition}
GROUP BY series_id, scope, entity_id
ORDER BY series_id, entity_id""",  # noqa: S608  names from this package
        parameters,
        Series,
    )


def series_days(entity_ids: Collection[str], first: date, last: date) -> BoundQuery[SeriesDay]:
    """Gas days as they are known now, one row a series and day.

    Args:
        entity_ids: Of `find_series`.
        first: First gas day.
        last: Last gas day, included.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    return BoundQuery(
        one_row_a_day(
            ", ".join(DAY_COLUMNS),
            f"FROM {_latest()} FINAL WHERE {_RANGE} AND record_status = 'current'",
        ),
        _range(entity_ids, first, last),
        SeriesDay,
    )


def prepared_days(entity_ids: Collection[str], first: date, last: date) -> BoundQuery[PreparedDay]:
    """The same as JSON that was prepared when it was stored, by series and gas day.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    return BoundQuery(
        one_row_a_day(
            ROW_JSON.name, f"FROM {_latest()} FINAL WHERE {_RANGE} AND record_status = 'current'"
        ),
        _range(entity_ids, first, last),
        PreparedDay,
    )


def day_table(query: BoundQuery[Any]) -> BoundQuery[tuple[Any, ...]]:
    """Rows of another query of this module as a table to hand on, with the version as a text.

    A number of JSON would lose the last digits of the version.
    """
    written = _written(query.row)
    names = ", ".join(
        value if name == value else f"{value} AS {name}" for name, value in written.items()
    )
    return BoundQuery(
        f"SELECT {names} FROM ({query.sql}) ORDER BY series_id, gas_day, {_KNOWN_FIRST}",  # noqa: S608
        query.parameters,
        lambda *values: values,
        tuple(written),
    )


_KNOWN_FIRST = "known_at, toUInt64(version)"


def _written(row: Any) -> Mapping[str, str]:
    """SQL of every field of a row of a series."""
    names = row.__dataclass_fields__
    return {name: "toString(version)" if name == "version" else name for name in names}


def series_known_at(
    entity_ids: Collection[str], first: date, last: date, known_at: datetime
) -> BoundQuery[SeriesDay]:
    """Gas days as they were known at a time, by fetch times, one row a series and day.

    Of each gas day the report fetched last, in the version known then. Where a rebuild published
    only a version that follows from later records, too, its report is shown without what is derived
    from them.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    known = "known_at <= {known_at:DateTime64(3, 'UTC')}"
    rules = ", ".join(quoted(rule) for rule in _NEIGHBOUR_RULES)
    hidden = {name: f"if({known}, {name}, NULL)" for name in _DERIVED} | {
        "flags": f"if({known}, flags, arrayFilter(flag -> flag NOT IN ({rules}), flags))"
    }
    shown = ", ".join(
        f"{hidden[column]} AS {column}" if column in hidden else column for column in DAY_COLUMNS
    )
    return BoundQuery(
        one_row_a_day(
            shown,
            f"""
FROM
(
    SELECT {", ".join(DAY_COLUMNS)}, scope, terminal_id, record_status FROM {_versions()}
    WHERE {_RANGE} AND observed_at <= {{known_at:DateTime64(3, 'UTC')}}
    ORDER BY entity_id, gas_day, record_id, observed_at DESC, {known} DESC, version DESC
    LIMIT 1 BY entity_id, gas_day, record_id
)
WHERE record_status = 'current'""",  # noqa: S608  names from this package
        ),
        _range(entity_ids, first, last) | {"known_at": bounds.moment("known_at", known_at)},
        SeriesDay,
    )


def series_revisions(
    entity_ids: Collection[str], first: date, last: date, limit: int = 10_000
) -> BoundQuery[Revision]:
    """Every version of every gas day, by day and then by when it was known.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    names = ", ".join(DAY_COLUMNS)
    return BoundQuery(
        f"""
SELECT {SERIES_ID} AS series_id, {names}, record_status, published_at FROM {_versions()} FINAL
WHERE {_RANGE}
ORDER BY series_id, gas_day, known_at, version LIMIT {{limit:UInt32}}""",  # noqa: S608
        _range(entity_ids, first, last)
        | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        Revision,
    )


def series_vintages(
    entity_ids: Collection[str], first: date, last: date, limit: int = 1000
) -> BoundQuery[Vintage]:
    """The times at which something became known, newest first.

    Raises:
        OutOfBoundsError: a parameter without bounds.
    """
    return BoundQuery(
        f"""
SELECT known_at, count(), min(gas_day), max(gas_day) FROM {_versions()} FINAL
WHERE {_RANGE}
GROUP BY known_at ORDER BY known_at DESC LIMIT {{limit:UInt32}}""",  # noqa: S608
        _range(entity_ids, first, last)
        | {"limit": bounds.whole("limit", limit, 1, bounds.MOST_ROWS)},
        Vintage,
    )


_RANGE = (
    "entity_id IN {entities:Array(String)} AND gas_day BETWEEN {first:Date32} AND {last:Date32}"
)


def _range(entity_ids: Collection[str], first: date, last: date) -> dict[str, Any]:
    return {
        "entities": bounds.texts("series", entity_ids),
        "first": bounds.day("start_date", first),
        "last": bounds.day("end_date", last),
    }


def _latest() -> str:
    return kinds()["lng_inventory"].latest.name


def _versions() -> str:
    return kinds()["lng_inventory"].versions.name
