"""Parameters that several resources share, each with bounds."""

import re
from collections import Counter
from datetime import date
from typing import Annotated, Any, Final, Literal, get_origin

from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from streams.clickhouse.bounds import FIRST_DAY, LAST_DAY
from streams.serve.problems import wrong_parameters

MOST_IN_A_PAGE: Final = 10_000

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})"
)


class Asked(BaseModel):
    """Parameters of a request; others than these are refused."""

    model_config = ConfigDict(extra="forbid")


def _written(form: re.Pattern[str], example: str) -> BeforeValidator:
    """Takes nothing but a form: pydantic alone would take `0` for 1970."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not form.fullmatch(value):
            raise ValueError(f"written as {example}")
        return value

    return BeforeValidator(check)


Day = Annotated[
    date, _written(_DAY, "2026-01-31"), Field(ge=FIRST_DAY, le=LAST_DAY, examples=["2026-01-31"])
]
DayOrEmpty = Day | Annotated[str, Field(max_length=0)] | None
"""Of a form: a field that was left empty is sent as an empty text."""
Moment = Annotated[
    AwareDatetime,
    _written(_TIME, "2026-01-31T06:00:00Z"),
    Field(examples=["2100-01-01T06:00:00Z"]),
]


def given_day(asked: date | str | None) -> date | None:
    """The day of a form's field; None where it was left empty."""
    return asked if isinstance(asked, date) else None


async def only_once(request: Request) -> None:
    """Refuse a parameter given twice that has one value: nobody can tell which one counts.

    Raises:
        ProblemError: it is.
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    repeated = {name for name, times in given.items() if times > 1}
    if repeated and (wrong := repeated - _of_several_values(request.scope["route"])):
        raise wrong_parameters([(name, "given once") for name in sorted(wrong)])


def _of_several_values(route: APIRoute) -> frozenset[str]:
    """Parameters that may be given several times."""
    models = (parameter.field_info.annotation for parameter in route.dependant.query_params)
    return frozenset(
        name
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is list
    )


def words(*values: str) -> Any:
    """Type of a parameter that is one of some words."""
    return Literal.__getitem__(values)


KNOWN_AT: Final = (
    "Answer with what was known at this time, by when sources were fetched. Left out: now."
)
