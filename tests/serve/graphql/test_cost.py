"""How many rows a query asks for, and that too many are refused before anything is read."""

import httpx
import pytest

from tests.serve.graphql.client import ask, data, error

DAYS = "startTime: $start, endTime: $end"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("{ powerPlants(first: 400) { edges { node { history(first: 10) { version } } } } }", 4400),
        ("{ powerPlants(first: 300) { edges { node { history { version } } } } }", 6300),
        ("{ powerPlants(first: 500) { edges { node { members { sourceId } } } } }", 5500),
        (
            """query { powerPlants(first: 400) { edges { node { ...versions } } } }
            fragment versions on PowerPlant { ... on Asset { history(first: 11) { body } } }""",
            4800,
        ),
        (
            """query ($n: Int! = 300) { powerPlants(first: $n)
            { edges { node { history(first: 19) { version } } } } }""",
            6000,
        ),
    ],
)
def test_rows_inside_rows_are_multiplied(server: httpx.Client, query: str, rows: int) -> None:
    told = error(server, query)
    assert f"up to {rows:,} rows" in told["message"]
    assert "4,000 are allowed" in told["message"]
    assert ask(server, query)["data"] is None


def test_ranges_of_days_are_added_up(server: httpx.Client) -> None:
    def query(terminals: int) -> str:
        fields = "".join(
            f'a{number}: lngInventory(terminalId: "ES_BARCELONA", {DAYS}) {{ ts }} '
            for number in range(terminals)
        )
        return f"query ($start: Time, $end: Time) {{ {fields} }}"

    asked = {"start": "2025-01-01", "end": "2026-02-04"}
    assert len(data(server, query(10), **asked)) == 10
    assert "up to 4,400 rows" in error(server, query(11), **asked)["message"]


def test_a_variable_counts_as_what_it_is(server: httpx.Client) -> None:
    query = """query ($n: Int!) { powerPlants(first: 100)
        { edges { node { history(first: $n) { version } } } } }"""
    assert "errors" not in ask(server, query, n=5)
    for written in (400, 400.0):
        assert "up to 40,100 rows" in error(server, query, n=written)["message"]
