"""A list of which much less can be read than before is refused, with what was looked for."""

import pytest

from producers.connector import RawItem
from producers.errors import UnexpectedAnswerError
from producers.formats.readability import Readability, check_readable, readability
from streams.core import reject_rules
from streams.core.errors import Rejected
from streams.core.records import Mapped, RawRecord
from tests.core.builders import mapped


def items(good: int, bad: int) -> list[RawItem]:
    return [
        RawItem("plants", str(index), {"columns": {"code": "x"}}, None, None, "file.csv")
        for index in range(-bad, good)
    ]


def read(raw: RawRecord) -> Mapped | Rejected:
    if int(raw.record_id) < 0:
        return reject_rules.MISSING_ID.reject(field="combo_id")
    return mapped()


def found(good: int, bad: int) -> Readability:
    return readability(items(good, bad), read)["file.csv"]


@pytest.mark.parametrize(
    ("good", "bad", "before"),
    [(95, 5, 1.0), (60, 40, None), (0, 9, None), (50, 50, 0.5), (1, 0, 1.0)],
)
def test_a_list_as_readable_as_before_is_a_release(
    good: int, bad: int, before: float | None
) -> None:
    check_readable(found(good, bad), "x", before=before, looked_for=("id",))


@pytest.mark.parametrize(
    ("good", "bad", "before"), [(0, 9, 1.0), (80, 20, 1.0), (30, 70, None), (0, 100, None)]
)
def test_one_that_lost_what_it_said_is_refused_by_name(
    good: int, bad: int, before: float | None
) -> None:
    with pytest.raises(UnexpectedAnswerError) as error:
        check_readable(found(good, bad), "x.csv", before=before, looked_for=("combo_id", "id"))
    said = str(error.value)
    assert f"{bad} of {good + bad} rows cannot be read: missing_id (combo_id) {bad}" in said
    assert "looked for in combo_id, id; columns found: code" in said
    assert "--accept-loss" in said
