"""`make run` says where ClickHouse has other numbers than the topics, and what helps."""

from typing import Any

from streams.commands.run import clickhouse_problems

PUBLISHED = {"power_plant": 30, "substation": 2}


def rows(plants: int, outcomes: int) -> dict[str, Any]:
    return {"current": {"power_plant": plants, "substation": 2}, "outcomes": outcomes}


def test_nothing_is_said_when_the_numbers_agree() -> None:
    assert clickhouse_problems(rows(30, 40), PUBLISHED, 40) == []


def test_a_lost_directory_is_named_with_the_command_that_loads_it_again() -> None:
    problems = clickhouse_problems(rows(0, 0), PUBLISHED, 40)
    assert problems[:2] == [
        "ClickHouse holds 0 current power_plant, 30 published",
        "ClickHouse holds 0 outcomes, 40 published",
    ]
    assert "make sink-reload" in problems[2]


def test_too_many_rows_are_no_reason_to_load_again() -> None:
    (problem,) = clickhouse_problems(rows(31, 40), PUBLISHED, 40)
    assert "make sink-reload" not in problem
