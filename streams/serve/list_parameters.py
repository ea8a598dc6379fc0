"""Parameters of the list of a kind: they follow from its columns.

A column with few words is a parameter of its own name, a number is `min_` and `max_` of it; what
people ask for most has a shorter name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import Field, create_model

from streams.clickhouse.kind_queries import Filters, Near, Sort, sortable_columns
from streams.clickhouse.place import Box
from streams.clickhouse.table import Column
from streams.clickhouse.tables import kinds
from streams.core.vocabulary import FUELS, STATUSES
from streams.serve import cursors
from streams.serve.formats import ALL
from streams.serve.parameters import MOST_IN_A_PAGE, Asked, words
from streams.serve.problems import wrong_parameters

SHORT_NAMES: Final = {
    "country_code": "country",
    "country_codes": "country",
    "primary_fuel": "fuel_type",
    "source_ids": "source",
    "flags": "flag",
}
"""Parameter of a column, where it is not named as the column."""

GROUPS: Final = {"country": "country_code", "fuel": "primary_fuel", "fuel_type": "primary_fuel"}
"""Column of a word of `group_by`, where it is not the column's name."""

_UNASKED: Final = frozenset(
    {
        "record_id",
        "record_status",
        "replaced_by",
        "version",
        "topic",
        "topic_id",
        "partition",
        "offset",
        "report_url",
        "geometry_wkt",
        "from_unresolved",
        "to_unresolved",
    }
)
_PLACE_ENDS: Final = ("latitude", "longitude")

_NUMBER: Final = r"-?\d{1,3}(\.\d{1,12})?"
BBOX: Final = rf"^{_NUMBER}(,{_NUMBER}){{3}}$"
_NEAR: Final = rf"^{_NUMBER},{_NUMBER}$"

_Cursor = Annotated[str, Field(pattern=cursors.PATTERN, max_length=cursors.LONGEST)]
_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Country = Annotated[str, Field(pattern="^[A-Za-z]{2}$")]
_Number = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class PlaceAsked(Asked):
    """Where, or by which name."""

    q: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None,
        description="Name or alias; accents and case do not matter, nor does a slip in a word. "
        "Without `sort` the best come first, at most 1,000 and in one page.",
        examples=["barcelona"],
    )
    bbox: Annotated[str, Field(pattern=BBOX)] | None = Field(
        None,
        description="west,south,east,north in WGS84 degrees; a west beyond the east crosses the "
        "antimeridian.",
        examples=["-10,35,5,45", "170,-50,-170,0"],
    )
    near: Annotated[str, Field(pattern=_NEAR)] | None = Field(
        None,
        description="latitude,longitude in WGS84 degrees. Without `sort` the nearest come first.",
        examples=["41.34,2.16"],
    )
    within_km: float | None = Field(
        None,
        description="Only with `near`: nothing further away.",
        ge=0,
        le=20_100,
        allow_inf_nan=False,
        examples=[500],
    )
    cursor: _Cursor | None = Field(
        None, description="Where the page begins: from the `next` link of the page before."
    )


class ListAsked(PlaceAsked):
    """What every list takes."""

    limit: int | None = Field(
        None,
        description="Most rows. Left out: 100 as JSON, all of them in other formats.",
        ge=1,
        le=MOST_IN_A_PAGE,
        examples=[10],
    )
    total: bool = Field(
        False, description="Whether to count all rows of the list, too.", examples=[True]
    )
    format: Literal[ALL] | None = Field(  # type: ignore[valid-type]
        None, description="Wins over `Accept`.", examples=[str(one) for one in ALL]
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of a list.

    Attributes:
        filters: Without the hits of `text`, which are asked for first.
        text: What to search for.
        sort: None: the order that fits best.
        after: Cursor.
        bound: What a cursor is bound to.
    """

    filters: Filters
    text: str | None
    sort: Sort | None
    after: str | None
    bound: str
    group_by: Sequence[str]
    sum_of: Sequence[str]

    def with_hits(self, hits: Sequence[str]) -> "Selection":
        """With the ids that the search has found."""
        return replace(self, filters=replace(self.filters, hits=hits))


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter that filters by one column."""

    name: str
    column: str
    how: str
    type: Any
    description: str
    examples: Sequence[Any]


@cache
def list_model(kind: str) -> type[ListAsked]:
    """Parameters of the list of a kind."""
    fields: dict[str, Any] = {
        parameter.name: (
            parameter.type,
            Field(
                [] if parameter.how == "words" else None,
                description=parameter.description,
                examples=list(parameter.examples) or None,
            ),
        )
        for parameter in _parameters(kind)
    }
    sortable = sortable_columns(kind)
    fields["sort"] = (
        words(*(f"{sign}{name}" for name in sortable for sign in ("", "-"))) | None,
        Field(
            None,
            description="Column to sort by, with - downwards; rows without a value come last.",
            examples=["-capacity_mw"] if "capacity_mw" in sortable else ["record_id"],
        ),
    )
    groups, sums = _groupable(kind), _summable(kind)
    fields["group_by"] = (
        Annotated[str, Field(pattern=_list_of(groups))] | None,
        Field(
            None,
            description="Count instead of listing: columns apart by commas. What operates is "
            "added up apart from what is planned, retired or neither.",
            examples=[",".join(one for one in ("country", "status") if one in groups)],
        ),
    )
    if sums:
        fields["sum"] = (
            Annotated[str, Field(pattern=_list_of(sums))] | None,
            Field(
                None,
                description="Columns to add up for each group, apart by commas.",
                examples=["capacity_mw"] if "capacity_mw" in sums else [sums[0]],
            ),
        )
    name = "".join(part.capitalize() for part in kind.split("_"))
    model: type[ListAsked] = create_model(f"{name}List", __base__=ListAsked, **fields)
    return model


def selection(kind: str, asked: ListAsked) -> Selection:
    """What some parameters ask for.

    Raises:
        ProblemError: parameters that do not go together.
        OutOfBoundsError: a place that is none.
    """
    given = asked.model_dump(exclude_none=True, mode="json")
    by_how: dict[str, dict[str, Any]] = {"words": {}, "at_least": {}, "at_most": {}, "truths": {}}
    for parameter in _parameters(kind):
        value = given.get(parameter.name)
        if value is None or value == []:
            continue
        if parameter.name == "country":
            value = [code.upper() for code in value]
        by_how[parameter.how][parameter.column] = value
    filters = Filters(
        by_how["words"],
        by_how["at_least"],
        by_how["at_most"],
        by_how["truths"],
        box_of(asked.bbox),
        near_of(asked),
    )
    sort = given.get("sort")
    group_by = [GROUPS.get(name, name) for name in given.get("group_by", "").split(",") if name]
    paging = {"cursor", "limit", "format", "total"}
    return Selection(
        filters,
        asked.q,
        Sort(sort.removeprefix("-"), sort.startswith("-")) if sort else None,
        asked.cursor,
        cursors.digest({"kind": kind} | {k: v for k, v in given.items() if k not in paging}),
        group_by,
        [name for name in given.get("sum", "").split(",") if name],
    )


def box_of(text: str | None) -> Box | None:
    """The box of a text.

    Raises:
        OutOfBoundsError: it is none.
    """
    if text is None:
        return None
    west, south, east, north = (float(part) for part in text.split(","))
    return Box(west, south, east, north)


def near_of(asked: PlaceAsked) -> Near | None:
    """The place to be near to.

    Raises:
        ProblemError: a distance without a place.
    """
    if asked.near is None:
        if asked.within_km is not None:
            raise wrong_parameters([("within_km", "left out without near")])
        return None
    latitude, longitude = (float(part) for part in asked.near.split(","))
    near = Near(latitude, longitude)
    return near if asked.within_km is None else replace(near, within_km=asked.within_km)


@cache
def _parameters(kind: str) -> Sequence[_Parameter]:
    columns = kinds()[kind].latest.columns
    unasked = set(_UNASKED)
    if any(column.name == "country_codes" for column in columns):
        unasked.add("country_code")
    return [
        parameter
        for column in columns
        if column.name not in unasked and not column.name.endswith(_PLACE_ENDS)
        for parameter in _of_column(column)
    ]


def _of_column(column: Column) -> Iterator[_Parameter]:
    type_ = column.type.removeprefix("Nullable(").removesuffix(")")
    name = SHORT_NAMES.get(column.name, column.name)
    if type_ in ("Float64", "Int32"):
        for prefix, how in (("min", "at_least"), ("max", "at_most")):
            says = f"{'At least' if prefix == 'min' else 'At most'} this. {column.comment}"
            yield _Parameter(f"{prefix}_{name}", column.name, how, _Number | None, says, [100])
    elif type_ == "Bool":
        yield _Parameter(name, column.name, "truths", bool | None, column.comment, [False])
    elif "String" in type_ and "Tuple" not in type_:
        one, examples = _words_of(column.name)
        says = f"{column.comment} Given several times: any of them."
        type_of = Annotated[list[one], Field(max_length=100)]  # type: ignore[valid-type]
        yield _Parameter(name, column.name, "words", type_of, says, examples)


def _words_of(column: str) -> tuple[Any, Sequence[Any]]:
    """Type of one word and an example."""
    match column:
        case "status":
            return words(*STATUSES), [["operating"]]
        case "primary_fuel" | "other_fuels":
            return words(*sorted(FUELS)), [["wind"]]
        case "country_code" | "country_codes":
            return _Country, [["ES"]]
    return _Text, []


def _groupable(kind: str) -> Sequence[str]:
    columns = {column.name: column for column in kinds()[kind].latest.columns}
    texts = [
        name
        for name, column in columns.items()
        if name not in _UNASKED
        and column.type in ("String", "Nullable(String)", "LowCardinality(String)")
    ]
    return [word for word, column in GROUPS.items() if column in texts] + texts


def _summable(kind: str) -> Sequence[str]:
    columns: Mapping[str, Column] = {one.name: one for one in kinds()[kind].latest.columns}
    if "status" not in columns:
        return []
    units = ("_mw", "_mtpa", "_gwh", "_gwh_per_day", "_km", "_thousand_m3_lng")
    return [
        name
        for name, column in columns.items()
        if "Float64" in column.type
        and "Array" not in column.type
        and name.endswith(units)
        and not name.startswith("position_")
    ]


def _list_of(allowed: Sequence[str]) -> str:
    one = "|".join(allowed)
    return f"^({one})(,({one}))*$"
